//! The cascade on the GPU against the CPU's: the same faces on photographs of different sizes, whatever runs beside them.

mod common;

use std::path::PathBuf;

use common::{device, shared, weights};
use warpface::face::{DetectOptions, Face};
use warpface::image::{Rgb8, decode};
use warpface::{Detector, Device, DeviceKind};

fn detector(device: &Device) -> Option<Detector> {
    detector_with(device, &DetectOptions::default())
}

fn detector_with(device: &Device, options: &DetectOptions) -> Option<Detector> {
    let folder = weights(&["det1.npy", "det2.npy", "det3.npy"])?;
    Some(Detector::load(device, &folder, options).expect("published weights"))
}

/// Photographs side by side in one.
fn mosaic(images: &[Rgb8], columns: usize) -> Rgb8 {
    let (w, h) = (images.iter().map(Rgb8::width).min().unwrap(), images.iter().map(Rgb8::height).min().unwrap());
    let mut data = Vec::new();
    for row in images.chunks_exact(columns) {
        for y in 0..h {
            row.iter().for_each(|image| data.extend_from_slice(&image.row(y)[..w * 3]));
        }
    }
    Rgb8::new(columns * w, data.len() / (columns * w * 3), data)
}

fn assert_equal_faces(what: &str, found: &[Vec<Face>], expected: &[Vec<Face>]) {
    let mut worst = 0.0f64;
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "{what}: photograph {i}");
        for (a, b) in found.iter().zip(expected) {
            worst = worst.max(furthest(a, b));
            assert!(furthest(a, b) <= 0.01, "{what}: photograph {i}: {a:?}, expected {b:?}");
            assert!((a.score - b.score).abs() <= 1e-4, "{what}: photograph {i}: {a:?}, expected {b:?}");
        }
    }
    eprintln!("{what}: furthest apart {worst} px");
}

/// Photographs of the development set, some cut to other sizes.
fn photographs(count: usize) -> Option<Vec<Rgb8>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["lfw", "lfw_color"] {
        let mut folders = vec![shared(folder)?];
        while let Some(folder) = folders.pop() {
            let mut inside: Vec<PathBuf> =
                std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            inside.sort();
            for path in inside {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|suffix| suffix == "jpg") {
                    paths.push(path);
                }
            }
        }
    }
    paths.sort();
    let step = (paths.len() / count).max(1);
    let cut = |(i, image): (usize, Rgb8)| {
        let (w, h) = (image.width() - i % 4 * 13, image.height() - i % 3 * 17);
        let rows: Vec<u8> = (0..h).flat_map(|y| image.row(y)[..w * 3].to_vec()).collect();
        Rgb8::new(w, h, rows)
    };
    let images = paths.iter().step_by(step).take(count).map(|path| decode(path).unwrap());
    Some(images.enumerate().map(cut).collect())
}

fn furthest(a: &Face, b: &Face) -> f64 {
    let points = |face: &Face| -> Vec<f64> {
        face.bounds.iter().copied().chain(face.landmarks.iter().flatten().copied()).collect()
    };
    points(a).iter().zip(points(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn the_gpu_finds_the_faces_that_the_cpu_finds() {
    let (Some(gpu), Some(cpu)) = (device(DeviceKind::Wgpu), device(DeviceKind::Cpu)) else { return };
    let (Some(on_gpu), Some(on_cpu)) = (detector(&gpu), detector(&cpu)) else { return };
    let Some(images) = photographs(24) else { return };
    let images: Vec<&Rgb8> = images.iter().collect();
    let (found, expected) = (on_gpu.detect(&images).unwrap(), on_cpu.detect(&images).unwrap());
    assert!(expected.iter().map(Vec::len).sum::<usize>() >= images.len() / 2, "photographs without faces");
    assert_equal_faces("ragged", &found, &expected);
}

#[test]
fn many_faces_in_a_large_photograph_are_found_in_strips() {
    let (Some(gpu), Some(cpu)) = (device(DeviceKind::Wgpu), device(DeviceKind::Cpu)) else { return };
    let (Some(on_gpu), Some(on_cpu)) = (detector(&gpu), detector(&cpu)) else { return };
    let Some(images) = photographs(20) else { return };
    let large = mosaic(&images, 5);
    let (found, expected) = (on_gpu.detect(&[&large]).unwrap(), on_cpu.detect(&[&large]).unwrap());
    assert!(expected[0].len() >= 10, "{} faces", expected[0].len());
    assert_equal_faces("mosaic", &found, &expected);
}

#[test]
fn full_lists_lose_nothing() {
    let (Some(gpu), Some(cpu)) = (device(DeviceKind::Wgpu), device(DeviceKind::Cpu)) else { return };
    // Every cell is a candidate: at first the lists have room for one in eight.
    let options = DetectOptions { thresholds: [0.0, 0.7, 0.7], ..Default::default() };
    let (Some(on_gpu), Some(on_cpu)) = (detector_with(&gpu, &options), detector_with(&cpu, &options)) else { return };
    let Some(images) = photographs(3) else { return };
    let images: Vec<&Rgb8> = images.iter().collect();
    assert_equal_faces("full lists", &on_gpu.detect(&images).unwrap(), &on_cpu.detect(&images).unwrap());
}

#[test]
fn a_photograph_does_not_depend_on_its_batch() {
    let Some(gpu) = device(DeviceKind::Wgpu) else { return };
    let Some(detector) = detector(&gpu) else { return };
    let Some(images) = photographs(8) else { return };
    let together = detector.detect(&images.iter().collect::<Vec<_>>()).unwrap();
    let backwards = detector.detect(&images.iter().rev().collect::<Vec<_>>()).unwrap();
    for (i, image) in images.iter().enumerate() {
        let alone = detector.detect(&[image]).unwrap();
        assert_eq!(alone[0], together[i], "photograph {i} alone");
        assert_eq!(backwards[images.len() - 1 - i], together[i], "photograph {i} in reverse");
    }
}

#[test]
fn nothing_and_tiny_photographs_are_no_faces() {
    let Some(gpu) = device(DeviceKind::Wgpu) else { return };
    let Some(detector) = detector(&gpu) else { return };
    assert!(detector.detect(&[]).unwrap().is_empty());
    let tiny = [Rgb8::black(1, 1), Rgb8::black(19, 500), Rgb8::black(20, 20), Rgb8::black(64, 48)];
    let found = detector.detect(&tiny.iter().collect::<Vec<_>>()).unwrap();
    assert!(found.iter().all(Vec::is_empty), "{found:?}");
}
