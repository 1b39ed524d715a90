//! The CPU's register tiles against the reference, at odd, tail and size-1 shapes, on every instruction set at hand.

use std::sync::Arc;

use warpface::backend::Executable;
use warpface::backend::cpu::{Cpu, Isa};
use warpface::ops::{Activation, Conv2d, Metric, Padding, PairwiseDistance};
use warpface::{Device, Graph, Shape, Tensor};

fn noise(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e3779b97f4a7c15) | 1;
    let data = (0..shape.iter().product::<usize>())
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::new(shape, data)
}

#[test]
fn tiles_agree_with_the_reference() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for (case, &([n, h, w, c_in], [c_out, k_h, k_w], stride, padding)) in [
            ([1, 1, 1, 1], [1, 1, 1], 1, Padding::Valid),
            ([2, 5, 7, 3], [10, 3, 3], 1, Padding::Valid),
            ([3, 8, 8, 5], [33, 1, 7], 1, Padding::Same),
            ([1, 17, 17, 32], [64, 3, 3], 1, Padding::Same),
            ([2, 17, 19, 20], [49, 3, 3], 2, Padding::Valid),
            ([5, 3, 3, 40], [17, 1, 1], 1, Padding::Valid),
            ([1, 9, 6, 4], [16, 2, 5], 2, Padding::Same),
        ]
        .iter()
        .enumerate()
        {
            let mut graph = Graph::new();
            let x = graph.input("x");
            let w_node = graph.param("w", noise(&[c_out, k_h, k_w, c_in], 1));
            let b = graph.param("b", noise(&[c_out], 2));
            let alpha = graph.param("alpha", noise(&[c_out], 3));
            let conv = Conv2d::new(padding).stride([stride; 2]).activation(Activation::PRelu);
            let y = graph.op("conv", conv, &[x, w_node, b, alpha]);
            graph.output(y);
            let input = noise(&[n, h, w, c_in], case as u64);
            let expected = graph.reference(std::slice::from_ref(&input)).unwrap();
            let module = Cpu::with_isa(2, isa).unwrap().module(Arc::new(graph)).unwrap();
            for parallel in [false, true] {
                let run = module.executable(&[Shape::from([n, h, w, c_in])], parallel).unwrap();
                let got = run.run(&[input.data()]).unwrap();
                for (i, (&a, &b)) in got[0].iter().zip(expected[0].data()).enumerate() {
                    assert!((a - b).abs() <= 1e-4 + 1e-5 * b.abs(), "{isa}, case {case}, at {i}: {a}, expected {b}");
                }
            }
        }
    }
}

#[test]
fn a_batch_is_its_images_one_by_one() {
    // As many images as filters: constants must not be cut with the batch.
    let (n, c) = (5, 5);
    let mut graph = Graph::new();
    let x = graph.input("x");
    let w = graph.param("w", noise(&[c, 3, 3, c], 1));
    let b = graph.param("b", noise(&[c], 2));
    let y = graph.op("conv", Conv2d::new(Padding::Same).residual(0.3), &[x, w, b, x]);
    graph.output(y);
    let graph = Arc::new(graph);
    let device = Device::from_backend(Cpu::new(2).unwrap());
    let module = device.backend().load(graph).unwrap();
    let input = noise(&[n, 6, 6, c], 3);
    let together = module.plan(&[input.shape().clone()]).unwrap().run(&[input.data()]).unwrap();
    let alone = module.plan(&[Shape::from([1, 6, 6, c])]).unwrap();
    for (i, (image, expected)) in input.data().chunks(6 * 6 * c).zip(together[0].chunks(6 * 6 * c)).enumerate() {
        assert_eq!(alone.run(&[image]).unwrap()[0], expected, "image {i}");
    }
}

#[test]
fn rows_that_meet_are_not_cut() {
    let mut graph = Graph::new();
    let (a, b) = (graph.input("a"), graph.input("b"));
    let y = graph.op("distance", PairwiseDistance { metric: Metric::Euclidean }, &[a, b]);
    graph.output(y);
    let (a, b) = (noise(&[4, 3], 1), noise(&[4, 3], 2));
    let expected = graph.reference(&[a.clone(), b.clone()]).unwrap();
    let device = Device::from_backend(Cpu::new(2).unwrap());
    let plan = device.backend().load(Arc::new(graph)).unwrap();
    let plan = plan.plan(&[a.shape().clone(), b.shape().clone()]).unwrap();
    assert_eq!(plan.run(&[a.data(), b.data()]).unwrap()[0], expected[0].data());
}
