//! Every op on every backend against the reference, at ordinary, odd, tail and size-1 shapes: one file for each op.
//!
//! `backend_test!` makes a test of each backend from an op's cases. A missing device skips loudly.

#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{Tolerance, assert_close};
use warpface::ops::Op;
use warpface::{DeviceKind, Graph, Shape, Tensor};

/// One op on one set of inputs.
struct Case {
    name: String,
    op: Op,
    inputs: Vec<Tensor>,
    /// Which inputs a network would hold as constants.
    constants: std::ops::Range<usize>,
}

impl Case {
    /// A case whose inputs are all computed.
    fn new(name: impl Into<String>, op: impl Into<Op>, inputs: Vec<Tensor>) -> Case {
        Case { name: name.into(), op: op.into(), inputs, constants: 0..0 }
    }

    /// The case with these inputs as constants.
    fn constants(self, constants: std::ops::Range<usize>) -> Case {
        Case { constants, ..self }
    }

    /// The graph of the op alone, and what to feed it; constants are fed as well if `all_fed`.
    fn graph(&self, all_fed: bool) -> (Graph, Vec<Tensor>) {
        let (mut graph, mut fed) = (Graph::new(), Vec::new());
        let mut ids = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let name = format!("input {i}");
            if self.constants.contains(&i) && !all_fed {
                ids.push(graph.param(&name, input.clone()));
            } else {
                fed.push(input.clone());
                ids.push(graph.input(&name));
            }
        }
        let y = graph.op(&self.name, self.op.clone(), &ids);
        graph.output(y);
        (graph, fed)
    }
}

/// How far a backend may be from the f32 reference, op by op. Sums of hundreds of products differ by their order;
/// resizes of bytes, choices and movements of data must be equal.
fn tolerance(op: &Op) -> Tolerance {
    let (atol, rtol) = match op {
        Op::Conv2d(_) | Op::LocalConv2d(_) | Op::Dense(_) => (2e-5, 2e-5),
        Op::BatchNorm(_) | Op::Softmax(_) | Op::L2Normalize(_) => (1e-6, 4e-6),
        // The reference itself sums an image from its first pixel to its last.
        Op::Standardize(_) => (1e-4, 1e-4),
        Op::PairwiseDistance(_) => (1e-5, 1e-5),
        Op::TripletLoss(_) => (1e-5, 1e-5),
        Op::AvgPool2d(_) => (1e-6, 1e-6),
        Op::PRelu(_) | Op::ScaledAdd(_) => (1e-7, 1e-6),
        Op::BoxRegression(_) | Op::Rerec(_) => (1e-4, 1e-6),
        Op::ResizeArea(resize) if !resize.bytes => (1e-4, 1e-6),
        _ => (0.0, 0.0),
    };
    Tolerance { atol, rtol }
}

/// Runs every case on a device, constants given and constants fed, and compares with the reference.
fn check(kind: DeviceKind, cases: Vec<Case>) {
    let Some(device) = common::device(kind) else { return };
    assert!(!cases.is_empty());
    for case in cases {
        for all_fed in [false, true] {
            if all_fed && case.constants.is_empty() {
                continue;
            }
            let (graph, fed) = case.graph(all_fed);
            let expected = graph.reference(&fed).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let shapes: Vec<Shape> = fed.iter().map(|x| x.shape().clone()).collect();
            let inputs: Vec<&[f32]> = fed.iter().map(|x| x.data()).collect();
            let run = || {
                let executable = device.backend().load(Arc::new(graph.clone()))?.plan(&shapes)?;
                Ok::<_, warpface::Error>([executable.run(&inputs)?, executable.run(&inputs)?])
            };
            let [first, again] = run().unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let what = format!("{} {} {}", device.info().kind, case.op.stem(), case.name);
            assert_close(&what, &first[0], expected[0].data(), tolerance(&case.op));
            let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&first[0]), bits(&again[0]), "{what}: a second run differs");
        }
    }
}

/// A test of each backend from a function that lists an op's cases.
macro_rules! backend_test {
    ($cases:ident) => {
        #[test]
        fn cpu() {
            crate::check(warpface::DeviceKind::Cpu, $cases());
        }

        #[test]
        fn wgpu() {
            crate::check(warpface::DeviceKind::Wgpu, $cases());
        }
    };
}

mod avg_pool2d;
mod batch_norm;
mod box_pad;
mod box_regression;
mod concat;
mod conv2d;
mod crop;
mod dense;
mod flatten;
mod l2_normalize;
mod local_conv2d;
mod max_pool2d;
mod nms;
mod pairwise_distance;
mod prelu;
mod relu;
mod rerec;
mod resize_area;
mod resize_bilinear;
mod scaled_add;
mod softmax;
mod standardize;
mod triplet_loss;
