//! The CPU's forms of training ops against the reference, at sizes of several blocks and chunks, with tails, on every
//! instruction set at hand; the same bits for any number of threads.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use common::Noise;
use warpface::Precision;
use warpface::backend::cpu::{Cpu, Isa};
use warpface::backend::{Backend, Executable};
use warpface::ops::window::axes;
use warpface::ops::*;
use warpface::{Graph, Shape, Tensor};

fn map<A: Copy, B>(x: &Tensor<A>, f: impl Fn(A) -> B) -> Tensor<B> {
    Tensor::new(x.shape().clone(), x.data().iter().map(|&x| f(x)).collect())
}

/// Compares an op on its inputs with the reference in f64, and several threads with one.
fn check(op: impl Into<Op>, inputs: &[Tensor], tolerance: f32) {
    let op = op.into();
    let mut graph = Graph::new();
    let nodes: Vec<_> = (0..inputs.len()).map(|i| graph.input(&format!("x{i}"))).collect();
    let y = graph.op("y", op.clone(), &nodes);
    graph.output(y);
    let graph = Arc::new(graph);
    let exact: Vec<Tensor<f64>> = inputs.iter().map(|x| map(x, f64::from)).collect();
    let expected = op.reference(&exact.iter().collect::<Vec<_>>());
    let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape().clone()).collect();
    let data: Vec<&[f32]> = inputs.iter().map(|x| x.data()).collect();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let run = |threads: usize, parallel: bool| {
            let module = Cpu::with_isa(threads, isa).unwrap().module(graph.clone()).unwrap();
            module.executable(&shapes, parallel).unwrap().run(&data).unwrap().remove(0)
        };
        let alone = run(1, false);
        assert_eq!(alone.len(), expected.data().len());
        for (i, (&got, &exact)) in alone.iter().zip(expected.data()).enumerate() {
            let wrong = (f64::from(got) - exact).abs();
            assert!(
                wrong <= f64::from(tolerance) * (1.0 + exact.abs()),
                "{isa}, {op:?}, at {i}: {got}, expected {exact}"
            );
        }
        for threads in [2, 3] {
            assert_eq!(run(threads, true), alone, "{isa}, {op:?}: {threads} threads differ from one");
        }
    }
}

#[test]
fn gradients_of_convolutions() {
    for (case, &([n, h, w, c_in], [c_out, k_h, k_w], stride, padding)) in [
        // Several blocks, tails everywhere.
        ([2, 17, 19, 20], [49, 3, 3], [1, 1], Padding::Same),
        ([2, 17, 19, 20], [49, 3, 3], [2, 2], Padding::Valid),
        // Several chunks of pixels.
        ([3, 58, 61, 3], [21, 3, 3], [1, 1], Padding::Same),
        ([2, 133, 132, 3], [7, 3, 3], [2, 2], Padding::Valid),
        // Long thin filters; panels that end within a vector.
        ([4, 8, 8, 40], [33, 1, 7], [1, 1], Padding::Same),
        ([4, 8, 8, 37], [40, 7, 1], [1, 1], Padding::Same),
        // Phases without taps, and phases whose first window lies beyond the border.
        ([2, 9, 8, 5], [6, 1, 1], [2, 3], Padding::Valid),
        ([1, 11, 10, 6], [9, 5, 4], [3, 2], Padding::Same),
        ([1, 1, 2, 3], [4, 3, 3], [2, 2], Padding::Same),
    ]
    .iter()
    .enumerate()
    {
        let mut noise = Noise::new(case as u64);
        let [y, x] = axes([h, w], [k_h, k_w], stride, padding).unwrap();
        let dy = noise.signed(&[n, y.out, x.out, c_out]);
        let filters = noise.signed(&[c_out, k_h, k_w, c_in]);
        let x = noise.signed(&[n, h, w, c_in]);
        check(Conv2d { bias: false, ..Conv2d::new(padding).stride(stride) }, &[x.clone(), filters.clone()], 1e-4);
        check(Conv2dBwdData { stride, padding }, &[dy.clone(), filters.clone(), x.clone()], 1e-4);
        check(Conv2dBwdFilter { stride, padding }, &[x, dy, filters], 1e-3);
    }
}

#[test]
fn gradients_of_dense_layers() {
    for [n, k, c_out] in [[1, 1, 1], [7, 130, 61], [200, 35, 18]] {
        let mut noise = Noise::new(n as u64);
        let (x, dy, w) = (noise.signed(&[n, k]), noise.signed(&[n, c_out]), noise.signed(&[c_out, k]));
        check(DenseBwdData, &[dy.clone(), w.clone(), x.clone()], 1e-4);
        check(DenseBwdFilter, &[x, dy, w], 1e-4);
    }
}

