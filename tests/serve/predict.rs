//! TensorFlow Serving's REST API.

use serde_json::{Value, json};
use warpface::Device;
use warpface::face::Input;
use warpface::ops::Standardize;

use crate::client::{b64, get, post, send};
use crate::common::Noise;
use crate::served::{DIM, SIZE, Small, crop, embedder, png};

const PREDICT: &str = "/v1/models/facenet:predict";

/// What the library makes of crops of these seeds.
pub fn embeddings(seeds: std::ops::Range<u64>) -> Vec<Vec<f32>> {
    let crops: Vec<_> = seeds.map(crop).collect();
    let crops: Vec<Input> = crops.iter().map(Input::Crop).collect();
    let embeddings = embedder(&Device::cpu(1).unwrap(), 3).embed_inputs(&crops).unwrap();
    embeddings.rows().map(<[f32]>::to_vec).collect()
}

/// What the network takes of a crop.
pub fn standardized(seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; SIZE * SIZE * 3];
    Standardize::Prewhiten.pixels(&crop(seed), &mut values);
    values
}

/// A crop's values as nested lists.
fn nested(seed: u64) -> Value {
    let values = standardized(seed);
    let rows = values.chunks(SIZE * 3).map(|row| row.chunks(3).collect::<Vec<_>>());
    json!(rows.collect::<Vec<_>>())
}

/// Rows of numbers, to the bit.
pub fn rows(value: &Value) -> Vec<Vec<f32>> {
    let row = |row: &Value| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
    value.as_array().unwrap_or_else(|| panic!("no rows: {value}")).iter().map(row).collect()
}

#[test]
fn every_form_gives_the_same_bits() {
    let Some(server) = Small::start(|_| {}) else { return };
    let expected = embeddings(0..3);
    let predict = |body: Value| post(server.address, PREDICT, body.to_string()).expect(200);
    let encoded: Vec<Value> = (0..3).map(|seed| b64(&png(&crop(seed)))).collect();
    let floats: Vec<Value> = (0..3).map(nested).collect();
    let named =
        |name: &str, values: &[Value]| -> Vec<Value> { values.iter().map(|value| json!({ name: value })).collect() };
    for body in [
        json!({ "instances": encoded }),
        json!({ "instances": floats }),
        json!({ "instances": named("image_bytes", &encoded) }),
        json!({ "instances": named("input", &floats) }),
        json!({ "instances": floats, "signature_name": "serving_default" }),
        json!({ "instances": encoded, "signature_name": "crops" }),
    ] {
        let answer = predict(body);
        assert_eq!(rows(&answer["predictions"]), expected);
        assert_eq!(answer.as_object().unwrap().len(), 1);
    }
    for body in [
        json!({ "inputs": encoded }),
        json!({ "inputs": floats }),
        json!({ "inputs": { "input": floats } }),
        json!({ "inputs": { "image_bytes": encoded } }),
    ] {
        assert_eq!(rows(&predict(body)["outputs"]), expected);
    }
    let body = json!({ "instances": encoded }).to_string();
    let answer = post(server.address, "/v1/models/facenet/versions/1:predict", body).expect(200);
    assert_eq!(rows(&answer["predictions"]), expected);
}

#[test]
fn an_answer_does_not_depend_on_who_else_is_served() {
    let Some(server) = Small::start(|_| {}) else { return };
    let expected = embeddings(0..24);
    let address = server.address;
    let ask = |seed: u64, expected: &Vec<f32>| {
        let body = json!({ "instances": [b64(&png(&crop(seed)))] }).to_string();
        assert_eq!(&rows(&post(address, PREDICT, body).expect(200)["predictions"])[0], expected, "{seed}");
    };
    std::thread::scope(|scope| {
        for (seed, expected) in expected.iter().enumerate() {
            scope.spawn(move || (0..4).for_each(|_| ask(seed as u64, expected)));
        }
    });
    let text = String::from_utf8(get(address, "/metrics").body).unwrap();
    assert!(text.contains("warpface_requests_total{path=\"/v1/models/{model}:predict\",status=\"200\"} 96"), "{text}");
    let count = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(count("warpface_batch_size_sum{work=\"embed\"}"), 96.0);
    let batches = count("warpface_batch_size_count{work=\"embed\"}");
    assert!(batches < 96.0, "nothing ever ran together: {batches} batches");
}

