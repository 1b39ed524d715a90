//! Every layer of P-, R- and O-Net, on every device, against the dumps of `tools/golden/mtcnn.py`.

mod common;

use std::sync::Arc;

use warpface::graph::Source;
use warpface::models::Mtcnn;
use warpface::{Graph, Tensor};

use common::Tolerance;
use common::close::Report;
use common::npz::{self, Arrays};
use common::{devices, files};

/// Six layers of sums in f32.
const F32: Tolerance = Tolerance::new(1e-5, 1e-5);
/// The dumps are rounded to f32; the weights are the same.
const F64: Tolerance = Tolerance::new(1e-7, 1e-6);
/// Of a large layer the dump holds every seventh value.
const STEP: usize = 7;

fn names(graph: &Graph) -> Vec<&str> {
    let ops = graph.nodes().iter().filter(|node| matches!(node.source, Source::Op(..)));
    ops.map(|node| node.name.as_str()).collect()
}

fn compare_layer<T: Copy + Into<f64>>(
    report: &mut Report,
    arrays: &Arrays,
    name: &str,
    who: &str,
    got: &[T],
    tolerance: Tolerance,
) {
    let what = format!("{who}, {name}");
    match arrays.get(name) {
        Some(expected) => report.compare(&what, got, &expected.f32(), tolerance),
        None => {
            let sample: Vec<T> = got.iter().copied().step_by(STEP).collect();
            let expected = arrays.get(&format!("{name}.sample")).unwrap_or_else(|| panic!("no dump of {name}"));
            report.compare(&what, &sample, &expected.f32(), tolerance);
        }
    }
}

fn compare(file: &str, pick: fn(&Mtcnn) -> &Arc<Graph>) {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let networks = Mtcnn::load(&weights, false).unwrap();
    let graph = pick(&networks).with_all_outputs();
    let arrays = npz::load(&files::golden(&format!("mtcnn/{file}.npz")));
    let names = names(&graph);
    assert_eq!(names.len(), arrays.len() - 1, "every layer has a dump, every dump a layer");
    let input = arrays["input"].tensor();
    let mut report = Report::default();

    let results = graph.reference(std::slice::from_ref(&input)).unwrap();
    for (name, y) in names.iter().zip(&results) {
        compare_layer(&mut report, &arrays, name, "reference f32", y.data(), F32);
        if let Some(expected) = arrays.get(*name) {
            assert_eq!(y.dims(), expected.shape, "{name}");
        }
    }
    let wide = Tensor::new(input.shape().clone(), input.data().iter().map(|&x| f64::from(x)).collect());
    for (name, y) in names.iter().zip(graph.reference(&[wide]).unwrap()) {
        compare_layer(&mut report, &arrays, name, "reference f64", y.data(), F64);
    }
    devices::each_and_simulated(|device| {
        let module = device.backend().load(Arc::new(graph.clone())).unwrap();
        let results = module.plan(&[input.shape().clone()]).unwrap().run(&[input.data()]).unwrap();
        for (name, y) in names.iter().zip(&results) {
            compare_layer(&mut report, &arrays, name, device.info().kind, y, F32);
        }
    });
    report.finish();
}

#[test]
fn pnet() {
    compare("pnet", |networks| &networks.pnet);
}

#[test]
fn rnet() {
    compare("rnet", |networks| &networks.rnet);
}

#[test]
fn onet() {
    compare("onet", |networks| &networks.onet);
}
