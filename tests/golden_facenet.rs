//! Every block of Inception-ResNet-v1, on every device, against the fingerprints of `tools/golden/facenet.py`.

mod common;

use std::sync::Arc;

#[cfg(feature = "cuda")]
use warpface::Precision;
use warpface::graph::Source;
use warpface::models::embedding_network;
use warpface::{Graph, Tensor, weights};

use common::Tolerance;
use common::close::Report;
use common::npz::{self, Arrays};
use common::{devices, files};

/// Of a block's largest magnitude.
const RELATIVE: f32 = 2e-5;

/// Mean, mean of magnitudes, largest magnitude, and 64 samples.
fn fingerprint<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    let at = |i: u64| values[(i * 2_654_435_761 % values.len() as u64) as usize].into();
    let wide = || values.iter().map(|&x| x.into());
    let n = values.len() as f64;
    let mean = wide().sum::<f64>() / n;
    let magnitude = wide().map(f64::abs).sum::<f64>() / n;
    let largest = wide().map(f64::abs).fold(0.0, f64::max);
    [mean, magnitude, largest].into_iter().chain((1..=64).map(at)).collect()
}

fn compare_blocks<'a, T: Copy + Into<f64> + 'a>(
    report: &mut Report,
    arrays: &Arrays,
    graph: &Graph,
    who: &str,
    results: impl Iterator<Item = &'a [T]>,
) {
    let ops = graph.nodes().iter().filter(|node| matches!(node.source, Source::Op(..)));
    let mut found = 0;
    for (node, values) in ops.zip(results) {
        let Some(expected) = arrays.get(&node.name) else { continue };
        found += 1;
        let expected = expected.f32();
        let tolerance = Tolerance::new(RELATIVE * expected[2], 0.0);
        report.compare(&format!("{who}, {}", node.name), &fingerprint(values), &expected, tolerance);
    }
    assert_eq!(found, arrays.len() - 1, "every fingerprint has its node");
}

fn compare(file: &str, dump: &str, double: bool) {
    let Some(folder) = common::weights(&[file]) else { return };
    let loaded = weights::embedding_network(&weights::load(folder.join(file)).unwrap()).unwrap();
    let graph = embedding_network(&loaded).unwrap().with_all_outputs();
    let arrays = npz::load(&files::golden(&format!("facenet/{dump}.npz")));
    let pixels: Vec<f32> = arrays["input"].u8().iter().map(|&x| (f32::from(x) - 127.5) / 128.0).collect();
    let mut report = Report::default();
    if double {
        let wide = Tensor::new([1, 160, 160, 3], pixels.iter().map(|&x| f64::from(x)).collect());
        let results = graph.reference(&[wide]).unwrap();
        compare_blocks(&mut report, &arrays, &graph, "reference f64", results.iter().map(Tensor::data));
    } else {
        let results = graph.reference(&[Tensor::new([1, 160, 160, 3], pixels.clone())]).unwrap();
        compare_blocks(&mut report, &arrays, &graph, "reference f32", results.iter().map(Tensor::data));
    }
    devices::each(|device| {
        let module = device.backend().load(Arc::new(graph.clone())).unwrap();
        let results = module.plan(&[[1, 160, 160, 3].into()]).unwrap().run(&[&pixels]).unwrap();
        compare_blocks(&mut report, &arrays, &graph, device.info().kind, results.iter().map(Vec::as_slice));
    });
    report.finish();
}

/// On a simulated GPU, in a precision: the embedding's cosine to the CPU's in f32.
#[cfg(feature = "cuda")]
fn simulate(capability: (u32, u32), precision: Precision, least: f64) {
    let Some(folder) = common::weights(&["graph_final.pb"]) else { return };
    let loaded = weights::embedding_network(&weights::load(folder.join("graph_final.pb")).unwrap()).unwrap();
    let arrays = npz::load(&files::golden("facenet/graph_final.npz"));
    let pixels: Vec<f32> = arrays["input"].u8().iter().map(|&x| (f32::from(x) - 127.5) / 128.0).collect();
    let graph = Arc::new(embedding_network(&loaded).unwrap());
    let shape = [[1, 160, 160, 3].into()];
    let embedding = |device: &warpface::Device, precision| {
        let module = device.backend().load_in(graph.clone(), precision).unwrap();
        module.plan(&shape).unwrap().run(&[&pixels]).unwrap().remove(0)
    };
    let expected = embedding(&warpface::Device::cpu(0).unwrap(), Precision::F32);
    let start = std::time::Instant::now();
    let got = embedding(&common::simulated::device(capability), precision);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = dot(&got, &expected) / (dot(&got, &got) * dot(&expected, &expected)).sqrt();
    eprintln!("{capability:?} {precision}: 1 - cosine = {:.2e}, {:.1?}", 1.0 - cosine, start.elapsed());
    assert!(cosine >= least, "{capability:?} {precision}: {cosine}");
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "minutes: the whole network in the simulator"]
fn simulated_f32() {
    simulate((7, 5), Precision::F32, 0.999_999_9);
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "minutes: the whole network in the simulator"]
fn simulated_f16() {
    simulate((8, 0), Precision::F16, 0.999_5);
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "minutes: the whole network in the simulator"]
fn simulated_hopper() {
    simulate((9, 0), Precision::F16, 0.999_5);
    simulate((9, 0), Precision::Bf16, 0.999_5);
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "minutes: the whole network in the simulator"]
fn simulated_tf32() {
    simulate((8, 0), Precision::Tf32, 0.999_99);
}

#[test]
fn graph_final() {
    compare("graph_final.pb", "graph_final", false);
}

#[test]
fn facenet_keras() {
    compare("facenet_keras.h5", "facenet_keras", true);
}
