//! Every op on every backend against the reference, at ordinary, odd, tail and size-1 shapes: one file for each op.
//!
//! `backend_test!` makes a test of each backend from an op's cases. A missing device skips loudly.

#[path = "../common/mod.rs"]
mod common;
// Here, so that one executable is all that a short visit to a card needs.
#[path = "../seeded/mod.rs"]
mod seeded;

use std::sync::Arc;

use common::{Tolerance, assert_close};
use warpface::ops::{Cast, Metric, Op, Port};
use warpface::{Device, DeviceKind, Graph, Precision, Shape, Tensor};

/// One op on one set of inputs.
struct Case {
    name: String,
    op: Op,
    inputs: Vec<Tensor>,
    /// Which inputs a network would hold as constants.
    constants: std::ops::Range<usize>,
}

/// What is fed with each run; the rest are constants.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Feeding {
    /// What is no constant of the case.
    Values,
    /// Weights too, in f32, as training keeps them.
    Weights,
    /// Everything.
    All,
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

    /// The graph of the op alone, and what to feed it.
    fn graph(&self, feeding: Feeding) -> (Graph, Vec<Tensor>) {
        let (mut graph, mut fed) = (Graph::new(), Vec::new());
        let mut ids = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let name = format!("input {i}");
            let is_weight = self.op.port(i) == Port::Any;
            let is_given = match feeding {
                Feeding::Values => !self.constants.contains(&i),
                Feeding::Weights => is_weight || !self.constants.contains(&i),
                Feeding::All => true,
            };
            if !is_given {
                ids.push(graph.param(&name, input.clone()));
                continue;
            }
            fed.push(input.clone());
            let id = graph.input(&name);
            let is_cast = is_weight && feeding == Feeding::Weights;
            ids.push(if is_cast { graph.op("exact", Cast { exact: true }, &[id]) } else { id });
        }
        let y = graph.op(&self.name, self.op.clone(), &ids);
        graph.output(y);
        (graph, fed)
    }
}

/// How far a backend may be from the f32 reference, op by op. Sums of hundreds of products differ by their order;
/// resizes of bytes, choices and movements of data must be equal. In other precisions the inputs are rounded first, for
/// both: what is left is the rounding of the result, twice for safety.
fn tolerance(op: &Op, precision: Precision) -> Tolerance {
    let (atol, rtol) = match op {
        Op::Conv2d(_) | Op::LocalConv2d(_) | Op::Dense(_) => (2e-5, 2e-5),
        Op::Conv2dBwdData(_) | Op::LocalConv2dBwdData(_) | Op::DenseBwdData(_) => (2e-5, 2e-5),
        Op::Conv2dBwdFilter(_) | Op::LocalConv2dBwdFilter(_) | Op::DenseBwdFilter(_) => (2e-5, 2e-5),
        Op::ChannelSum(_) | Op::LocalConv2dBwdBias(_) | Op::PReluBwdAlpha(_) | Op::BatchNormBwdSums(_) => (2e-5, 2e-5),
        Op::BatchNormTrain(_) | Op::BatchNormBwdData(_) => (1e-5, 1e-5),
        // The reference itself sums from the first row to the last.
        Op::BatchMoments(_) => (1e-5, 2e-5),
        Op::AvgPool2dBwd(_) | Op::MaxPool2dBwd(_) | Op::PReluBwdData(_) | Op::Scale(_) => (1e-6, 1e-6),
        Op::BatchNorm(_) | Op::Softmax(_) | Op::L2Normalize(_) => (1e-6, 4e-6),
        // The reference itself sums an image from its first pixel to its last.
        Op::Standardize(_) => (1e-4, 1e-4),
        // Near a similarity of 1 the arc cosine makes 1.6e-4 of its last bit.
        Op::PairwiseDistance(op) if op.metric == Metric::Cosine => (2e-4, 1e-5),
        Op::PairwiseDistance(_) => (1e-5, 1e-5),
        Op::TripletLoss(_) | Op::TripletLossBwd(_) => (1e-5, 1e-5),
        Op::L2NormalizeBwd(_) | Op::SoftmaxBwd(_) | Op::SoftmaxCrossEntropy(_) | Op::SoftmaxCrossEntropyBwd(_) => {
            (1e-6, 4e-6)
        }
        Op::CenterLoss(_) | Op::CenterLossBwd(_) | Op::CenterUpdate(_) => (1e-6, 4e-6),
        Op::GatherRowsBwd(_) | Op::MovingAverage(_) => (1e-6, 1e-6),
        Op::Mean(_) | Op::MeanBwd(_) | Op::L2Loss(_) | Op::L2LossBwd(_) => (1e-6, 4e-6),
        Op::NormLoss(_) | Op::NormLossBwd(_) => (1e-6, 1e-5),
        Op::Optimizer(_) => (1e-6, 4e-6),
        // A division; what is dropped is equal, for the values kept are 1 at least.
        Op::Dropout(_) => (1e-7, 1e-6),
        // Numbers up to some thousands must be equal.
        Op::NearestOther(_) => (1e-6, 1e-6),
        Op::AvgPool2d(_) => (1e-6, 1e-6),
        Op::PRelu(_) | Op::ScaledAdd(_) => (1e-7, 1e-6),
        Op::BoxRegression(_) | Op::Rerec(_) => (1e-4, 1e-6),
        Op::ResizeArea(resize) if !resize.bytes => (1e-4, 1e-6),
        _ => (0.0, 0.0),
    };
    let rounding = match precision {
        Precision::F32 | Precision::Tf32 => 0.0,
        Precision::F16 => 1.0 / 1024.0,
        Precision::Bf16 => 1.0 / 128.0,
    };
    // The smallest f16 above zero is 2^-24.
    Tolerance { atol: atol + rounding * 1e-4, rtol: rtol + rounding }
}