#[test]
fn batch_norm_over_several_blocks() {
    for (rows, c) in [(1, 5), (9000, 7), (5000, 33), (700, 192), (72, 1792)] {
        let mut noise = Noise::new(c as u64);
        // Far from zero: what a one-pass variance would lose.
        let x = map(&noise.signed(&[rows, c]), |x| x + 100.0);
        let (beta, gamma, dy) = (noise.signed(&[c]), noise.signed(&[c]), noise.signed(&[rows, c]));
        let moments = map(&BatchMoments.reference(&[&map(&x, f64::from)]), |x| x as f32);
        check(BatchMoments, std::slice::from_ref(&x), 1e-4);
        check(ChannelSum, std::slice::from_ref(&dy), 1e-4);
        for (activation, scale) in [(Activation::Relu, false), (Activation::None, true)] {
            let op = BatchNormTrain { epsilon: 1e-3, activation, scale };
            let mut inputs = vec![x.clone(), moments.clone(), beta.clone()];
            if scale {
                inputs.push(gamma.clone());
            }
            check(op.clone(), &inputs, 1e-3);
            // A rectifier's kink is no place to compare at, and the middle ones of thousands lie close to it.
            if activation == Activation::None {
                let sums = noise.signed(&[2, c]);
                check(BatchNormBwdSums(op.clone()), &[&inputs[..], std::slice::from_ref(&dy)].concat(), 1e-2);
                check(BatchNormBwdData(op), &[&inputs[..], &[sums, dy.clone()]].concat(), 1e-3);
            }
        }
    }
}

#[test]
fn one_value_after_the_other() {
    let mut noise = Noise::new(3);
    let n = 40_001;
    let (a, b) = (noise.signed(&[n]), noise.signed(&[n]));
    check(Relu, std::slice::from_ref(&a), 0.0);
    check(ReluBwd, &[a.clone(), b.clone()], 0.0);
    check(Scale { factor: 0.3 }, std::slice::from_ref(&a), 1e-6);
    check(ScaledAdd { scale: 0.3 }, &[a.clone(), b.clone()], 1e-6);
    let average = MovingAverage { decay: 0.995 };
    check(average.clone(), &[a.clone(), b.clone(), Tensor::new([1], vec![1.0])], 1e-6);
    check(average, &[a.clone(), map(&b, |_| f32::NAN), Tensor::new([1], vec![0.0])], 0.0);
    check(L2Loss, std::slice::from_ref(&a), 1e-5);
    check(Mean, std::slice::from_ref(&a), 1e-5);
    let wide = noise.signed(&[700, 57]);
    let part = noise.signed(&[700, 23]);
    check(Concat, &[wide.clone(), part.clone()], 0.0);
    check(Slice, &[wide, part.clone(), part], 0.0);
    check(Join, &[a.clone(), b], 0.0);
    for bad in [None, Some(f32::NAN), Some(f32::NEG_INFINITY)] {
        let mut values = a.clone();
        if let Some(bad) = bad {
            values.data_mut()[n - 2] = bad;
        }
        check(IsFinite, &[values], 0.0);
    }
}

#[test]
fn gradients_of_pools() {
    let mut noise = Noise::new(8);
    for ([n, h, w, c], kernel, stride, padding) in [
        ([2, 17, 15, 70], [3, 3], [2, 2], Padding::Valid),
        ([1, 8, 9, 64], [3, 2], [1, 2], Padding::Same),
        ([3, 5, 5, 3], [1, 1], [2, 2], Padding::Valid),
    ] {
        // Few different values, so that maxima are often equal.
        let x = map(&noise.signed(&[n, h, w, c]), |x| (3.0 * x).round());
        let y = MaxPool2d { kernel, stride, padding }.reference(&[&x]);
        let dy = noise.signed(y.dims());
        check(MaxPool2dBwd { kernel, stride, padding }, &[x.clone(), y, dy.clone()], 1e-5);
        check(AvgPool2dBwd { kernel: Some(kernel), stride, padding }, &[dy, x], 1e-5);
    }
}

#[test]
fn every_optimizer_in_place_and_not() {
    let p = 40_003;
    let mut noise = Noise::new(6);
    for kind in OptimizerKind::ALL {
        for average in [false, true] {
            let op = Optimizer { kind, decayed: 20_001, decay: 0.01, average };
            // Squares are not negative.
            let state = map(&noise.signed(&[op.rows(), p]), |x| x.abs() + 0.1);
            let gradient = noise.signed(&[p]);
            let rates = Tensor::new([3], vec![0.05, 0.5, 0.9]);
            for finite in [1.0, 0.0] {
                let finite = Tensor::new([1], vec![finite]);
                check(op.clone(), &[state.clone(), gradient.clone(), rates.clone(), finite.clone()], 1e-5);
                let cpu = Cpu::new(2).unwrap();
                let states = cpu.states(&[state.data().len()]).unwrap();
                states.write(0, state.data()).unwrap();
                let mut graph = Graph::new();
                let weights = graph.state("state", 0, [op.rows(), p]);
                let others = ["gradient", "rates", "finite"].map(|name| graph.input(name));
                let next = graph.op("next", op.clone(), &[&[weights], &others[..]].concat());
                graph.update(weights, next);
                let inputs = [&gradient, &rates, &finite];
                let shapes = inputs.map(|x| x.shape().clone());
                let plan = states.load_in(Arc::new(graph), Precision::F32).unwrap().plan(&shapes).unwrap();
                plan.run(&inputs.map(|x| x.data())).unwrap();
                let expected = op.reference(&[&state, &gradient, &rates, &finite]);
                for (i, (got, expected)) in states.read(0).unwrap().iter().zip(expected.data()).enumerate() {
                    assert!(
                        (got - expected).abs() <= 1e-5 * (1.0 + expected.abs()),
                        "{op:?} at {i}: {got}, {expected}"
                    );
                }
            }
        }
    }
}
