//! Photographs: finding, comparing, looking for.

use serde_json::{Value, json};
use warpface::face::{Aligner, DetectOptions, Embeddings, choose};
use warpface::image;
use warpface::ops::Metric;
use warpface::vectors::search::Neighbours;
use warpface::{Detector, Device};

use crate::client::{b64, form, post, send};
use crate::common::{self, Noise, files};
use crate::served::{DIM, Small, embedder};

/// Photographs with a face, as files.
fn photographs(n: usize) -> Option<Vec<Vec<u8>>> {
    let paths = files::photographs(n, 5)?;
    Some(paths.iter().map(|path| std::fs::read(path).unwrap()).collect())
}

/// What the library makes of a photograph: its faces, and the embedding of the one it is about.
fn expected(photo: &[u8]) -> (Value, Vec<f32>) {
    let device = Device::cpu(1).unwrap();
    let weights = common::weights(&files::MTCNN).unwrap();
    let detector = Detector::load(&device, weights, &DetectOptions::default()).unwrap();
    let photo = image::decode_bytes("photo", photo, &image::Limits::default()).unwrap();
    let faces = detector.detect_one(&photo).unwrap();
    let embedder = embedder(&device, 1);
    let chosen = choose(&faces, photo.width(), photo.height()).unwrap();
    let crop = Aligner::new(embedder.alignment()).align(&photo, &faces[chosen]).unwrap().unwrap();
    let told = json!({ "width": photo.width(), "height": photo.height(), "faces": faces });
    // As text and back: serde_json reads numbers to within their last bit.
    (serde_json::from_str(&told.to_string()).unwrap(), embedder.embed_one(&crop).unwrap())
}