/// A value as a precision stores or multiplies it.
fn rounded(x: f32, precision: Precision) -> f32 {
    match precision {
        Precision::F32 => x,
        Precision::Tf32 => f32::from_bits((x.to_bits() + 0x1000) & !0x1fff),
        Precision::F16 => half::f16::from_f32(x).to_f32(),
        Precision::Bf16 => half::bf16::from_f32(x).to_f32(),
    }
}

/// Whether an op is one of pixels, boxes or losses, which are always f32.
fn is_f32_alone(op: &Op) -> bool {
    matches!(
        op,
        Op::ResizeArea(_) | Op::ResizeBilinear(_) | Op::BoxRegression(_) | Op::Rerec(_) | Op::BoxPad(_) | Op::Nms(_)
    )
}

/// Runs every case on a device, constants given and, in f32, constants fed, and compares with the reference.
fn check(device: Option<Device>, precision: Precision, cases: Vec<Case>) {
    let Some(device) = device else { return };
    assert!(!cases.is_empty());
    for mut case in cases {
        for input in &mut case.inputs {
            let values = input.data().iter().map(|&x| rounded(x, precision)).collect();
            *input = Tensor::new(input.shape().clone(), values);
        }
        let has_weights = case.constants.clone().any(|i| case.op.port(i) == Port::Any);
        for feeding in [Feeding::Values, Feeding::Weights, Feeding::All] {
            let is_of_case = match feeding {
                Feeding::Values => true,
                Feeding::Weights => has_weights,
                Feeding::All => !case.constants.is_empty() && precision == Precision::F32,
            };
            if !is_of_case {
                continue;
            }
            let (graph, fed) = case.graph(feeding);
            let expected = graph.reference(&fed).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let shapes: Vec<Shape> = fed.iter().map(|x| x.shape().clone()).collect();
            let inputs: Vec<&[f32]> = fed.iter().map(|x| x.data()).collect();
            let run = || {
                let executable = device.backend().load_in(Arc::new(graph.clone()), precision)?.plan(&shapes)?;
                Ok::<_, warpface::Error>([executable.run(&inputs)?, executable.run(&inputs)?])
            };
            let what = format!("{} {precision} {feeding:?} {} {}", device.info().name, case.op.stem(), case.name);
            let stored_in_f32 = matches!(precision, Precision::F32 | Precision::Tf32);
            if is_f32_alone(&case.op) && !stored_in_f32 {
                let error = run().expect_err("there is no such kernel").to_string();
                assert!(error.contains("no kernel"), "{what}: {error}");
                continue;
            }
            let [first, again] = run().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_close(&what, &first[0], expected[0].data(), tolerance(&case.op, precision));
            let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&first[0]), bits(&again[0]), "{what}: a second run differs");
        }
    }
}

