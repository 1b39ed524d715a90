//! What a plan stores in bf16, and which ops take it as it is: those that the time goes to, and those that move values.
//! Every other op runs in f32 on values that are widened before and rounded after.

use crate::Precision;
use crate::graph::{Region, View};
use crate::ops::Op;

/// Whether a view's values are stored in bf16.
pub(super) fn is_narrow(precision: Precision, view: &View) -> bool {
    precision == Precision::Bf16 && view.region == Region::Arena && !view.keep_f32
}

/// Bytes of a view's values.
pub(super) fn bytes(precision: Precision, view: &View) -> usize {
    if is_narrow(precision, view) { 2 } else { 4 }
}

/// Whether an op multiplies in bf16: `constant` and `narrow` tell an input's values that are known when a graph is loaded,
/// and those stored in bf16, as the output's are.
pub(super) fn multiplies(op: &Op, constant: impl Fn(usize) -> bool, narrow: impl Fn(usize) -> bool) -> bool {
    match op {
        Op::Conv2d(op) => constant(1) && narrow(0) && op.optional_inputs()[2].is_none_or(narrow),
        Op::Dense(_) => constant(1) && narrow(0),
        _ => false,
    }
}

/// Whether an op moves or reduces values in whichever type its output is stored.
pub(super) fn takes_any(op: &Op) -> bool {
    let pools = matches!(op, Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::L2Pool2d(_));
    let moves = matches!(op, Op::Flatten(_) | Op::Cast(_) | Op::Part(_) | Op::Slice(_) | Op::Pad2d(_));
    pools || moves || matches!(op, Op::Concat(_) | Op::Join(_))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::backend::Executable;
    use crate::backend::cpu::{Cpu, Isa};
    use crate::ops::{Activation, AvgPool2d, Concat, Conv2d, L2Normalize, MaxPool2d, Padding, Relu};
    use crate::{Graph, Precision, Tensor};

    /// Values whose products and sums round.
    fn values(dims: &[usize], seed: usize) -> Tensor {
        let of = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
        Tensor::new(dims, (0..dims.iter().product()).map(of).collect())
    }

    /// Odd numbers of channels, padding, a residual, parts made in place and copied, and ops with no kernel for bf16.
    fn graph() -> Graph {
        let mut graph = Graph::new();
        let x = graph.input("x");
        let w = graph.param("w1", values(&[35, 3, 3, 3], 1));
        let b = graph.param("b1", values(&[35], 2));
        let conv = Conv2d::new(Padding::Same).stride([2, 2]).activation(Activation::Relu);
        let first = graph.op("first", conv, &[x, w, b]);
        let w = graph.param("w2", values(&[35, 1, 3, 35], 3));
        let alpha = graph.param("alpha", values(&[35], 4));
        let conv = Conv2d::new(Padding::Same).activation(Activation::PRelu).residual(0.25);
        let second = graph.op("second", conv, &[first, w, b, alpha, first]);
        let relu = graph.op("relu", Relu, &[second]);
        let constant = graph.param("constant", values(&[2, 4, 5, 3], 5));
        let joined = graph.op("joined", Concat, &[second, relu, constant]);
        let pool = MaxPool2d { kernel: [3, 3], stride: [1, 1], padding: Padding::Same };
        let pooled = graph.op("pooled", pool, &[joined]);
        let w = graph.param("w3", values(&[20, 2, 2, 73], 6));
        let third = graph.op("third", Conv2d { bias: false, ..Conv2d::new(Padding::Valid) }, &[pooled, w]);
        let mean = AvgPool2d { kernel: Some([3, 4]), stride: [1, 1], padding: Padding::Valid };
        let mean = graph.op("mean", mean, &[third]);
        let flat = graph.op("flat", crate::ops::Flatten, &[mean]);
        let y = graph.op("y", L2Normalize { epsilon: 1e-10 }, &[flat]);
        graph.output(second);
        graph.output(y);
        graph
    }

    fn run(isa: Isa, threads: usize, parallel: bool) -> Vec<Vec<f32>> {
        let x = values(&[2, 8, 10, 3], 9);
        let module = Cpu::with_isa(threads, isa).unwrap().module_in(Arc::new(graph()), Precision::Bf16).unwrap();
        module.executable(&[x.shape().clone()], parallel).unwrap().run(&[x.data()]).unwrap()
    }

    #[test]
    fn the_reference_tile_is_near_f32_and_the_instruction_s_is_equal_to_it() {
        let exact = graph().reference(&[values(&[2, 8, 10, 3], 9)]).unwrap();
        let reference = run(Isa::Portable, 1, false);
        for (got, exact) in reference.iter().zip(&exact) {
            let most = exact.data().iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let apart = got.iter().zip(exact.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart > 0.0 && apart < 0.03 * most, "{apart} of {most}");
        }
        if !Isa::Avx512Bf16.is_available() {
            return eprintln!("SKIPPED: this machine has no AVX512-BF16");
        }
        let bits = |y: Vec<Vec<f32>>| y.concat().into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        let reference = bits(reference);
        for (threads, parallel) in [(1, false), (1, true), (3, true)] {
            assert_eq!(bits(run(Isa::Avx512Bf16, threads, parallel)), reference, "{threads} threads, {parallel}");
        }
    }
}
