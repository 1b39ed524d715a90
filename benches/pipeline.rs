//! Each part of the way from a JPEG file to an embedding, per photograph.

mod common;

use std::path::{Path, PathBuf};

use common::{Bench, clock};
use warpface::face::{Alignment, DetectOptions, EmbedOptions, Standardize, choose};
use warpface::image::{self, Limits, Rgb8};
use warpface::models::Mtcnn;
use warpface::{Detector, Embedder, align};

/// Sample photographs, about 250 pixels wide, of `weights/five-people`.
const SAMPLES: usize = 8;

fn main() {
    common::main("pipeline", |bench| {
        if let Some((folder, model)) = common::weights() {
            pipeline(bench, &folder, &model);
        }
    });
}

fn pipeline(bench: &mut Bench, weights: &Path, model: &Path) {
    let device = bench.device();
    let mut files = photographs(weights);
    if bench.is_slow() {
        files.truncate(1);
    }
    let (count, limits) = (files.len(), Limits::default());
    let decode = |(path, bytes): &(PathBuf, Vec<u8>)| image::decode_bytes(path, bytes, &limits).expect("a photograph");
    let decoded: Vec<Rgb8> = files.iter().map(decode).collect();
    let photographs: Vec<&Rgb8> = decoded.iter().collect();
    let networks = Mtcnn::load(weights, false).expect("published weights");
    let detector = match Detector::new(&device, &networks, &DetectOptions::default()) {
        Ok(detector) => detector,
        Err(error) => return bench.skip("detection", error),
    };
    let embedder =
        match Embedder::load(&device, model, EmbedOptions::from(Standardize::Fixed).precision(bench.precision())) {
            Ok(embedder) => embedder,
            Err(error) => return bench.skip("embedding", error),
        };
    let alignment = Alignment::default();
    // A photograph without a face is embedded from its centre, so that each one costs the same.
    let crop = |photograph: &Rgb8, faces: &[_]| {
        let chosen = choose(faces, photograph.width(), photograph.height());
        chosen
            .and_then(|i| align(photograph, &faces[i], &alignment).expect("landmarks"))
            .unwrap_or_else(|| image::resize_bilinear_pillow(photograph, alignment.size, alignment.size))
    };
    let found = detector.detect(&photographs).expect("photographs");
    let cut = |found: &[Vec<_>]| -> Vec<Rgb8> {
        photographs.iter().zip(found).map(|(photograph, faces)| crop(photograph, faces)).collect()
    };
    let crops = cut(&found);
    let crops: Vec<&Rgb8> = crops.iter().collect();

    bench.case("decode (one thread)", count, None, || clock(|| files.iter().map(decode).collect::<Vec<_>>()));
    bench.case("pyramid + detect", count, None, || clock(|| detector.detect(&photographs).expect("photographs")));
    bench.case("align (one thread)", count, None, || clock(|| cut(&found)));
    bench.case("embed", count, None, || clock(|| embedder.embed(&crops).expect("crops")));
    bench.case("all", count, None, || {
        clock(|| {
            let decoded: Vec<Rgb8> = files.iter().map(decode).collect();
            let found = detector.detect(&decoded.iter().collect::<Vec<_>>()).expect("photographs");
            let crops: Vec<Rgb8> = decoded.iter().zip(&found).map(|(p, faces)| crop(p, faces)).collect();
            embedder.embed(&crops.iter().collect::<Vec<_>>()).expect("crops")
        })
    });
}

/// Sample photographs as files, or generated ones where there are none.
fn photographs(weights: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let samples = weights.join("five-people");
    let found = if samples.is_dir() { image::collect(&[samples]).images } else { Vec::new() };
    if found.is_empty() {
        eprintln!("no sample photographs in {}: generated ones, without faces, instead", weights.display());
        return (0..SAMPLES).map(generated).collect();
    }
    let step = found.len().div_ceil(SAMPLES);
    let read = |path: PathBuf| std::fs::read(&path).map(|bytes| (path, bytes)).expect("a sample photograph");
    found.into_iter().step_by(step).map(read).collect()
}

fn generated(seed: usize) -> (PathBuf, Vec<u8>) {
    let (w, h) = (250, 250);
    let wave = |i: usize| {
        127.5 + 120.0 * ((i % (3 * w)) as f32 / (20 + seed) as f32).sin() * ((i / (3 * w)) as f32 / 31.0).cos()
    };
    let pixels = Rgb8::new(w, h, (0..w * h * 3).map(|i| wave(i) as u8).collect());
    (PathBuf::from(format!("generated-{seed}.jpg")), image::encode_jpeg(&pixels, 90).expect("an image"))
}
