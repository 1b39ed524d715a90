//! What is found in a photograph depends on nothing else: not on the batch, its order or size, nor on threads. Bit for
//! bit, on each device.

mod common;

use warpface::face::{DetectOptions, Face, Standardize};
use warpface::image::{self, Rgb8};
use warpface::{Detector, Device, Embedder};

use common::{devices, files};

/// Pixels that no two seeds share.
fn noise(width: usize, height: usize, seed: u64) -> Rgb8 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let data = (0..width * height * 3)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 58) as usize + i / 7) as u8
        })
        .collect();
    Rgb8::new(width, height, data)
}

/// The bits of a face: `==` on floats would take 0 and -0 as equal.
fn bits(faces: &[Face]) -> Vec<u64> {
    let numbers = |f: &Face| {
        let mut all = f.bounds.to_vec();
        all.push(f.score);
        all.extend(f.landmarks.as_flattened());
        all
    };
    faces.iter().flat_map(numbers).map(f64::to_bits).collect()
}

/// Photographs of people of several sizes, and some with nothing in them.
fn photographs() -> Option<Vec<Rgb8>> {
    let mut photos: Vec<Rgb8> = files::photographs(6, 7)?.iter().map(|path| image::decode(path).unwrap()).collect();
    let first = &photos[0];
    let (w, h) = (first.width(), first.height());
    let small = image::resize_area_u8(first, w * 2 / 3, h / 2);
    let cut = image::crop(first, w / 8, 0, w - w / 9, h);
    photos.extend([small, cut, noise(61, 47, 1), noise(5, 300, 2), Rgb8::black(1, 1)]);
    // Large photographs would make this a test of patience.
    let bounded = |photo: Rgb8| match photo.width().max(photo.height()) {
        longest if longest > 400 => image::resize_area_u8(
            &photo,
            (photo.width() * 400 / longest).max(1),
            (photo.height() * 400 / longest).max(1),
        ),
        _ => photo,
    };
    Some(photos.into_iter().map(bounded).collect())
}

#[test]
fn detection() {
    let (Some(weights), Some(photos)) = (common::weights(&files::MTCNN), photographs()) else { return };
    let options = DetectOptions::default();
    devices::each(|device| {
        let detector = Detector::load(device, &weights, &options).unwrap();
        let detect = |order: &[usize]| -> Vec<Vec<u64>> {
            let batch: Vec<&Rgb8> = order.iter().map(|&i| &photos[i]).collect();
            detector.detect(&batch).unwrap().iter().map(|faces| bits(faces)).collect()
        };
        let alone: Vec<Vec<u64>> = (0..photos.len()).map(|i| detect(&[i]).remove(0)).collect();
        assert!(alone.iter().any(|faces| !faces.is_empty()), "no face in any photograph: nothing is tested");
        let n = photos.len();
        let shuffled: Vec<usize> = (0..n).map(|i| (i * 4 + 3) % n).collect();
        let orders = [(0..n).collect(), (0..n).rev().collect(), shuffled, vec![0, 0, n - 1, 0], vec![]];
        for order in orders {
            let expected: Vec<_> = order.iter().map(|&i: &usize| alone[i].clone()).collect();
            assert_eq!(detect(&order), expected, "{}: {order:?}", device.info().kind);
        }
        if device.info().kind == "cpu" {
            for threads in [1, 3] {
                let detector = Detector::load(&Device::cpu(threads).unwrap(), &weights, &options).unwrap();
                let batch: Vec<&Rgb8> = photos.iter().collect();
                let got: Vec<_> = detector.detect(&batch).unwrap().iter().map(|faces| bits(faces)).collect();
                assert_eq!(got, alone, "{threads} threads");
            }
        }
    });
}

#[test]
fn embeddings() {
    let Some(weights) = common::weights(&["graph_final.pb"]) else { return };
    let file = weights.join("graph_final.pb");
    // One more than a batch holds, so that a batch is full and another is not.
    let crops: Vec<Rgb8> = (0..17).map(|i| noise(160, 160, i)).collect();
    devices::each(|device| {
        let embedder = Embedder::load(device, &file, Standardize::Fixed).unwrap();
        let embed = |embedder: &Embedder, order: &[usize]| -> Vec<Vec<u32>> {
            let batch: Vec<&Rgb8> = order.iter().map(|&i| &crops[i]).collect();
            let rows = embedder.embed(&batch).unwrap();
            rows.rows().map(|row| row.iter().map(|x| x.to_bits()).collect()).collect()
        };
        let all: Vec<usize> = (0..crops.len()).collect();
        let together = embed(&embedder, &all);
        assert_eq!(together.len(), crops.len());
        assert_ne!(together[0], together[1], "different crops have one embedding: nothing is tested");
        for order in [vec![0], vec![16], vec![5, 16, 2], vec![3, 3], vec![]] {
            let expected: Vec<_> = order.iter().map(|&i: &usize| together[i].clone()).collect();
            assert_eq!(embed(&embedder, &order), expected, "{}: {order:?}", device.info().kind);
        }
        if device.info().is_software() {
            return;
        }
        let backwards: Vec<usize> = all.iter().rev().copied().collect();
        let expected: Vec<_> = together.iter().rev().cloned().collect();
        assert_eq!(embed(&embedder, &backwards), expected, "{}: reversed", device.info().kind);
        if device.info().kind == "cpu" {
            for threads in [1, 3] {
                let embedder = Embedder::load(&Device::cpu(threads).unwrap(), &file, Standardize::Fixed).unwrap();
                assert_eq!(embed(&embedder, &all[10..]), together[10..], "{threads} threads");
            }
        }
    });
}