#[test]
fn what_makes_no_sense_is_refused_as_tensorflow_serving_does() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let flat = vec![0.0; 7];
    let (floats, encoded) = (nested(1), b64(&png(&crop(1))));
    let nan = format!("{{\"instances\": [{}]}}", floats.to_string().replacen("[[", "[[NaN, ", 1));
    let cases: [(String, u16, &str); 19] = [
        (String::new(), 400, "the body is empty"),
        ("{\"instances\": [".into(), 400, "JSON: EOF"),
        ("[]".into(), 400, "JSON: invalid"),
        ("{}".into(), 400, "neither `instances` nor `inputs`"),
        (json!({ "instances": [floats], "inputs": [floats] }).to_string(), 400, "not both"),
        (json!({ "instances": [floats, encoded] }).to_string(), 400, "mixed"),
        (json!({ "instances": [encoded, floats] }).to_string(), 400, "mixed"),
        (json!({ "instances": [flat] }).to_string(), 400, "[n, 32, 32, 3], got [1, 7]"),
        (json!({ "instances": [] }).to_string(), 400, "[n, 32, 32, 3], got [0]"),
        (json!({ "instances": 3 }).to_string(), 400, "[n, 32, 32, 3], got []"),
        (json!({ "instances": [[1], [1, 2]] }).to_string(), 400, "lists of 1 and of 2"),
        (json!({ "instances": [{ "picture": floats }] }).to_string(), 400, "no input is called `picture`"),
        (json!({ "instances": [{ "b64": "///" }] }).to_string(), 400, "no base 64"),
        (json!({ "instances": [b64(b"no picture")] }).to_string(), 415, "crop 0: not an image"),
        (json!({ "instances": [b64(&png(&crop(1))[..90])] }).to_string(), 422, "crop 0: it starts like Png"),
        (json!({ "instances": [floats], "signature_name": "x" }).to_string(), 400, "\"x\" not found"),
        (json!({ "instances": [floats], "signature_name": "crops" }).to_string(), 400, "takes encoded crops"),
        (nan, 400, "NaN and Infinity are no pixels"),
        (json!({ "instances": vec![encoded; 300] }).to_string(), 413, "300 crops, and 256 are the most"),
    ];
    for (body, status, words) in cases {
        post(address, PREDICT, body).refused(status, &[words]);
    }
    let body = json!({ "instances": [floats] }).to_string();
    let missing = "Servable not found for request: Latest(other)";
    post(address, "/v1/models/other:predict", &body).refused(404, &[missing]);
    post(address, "/v1/models/facenet/versions/2:predict", &body).refused(404, &["Specific(facenet, 2)"]);
    post(address, "/v1/models/facenet:classify", &body).refused(400, &["`:classify` is not served"]);
    post(address, "/v1/models/facenet", &body).refused(405, &["POST is for :predict"]);
    send(address, "DELETE", "/v1/models/facenet", &[], b"").refused(405, &["GET tells"]);
    send(address, "DELETE", "/v1/faces", &[], b"").refused(405, &["another method"]);
    get(address, "/v1/nothing").refused(404, &["Malformed request: GET /v1/nothing"]);
    assert_eq!(post(address, PREDICT, &body).status, 200);
}

#[test]
fn crops_of_another_size_are_cut_or_filled_as_by_the_command() {
    let Some(server) = Small::start(|_| {}) else { return };
    let picture = |width: usize, height: usize| {
        let pixels = Noise::new(7).bytes(&[height, width, 3]);
        warpface::image::Rgb8::new(width, height, pixels.data().iter().map(|&x| x as u8).collect())
    };
    let (large, small) = (picture(50, 41), picture(20, 30));
    let body = json!({ "instances": [b64(&png(&large)), b64(&png(&small))] }).to_string();
    let answer = post(server.address, PREDICT, body).expect(200);
    let crops = [&large, &small].map(|picture| warpface::image::crop_or_pad(picture, SIZE));
    let inputs = [Input::Crop(&crops[0]), Input::Crop(&crops[1])];
    let expected = embedder(&Device::cpu(1).unwrap(), 2).embed_inputs(&inputs).unwrap();
    assert_eq!(rows(&answer["predictions"]).concat(), expected.as_slice());
}

#[test]
fn status_and_metadata_have_tensorflow_servings_form() {
    let Some(server) = Small::start(|_| {}) else { return };
    let status = get(server.address, "/v1/models/facenet").expect(200);
    let of = json!({ "version": "1", "state": "AVAILABLE", "status": { "error_code": "OK", "error_message": "" } });
    assert_eq!(status, json!({ "model_version_status": [of] }));
    assert_eq!(get(server.address, "/v1/models/facenet/versions/1").expect(200), status);
    let metadata = get(server.address, "/v1/models/facenet/metadata").expect(200);
    assert_eq!(metadata["model_spec"], json!({ "name": "facenet", "signature_name": "", "version": "1" }));
    let signatures = &metadata["metadata"]["signature_def"]["signature_def"];
    let dims = |tensor: &Value| -> Vec<String> {
        let dims = tensor["tensor_shape"]["dim"].as_array().unwrap();
        dims.iter().map(|dim| dim["size"].as_str().unwrap().to_owned()).collect()
    };
    let image = &signatures["serving_default"]["inputs"]["input"];
    assert_eq!((image["dtype"].as_str().unwrap(), dims(image).join(",")), ("DT_FLOAT", "-1,32,32,3".to_owned()));
    let encoded = &signatures["crops"]["inputs"]["image_bytes"];
    assert_eq!((encoded["dtype"].as_str().unwrap(), dims(encoded).join(",")), ("DT_STRING", "-1".to_owned()));
    let output = &signatures["serving_default"]["outputs"]["embeddings"];
    assert_eq!(dims(output), ["-1".to_owned(), DIM.to_string()]);
    get(server.address, "/v1/models/other").refused(404, &["model other"]);
    get(server.address, "/v1/models/facenet/versions/7/metadata").refused(404, &["version 7"]);
}