#[test]
fn a_photograph_comes_in_every_form() {
    let (Some(server), Some(photographs)) = (Small::start(|_| {}), photographs(1)) else { return };
    let (address, photo) = (server.address, &photographs[0]);
    let (faces, embedding) = expected(photo);
    assert_eq!(post(address, "/v1/faces", photo).expect(200), faces);
    for kind in ["image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded"] {
        let answer = send(address, "POST", "/v1/faces", &[("Content-Type", kind)], photo);
        assert_eq!(answer.expect(200), faces, "{kind}");
    }
    for name in ["image", "file", "x"] {
        let (kind, body) = form(&[(name, photo)]);
        assert_eq!(send(address, "POST", "/v1/faces", &[("Content-Type", &kind)], &body).expect(200), faces);
    }
    let as_json = |body: Value| {
        let kind = [("Content-Type", "application/json")];
        send(address, "POST", "/v1/faces", &kind, body.to_string().as_bytes())
    };
    assert_eq!(as_json(json!({ "image": b64(photo) })).expect(200), faces);
    assert_eq!(as_json(json!({ "image": b64(photo)["b64"] })).expect(200), faces);
    as_json(json!({ "picture": b64(photo) })).refused(400, &["one picture is needed, called image"]);
    as_json(json!({ "image": 3 })).refused(400, &["image: a picture is"]);
    let answer = post(address, "/v1/faces?embeddings=true", photo).expect(200);
    let found = answer["faces"].as_array().unwrap();
    let of = |face: &Value| -> Vec<f32> {
        face["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
    };
    assert!(found.iter().any(|face| of(face) == embedding), "{answer}");
    post(address, "/v1/faces?embedding=true", photo).refused(400, &["embedding"]);
}

#[test]
fn two_photographs_are_compared_as_by_the_command() {
    let (Some(server), Some(photographs)) = (Small::start(|_| {}), photographs(2)) else { return };
    let address = server.address;
    let [a, b] = [&photographs[0], &photographs[1]];
    let ((told_a, x), (told_b, y)) = (expected(a), expected(b));
    let wide = |row: &[f32]| row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let distance = Metric::Euclidean.distance(&wide(&x), &wide(&y));
    let (kind, body) = form(&[("a", a), ("b", b)]);
    let compare = |path: &str, kind: &str, body: &[u8]| send(address, "POST", path, &[("Content-Type", kind)], body);
    let answer = compare("/v1/compare", &kind, &body).expect(200);
    assert_eq!(answer["distance"], serde_json::from_str::<Value>(&json!(distance).to_string()).unwrap());
    assert_eq!((&answer["threshold"], &answer["threshold_origin"]), (&json!(1.0), &json!("a test's")));
    assert_eq!(answer["same"], json!(distance < 1.0));
    for (told, expected) in [(&answer["images"][0], &told_a), (&answer["images"][1], &told_b)] {
        assert_eq!(told["faces"], expected["faces"]);
        assert!(told["chosen"].is_u64(), "{told}");
    }
    let as_json = json!({ "a": b64(a), "b": b64(b) }).to_string();
    assert_eq!(compare("/v1/compare", "application/json", as_json.as_bytes()).expect(200), answer);
    // By their names, not by their order.
    let (kind, turned) = form(&[("b", b), ("a", a)]);
    assert_eq!(compare("/v1/compare", &kind, &turned).expect(200), answer);
    let asked = compare("/v1/compare?threshold=4.5", &kind, &turned).expect(200);
    assert_eq!((&asked["same"], &asked["threshold_origin"]), (&json!(true), &json!("as asked")));
    compare("/v1/compare?threshold=NaN", &kind, &body).refused(400, &["NaN is no distance"]);
    assert_eq!(compare("/v1/compare?distance=cosine", &kind, &body).expect(200)["threshold"], json!(0.4));
    compare("/v1/compare?distance=x", &kind, &body).refused(400, &["x"]);
    let with_threshold = compare("/v1/compare?distance=cosine&threshold=0.3", &kind, &body).expect(200);
    assert_eq!(with_threshold["metric"], json!("cosine"));
    let (kind, one) = form(&[("a", a)]);
    compare("/v1/compare", &kind, &one).refused(400, &["two pictures are needed, called a and b; the request has 1"]);
    compare("/v1/compare", "image/jpeg", a).refused(415, &["multipart/form-data"]);
    compare("/v1/compare", "multipart/form-data", a).refused(400, &["multipart/form-data"]);
    let blank = warpface::image::encode_png(&warpface::image::Rgb8::black(60, 60)).unwrap();
    let (kind, body) = form(&[("a", a), ("b", &blank)]);
    compare("/v1/compare", &kind, &body).refused(422, &["b: no face found; is it upright"]);
}

#[test]
fn the_nearest_rows_are_those_of_the_library() {
    let (Some(server), Some(photographs)) = (Small::start(|_| {}), photographs(1)) else { return };
    let (address, photo) = (server.address, &photographs[0]);
    let (_, embedding) = expected(photo);
    let (device, rows) =
        (Device::cpu(1).unwrap(), Embeddings::new(DIM, Noise::new(8).signed(&[50, DIM]).data().to_vec()));
    let near = Neighbours::new(&device, &rows).unwrap().nearest(&Embeddings::new(DIM, embedding), 50).unwrap();
    let hits = |answer: &Value| -> Vec<(usize, f32)> {
        let hit = |hit: &Value| (hit["row"].as_u64().unwrap() as usize, hit["distance"].as_f64().unwrap() as f32);
        answer["hits"].as_array().unwrap().iter().map(hit).collect()
    };
    let expected: Vec<(usize, f32)> = near[0].iter().map(|hit| (hit.row, hit.distance)).collect();
    let answer = post(address, "/v1/search?k=50", photo).expect(200);
    assert_eq!(hits(&answer), expected);
    let first = answer["hits"].as_array().unwrap().iter().find(|hit| hit["row"] == 0).unwrap();
    assert_eq!(first["name"], json!("the first"));
    assert_eq!(hits(&post(address, "/v1/search", photo).expect(200)), expected[..10]);
    let limit = expected[3].1;
    assert_eq!(hits(&post(address, &format!("/v1/search?threshold={limit}"), photo).expect(200)), expected[..3]);
    post(address, "/v1/search?k=0", photo).refused(400, &["k: 0 rows"]);
    post(address, "/v1/search?k=9999", photo).refused(400, &["k: 9999 rows"]);
    post(address, "/v1/search?n=3", photo).refused(400, &["n"]);
}
