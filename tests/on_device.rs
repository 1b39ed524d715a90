//! What must hold on a device beside the CPU, in every precision that it has: embeddings, boxes, and bits that do not
//! depend on the batch. `WARPFACE_ON_DEVICE` names the device (`cuda` unless given), `WARPFACE_MODEL` the model.

mod common;

use std::path::PathBuf;

use warpface::Precision;
use warpface::face::{Alignment, DetectOptions, EmbedOptions, Face, Standardize, choose};
use warpface::image::{self, Rgb8};
use warpface::{Detector, Device, DeviceKind, Embedder, align};

use common::files;

/// The device, or a loud skip.
fn device() -> Option<Device> {
    let name = std::env::var("WARPFACE_ON_DEVICE").unwrap_or_else(|_| "cuda".to_owned());
    common::device(name.parse::<DeviceKind>().unwrap())
}

fn model() -> Option<PathBuf> {
    match std::env::var_os("WARPFACE_MODEL") {
        Some(model) => Some(model.into()),
        None => Some(common::weights(&["graph_final.pb"])?.join("graph_final.pb")),
    }
}

/// The cosine to the CPU's embedding that every embedding must reach.
fn least(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 0.99999,
        Precision::Tf32 => 0.9999,
        Precision::F16 | Precision::Bf16 => 0.9995,
    }
}

/// Sample photographs: those beside the weights, which travel with them, else whatever there is.
fn photographs() -> Option<Vec<Rgb8>> {
    let beside = common::weights(&files::MTCNN)?.join("five-people");
    let paths = match beside.is_dir() {
        true => image::collect(&[beside]).images.into_iter().step_by(4).take(24).collect(),
        false => files::photographs(24, 4)?,
    };
    Some(paths.iter().map(|path| image::decode(path).unwrap()).collect())
}

/// The faces that the photographs are about, as the CPU finds them.
fn crops(photos: &[Rgb8]) -> Option<Vec<Rgb8>> {
    let weights = common::weights(&files::MTCNN)?;
    let detector = Detector::load(&Device::cpu(0).unwrap(), &weights, &DetectOptions::default()).unwrap();
    let found = detector.detect(&photos.iter().collect::<Vec<_>>()).unwrap();
    let crop = |(photo, faces): (&Rgb8, &Vec<Face>)| {
        align(photo, &faces[choose(faces, photo.width(), photo.height())?], &Alignment::default()).unwrap()
    };
    let crops: Vec<Rgb8> = photos.iter().zip(&found).filter_map(crop).collect();
    assert!(crops.len() > photos.len() / 2, "{} faces in {} photographs", crops.len(), photos.len());
    Some(crops)
}

/// As many as a software device can take in this time.
fn some<'a>(device: &Device, crops: &'a [Rgb8]) -> Vec<&'a Rgb8> {
    crops.iter().take(if device.info().is_software() { 2 } else { crops.len() }).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn embeddings() {
    let (Some(device), Some(model)) = (device(), model()) else { return };
    let Some(crops) = photographs().and_then(|photos| crops(&photos)) else { return };
    let crops = some(&device, &crops);
    let cpu = Embedder::load(&Device::cpu(0).unwrap(), &model, Standardize::Prewhiten).unwrap();
    let expected = cpu.embed(&crops).unwrap();
    let mut failed = Vec::new();
    for precision in common::precisions(&device) {
        let embedder =
            Embedder::load(&device, &model, EmbedOptions::from(Standardize::Prewhiten).precision(precision)).unwrap();
        let got = embedder.embed(&crops).unwrap();
        let rows = got.rows().zip(expected.rows());
        let cosines: Vec<f64> = rows.map(|(a, b)| cosine(a, b)).collect();
        assert_eq!(cosines.len(), crops.len());
        // NaN is the least of all.
        let worst = cosines.iter().copied().fold(1.0, |least, x| if x >= least { least } else { x });
        let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
        eprintln!(
            "MEASURED: cosine to the CPU, {precision}: least {worst:.7}, mean {mean:.7}, of {} crops (at least {})",
            crops.len(),
            least(precision)
        );
        #[allow(clippy::neg_cmp_op_on_partial_ord)]
        if !(worst >= least(precision)) {
            failed.push(precision);
        }
    }
    assert!(failed.is_empty(), "too far from the CPU: {failed:?}");
}

#[test]
fn boxes() {
    let Some(device) = device() else { return };
    let (Some(weights), Some(mut photos)) = (common::weights(&files::MTCNN), photographs()) else { return };
    if device.info().is_software() {
        photos.truncate(3);
    }
    let photos: Vec<&Rgb8> = photos.iter().collect();
    let detect =
        |device: &Device| Detector::load(device, &weights, &DetectOptions::default()).unwrap().detect(&photos).unwrap();
    let (found, expected) = (detect(&device), detect(&Device::cpu(0).unwrap()));
    let numbers = |face: &Face| -> Vec<f64> {
        face.bounds.iter().copied().chain(face.landmarks.iter().flatten().copied()).collect()
    };
    let (mut worst, mut faces, mut wrong) = (0.0f64, 0, Vec::new());
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let apart = found.iter().zip(expected).flat_map(|(a, b)| numbers(a).into_iter().zip(numbers(b)));
        let apart = apart.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        (worst, faces) = (worst.max(apart), faces + expected.len());
        if found.len() != expected.len() || apart > 0.01 {
            wrong.push(i);
        }
    }
    eprintln!("MEASURED: boxes of {faces} faces in {} photographs: at most {worst:.6} px from the CPU's", photos.len());
    assert!(faces > 0 && wrong.is_empty(), "photographs {wrong:?} have other faces than on the CPU");
}

#[test]
fn bits_do_not_depend_on_the_batch() {
    let (Some(device), Some(model)) = (device(), model()) else { return };
    let Some(crops) = photographs().and_then(|photos| crops(&photos)) else { return };
    let crops = some(&device, &crops);
    for precision in common::precisions(&device) {
        let load = || {
            Embedder::load(&device, &model, EmbedOptions::from(Standardize::Prewhiten).precision(precision)).unwrap()
        };
        let embed = |embedder: &Embedder, crops: &[&Rgb8]| -> Vec<Vec<u32>> {
            let rows = embedder.embed(crops).unwrap();
            rows.rows().map(|row| row.iter().map(|x| x.to_bits()).collect()).collect()
        };
        let embedder = load();
        let together = embed(&embedder, &crops);
        assert_ne!(together[0], together[1], "different faces have one embedding: nothing is tested");
        for (i, crop) in crops.iter().enumerate().step_by(5) {
            assert_eq!(embed(&embedder, &[crop])[0], together[i], "{precision}: crop {i} alone");
        }
        let backwards: Vec<&Rgb8> = crops.iter().rev().copied().collect();
        let expected: Vec<_> = together.iter().rev().cloned().collect();
        assert_eq!(embed(&embedder, &backwards), expected, "{precision}: reversed");
        // Streamed: several full batches and a rest.
        let few = load().in_batches((crops.len() / 3).max(1));
        assert_eq!(embed(&few, &crops), together, "{precision}: in batches of {}", few.batch());
        let again: Vec<_> = (0..3).map(|_| embed(&few, &crops)).collect();
        assert!(again.iter().all(|rows| *rows == together), "{precision}: run again");
        eprintln!("MEASURED: the same bits alone, together, reversed and streamed: {precision}, {} crops", crops.len());
    }
}