/// In every precision that the GPU at hand has.
fn check_cuda(cases: fn() -> Vec<Case>) {
    let Some(device) = common::device(DeviceKind::Cuda) else { return };
    for precision in common::precisions(&device) {
        check(Some(device.clone()), precision, cases());
    }
}

/// A test of each backend from a function that lists an op's cases. Ops that multiply matrices are simulated on each
/// generation of the units that do so.
macro_rules! backend_test {
    ($cases:ident) => {
        #[test]
        fn cpu() {
            crate::check(crate::common::device(warpface::DeviceKind::Cpu), warpface::Precision::F32, $cases());
        }

        #[test]
        fn wgpu() {
            crate::check(crate::common::device(warpface::DeviceKind::Wgpu), warpface::Precision::F32, $cases());
        }

        #[test]
        fn cuda() {
            crate::check_cuda($cases);
        }

        crate::simulated_test! { $cases: ptxsim_f32 (7, 5) F32, ptxsim_f16 (8, 0) F16, ptxsim_bf16 (8, 0) Bf16 }
    };
    ($cases:ident, matrix_units) => {
        backend_test!($cases);
        crate::simulated_test! {
            $cases: ptxsim_turing_f16 (7, 5) F16, ptxsim_tf32 (8, 0) Tf32, ptxsim_hopper_f16 (9, 0) F16,
            ptxsim_hopper_bf16 (9, 0) Bf16
        }
    };
}

macro_rules! simulated_test {
    ($cases:ident: $($name:ident $capability:tt $precision:ident),+) => {
        $(#[test]
        fn $name() {
            let device = crate::common::simulated::device($capability);
            crate::check(Some(device), warpface::Precision::$precision, $cases());
        })+
    };
}
use simulated_test;

mod accuracy;
mod avg_pool2d;
mod avg_pool2d_bwd;
mod batch_moments;
mod batch_norm;
mod batch_norm_bwd_data;
mod batch_norm_bwd_sums;
mod batch_norm_train;
mod box_pad;
mod box_regression;
mod cast;
mod center_loss;
mod center_loss_bwd;
mod center_update;
mod channel_sum;
mod concat;
mod conv2d;
mod conv2d_bwd_data;
mod conv2d_bwd_filter;
mod crop;
mod dense;
mod dense_bwd_data;
mod dense_bwd_filter;
mod dropout;
mod flatten;
mod gather_rows;
mod gather_rows_bwd;
mod is_finite;
mod join;
mod l2_loss;
mod l2_loss_bwd;
mod l2_normalize;
mod l2_normalize_bwd;
mod local_conv2d;
mod local_conv2d_bwd_bias;
mod local_conv2d_bwd_data;
mod local_conv2d_bwd_filter;
mod max_pool2d;
mod max_pool2d_bwd;
mod mean;
mod mean_bwd;
mod mine_triplets;
mod moving_average;
mod nearest_other;
mod nms;
mod norm_loss;
mod norm_loss_bwd;
mod optimizer;
mod pairwise_distance;
mod part;
mod prelu;
mod prelu_bwd_alpha;
mod prelu_bwd_data;
mod relu;
mod relu_bwd;
mod rerec;
mod resize_area;
mod resize_bilinear;
mod scale;
mod scaled_add;
mod slice;
mod softmax;
mod softmax_bwd;
mod softmax_cross_entropy;
mod softmax_cross_entropy_bwd;
mod standardize;
mod triplet_loss;
mod triplet_loss_bwd;
