//! The cascade on GPUs against the CPU's: the same faces on photographs of different sizes, whatever runs beside them.

mod common;

use std::path::PathBuf;

use common::{device, shared, simulated, weights};
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

/// The faces that a GPU finds, and that the CPU finds, in these photographs.
fn both(gpu: &Device, options: &DetectOptions, images: &[&Rgb8]) -> Option<[Vec<Vec<Face>>; 2]> {
    let cpu = device(DeviceKind::Cpu)?;
    let detectors = [detector_with(gpu, options)?, detector_with(&cpu, options)?];
    Some(detectors.map(|detector| detector.detect(images).unwrap()))
}

fn the_faces_that_the_cpu_finds(gpu: &Device) {
    let Some(images) = photographs(24) else { return };
    let images: Vec<&Rgb8> = images.iter().collect();
    let Some([found, expected]) = both(gpu, &DetectOptions::default(), &images) else { return };
    assert!(expected.iter().map(Vec::len).sum::<usize>() >= images.len() / 2, "photographs without faces");
    assert_equal_faces("ragged", &found, &expected);
}

fn many_faces_in_a_large_photograph_are_found_in_strips(gpu: &Device) {
    let Some(images) = photographs(20) else { return };
    let large = mosaic(&images, 5);
    let Some([found, expected]) = both(gpu, &DetectOptions::default(), &[&large]) else { return };
    assert!(expected[0].len() >= 10, "{} faces", expected[0].len());
    assert_equal_faces("mosaic", &found, &expected);
}

/// Every cell is a candidate: at first the lists have room for one in eight.
const ALL_CELLS: DetectOptions = DetectOptions { min_size: 20, thresholds: [0.0, 0.7, 0.7], factor: 0.709 };

fn full_lists_lose_nothing(gpu: &Device) {
    let Some(images) = photographs(3) else { return };
    let Some([found, expected]) = both(gpu, &ALL_CELLS, &images.iter().collect::<Vec<_>>()) else { return };
    assert_equal_faces("full lists", &found, &expected);
}

fn a_photograph_does_not_depend_on_its_batch(gpu: &Device) {
    let Some(detector) = detector(gpu) else { return };
    let Some(images) = photographs(8) else { return };
    let together = detector.detect(&images.iter().collect::<Vec<_>>()).unwrap();
    let backwards = detector.detect(&images.iter().rev().collect::<Vec<_>>()).unwrap();
    for (i, image) in images.iter().enumerate() {
        let alone = detector.detect(&[image]).unwrap();
        assert_eq!(alone[0], together[i], "photograph {i} alone");
        assert_eq!(backwards[images.len() - 1 - i], together[i], "photograph {i} in reverse");
    }
}

fn nothing_and_tiny_photographs_are_no_faces(gpu: &Device) {
    let Some(detector) = detector(gpu) else { return };
    assert!(detector.detect(&[]).unwrap().is_empty());
    let tiny = [Rgb8::black(1, 1), Rgb8::black(19, 500), Rgb8::black(20, 20), Rgb8::black(64, 48)];
    let found = detector.detect(&tiny.iter().collect::<Vec<_>>()).unwrap();
    assert!(found.iter().all(Vec::is_empty), "{found:?}");
}

macro_rules! on_gpus {
    ($($test:ident)+) => {
        mod wgpu {
            $(#[test]
            fn $test() {
                if let Some(gpu) = super::device(super::DeviceKind::Wgpu) { super::$test(&gpu) }
            })+
        }

        mod cuda {
            $(#[test]
            fn $test() {
                if let Some(gpu) = super::device(super::DeviceKind::Cuda) { super::$test(&gpu) }
            })+
        }
    };
}

on_gpus! {
    the_faces_that_the_cpu_finds many_faces_in_a_large_photograph_are_found_in_strips full_lists_lose_nothing
    a_photograph_does_not_depend_on_its_batch nothing_and_tiny_photographs_are_no_faces
}

/// On a simulated GPU: a few small photographs, together and alone.
#[cfg(feature = "cuda")]
mod ptxsim {
    use super::*;

    /// Pieces of photographs about their middle, where the face is.
    fn small() -> Option<Vec<Rgb8>> {
        let cut = |(i, image): (usize, Rgb8)| {
            let (w, h) = (150 + 12 * i, 160 - 7 * i);
            let (left, top) = ((image.width() - w) / 2, (image.height() - h) / 2);
            let rows: Vec<u8> = (top..top + h).flat_map(|y| image.row(y)[3 * left..3 * (left + w)].to_vec()).collect();
            Rgb8::new(w, h, rows)
        };
        Some(photographs(3)?.into_iter().enumerate().map(cut).collect())
    }

    #[test]
    fn the_faces_that_the_cpu_finds_together_and_alone() {
        let gpu = simulated::device((8, 0));
        let Some(images) = small() else { return };
        let images: Vec<&Rgb8> = images.iter().collect();
        let Some([found, expected]) = both(&gpu, &DetectOptions::default(), &images) else { return };
        assert!(expected.iter().all(|faces| !faces.is_empty()), "photographs without faces: {expected:?}");
        assert_equal_faces("ptxsim", &found, &expected);
        let alone = detector(&gpu).unwrap().detect(&images[1..2]).unwrap();
        assert_eq!(alone[0], found[1], "a photograph alone");
    }

    #[test]
    fn full_lists_lose_nothing() {
        let gpu = simulated::device((7, 5));
        let Some(images) = small() else { return };
        let cut: Vec<u8> = (0..60).flat_map(|y| images[0].row(y + 40)[90..270].to_vec()).collect();
        let Some([found, expected]) = both(&gpu, &ALL_CELLS, &[&Rgb8::new(60, 60, cut)]) else { return };
        assert_equal_faces("full lists", &found, &expected);
    }

    #[test]
    fn nothing_and_tiny_photographs_are_no_faces() {
        super::nothing_and_tiny_photographs_are_no_faces(&simulated::device((7, 5)));
    }
}
