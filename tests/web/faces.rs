//! Faces and embeddings in a browser are the CPU's.

use serde_json::{Value, json};
use warpface::backend::cpu::{ConvAlgorithm, Cpu};
use warpface::face::{DetectOptions, EmbedOptions, Face};
use warpface::image::{Rgb8, collect, decode};
use warpface::{Detector, Device, Embedder, align};

use crate::browser::Browser;
use crate::common::{shared, weights};

const MODEL: &str = "facenet_keras.h5";

#[test]
fn boxes_and_embeddings_are_the_cpu_s() {
    let files = ["det1.npy", "det2.npy", "det3.npy", MODEL];
    let (Some(browser), Some(weights), Some(photos)) = (Browser::find(), weights(&files), shared("lfw_color")) else {
        return;
    };
    // As `warpface convert --precision f16` writes it.
    let halves = browser.folder.path().join("facenet.safetensors");
    crate::files::halves(&weights.join(MODEL), &halves);
    let device = Device::from_backend(Cpu::new(2).unwrap().conv(ConvAlgorithm::Direct));
    let detector = Detector::load(&device, &weights, &DetectOptions::default()).unwrap();
    let embedder = Embedder::load(&device, &halves, EmbedOptions::default()).unwrap();

    let photos = collect(&[photos]).images;
    let photos: Vec<Rgb8> = photos.iter().step_by(17).take(3).map(|path| decode(path).unwrap()).collect();
    let picture = |(i, photo): (usize, &Rgb8)| {
        let url = browser.serve(&format!("{i}.rgb"), photo.data());
        json!({ "url": url, "width": photo.width(), "height": photo.height() })
    };
    let pictures: Vec<Value> = photos.iter().enumerate().map(picture).collect();
    let given = json!({ "pictures": pictures, "detector": "/weights/", "embedder": "/t/facenet.safetensors" });
    let page = browser.run("faces", given, Browser::with_weights(&weights));

    assert_eq!(page.result["size"], 160);
    for (i, photo) in photos.iter().enumerate() {
        let expected = detector.detect_one(photo).unwrap();
        let result = &page.result["results"][i];
        let got: Vec<Face> = serde_json::from_value(result["faces"].clone()).unwrap();
        assert!(!expected.is_empty() && got.len() == expected.len(), "photograph {i}: {} faces", got.len());
        assert_eq!(page.result["together"][i], result["faces"], "photograph {i}: others change its faces");
        for (j, (a, b)) in got.iter().zip(&expected).enumerate() {
            let apart = a.bounds.iter().zip(&b.bounds).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart <= 0.01, "photograph {i}, face {j}: {apart} px");
            let crop = align(photo, b, &embedder.alignment()).unwrap().unwrap();
            let expected = embedder.embed_one(&crop).unwrap();
            let got: Vec<f32> = serde_json::from_value(result["embeddings"][j].clone()).unwrap();
            assert_eq!(got.len(), expected.len());
            let cosine: f64 = got.iter().zip(&expected).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!(cosine >= 0.99999, "photograph {i}, face {j}: a cosine of {cosine}");
        }
        eprintln!("photograph {i}: detection and embedding took {} ms", result["ms"]);
    }
}
