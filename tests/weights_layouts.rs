//! Networks as their publishers lay them out, and as exporters make graphs of them: every file gives the same weights.
//! `tools/golden/mtcnn_formats.py` made the files of R-Net.

mod common;

use warpface::Tensor;
use warpface::weights::{self, ConvWeights, DenseWeights, RNet};

use common::files;

/// The tensor of this number: see `tools/golden/mtcnn_formats.py`.
fn tensor(number: usize, dims: &[usize]) -> Tensor {
    let value = |i: usize| (((i * 7 + 31 * number) % 251) as f32 - 125.0) / 64.0;
    Tensor::new(dims, (0..dims.iter().product()).map(value).collect())
}

fn expected() -> RNet {
    let mut number = 0;
    let mut next = |dims: &[usize]| {
        number += 1;
        tensor(number - 1, dims)
    };
    let mut conv =
        |dims: [usize; 4]| ConvWeights { w: next(&dims), b: next(&dims[..1]), alpha: Some(next(&dims[..1])) };
    let convs = [[28, 3, 3, 3], [48, 3, 3, 28], [64, 2, 2, 48]].map(&mut conv);
    let mut dense = |n: usize, k: usize, slope: bool| DenseWeights {
        w: next(&[n, k]),
        b: next(&[n]),
        alpha: slope.then(|| next(&[n])),
    };
    let [conv4, conv5_1, conv5_2] = [dense(128, 576, true), dense(2, 128, false), dense(4, 128, false)];
    let [conv1, conv2, conv3] = convs;
    RNet { conv1, conv2, conv3, conv4, conv5_1, conv5_2 }
}

#[test]
fn every_layout_gives_the_same_network() {
    for file in [
        "mtcnn_weights.npy",
        "rnet.lz4",
        "rnet.joblib",
        "rnet.caffemodel",
        "facenet_pytorch.pt",
        "facenet_pytorch.onnx",
        "features.npy",
        "features.onnx",
        "rnet_f16.tflite",
    ] {
        let map = weights::load(files::golden("weights/mtcnn").join(file)).unwrap();
        let found = weights::rnet(&map).unwrap();
        assert!(found == expected(), "{file}: a {} has other weights", map.format);
    }
}

#[test]
fn other_networks_and_kinds_are_refused_by_name() {
    let load = |file: &str| weights::load(files::golden("weights/mtcnn").join(file));
    for file in ["rnet.lz4", "rnet.caffemodel", "facenet_pytorch.onnx", "features.npy"] {
        let map = load(file).unwrap();
        for error in [weights::pnet(&map).unwrap_err(), weights::onet(&map).unwrap_err()] {
            assert!(error.to_string().contains(file), "{error}");
        }
    }
    let graph = weights::embedding_network(&load("features.onnx").unwrap()).unwrap_err().to_string();
    assert!(graph.contains("3 convolutions"), "{graph}");
    let quantized = load("rnet_int8.tflite").unwrap_err().to_string();
    assert!(quantized.contains("quantized to integers") && quantized.contains("f32 or f16"), "{quantized}");
}

/// What is cut short is an error that names the file; nothing panics, wherever the cut is.
#[test]
fn every_cut_is_an_error() {
    for file in ["rnet.lz4", "rnet.joblib", "rnet.caffemodel", "facenet_pytorch.onnx", "rnet_f16.tflite"] {
        let bytes = std::fs::read(files::golden("weights/mtcnn").join(file)).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len() / 61) {
            let cut_short = weights::load_bytes(file, &bytes[..cut]).and_then(|map| weights::rnet(&map));
            let error = cut_short.err().unwrap_or_else(|| panic!("{file} cut to {cut} bytes is taken")).to_string();
            assert!(error.contains(file), "{error}");
        }
    }
    // Without the data beside it a model is not whole, and says what is missing.
    let alone = std::fs::read(files::golden("weights/mtcnn/features.onnx")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.onnx");
    std::fs::write(&path, alone).unwrap();
    let error = weights::load(&path).unwrap_err().to_string();
    assert!(error.contains("features.onnx.data"), "{error}");
}

/// Networks that are graphs are told by where their layers stand: `tools/golden/facenet_onnx.py` made the files of the
/// network that training's dumps have.
#[test]
fn graphs_give_the_network_that_they_were_made_of() {
    let load = |file: &str| weights::load(files::golden(file)).unwrap();
    let expected = weights::embedding_network(&load("training/weights.npz")).unwrap();
    for (file, tolerance) in [("folded.onnx", 1e-6), ("whole.onnx", 1e-3)] {
        let found = weights::embedding_network(&load(&format!("weights/facenet/{file}"))).unwrap();
        assert_eq!(found.layers.len(), expected.layers.len());
        let mut worst = 0.0f32;
        let mut compare = |a: &Tensor, b: &Tensor| {
            assert_eq!(a.shape(), b.shape(), "{file}");
            let scale = b.data().iter().fold(1e-3f32, |most, x| most.max(x.abs()));
            let off = a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs() / scale);
            worst = off.fold(worst, f32::max);
        };
        for (name, layer) in &expected.layers {
            compare(&found.layers[name].w, &layer.w);
            compare(&found.layers[name].b, &layer.b);
        }
        compare(&found.bottleneck.w, &expected.bottleneck.w);
        compare(&found.bottleneck.b, &expected.bottleneck.b);
        assert!(worst <= tolerance, "{file}: off by {worst:e} of the largest weight");
    }
}
