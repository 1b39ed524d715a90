//! Whole plans on every backend: values written into slices of a concatenation, batches, timing, and what does not fit.

mod common;

use std::sync::Arc;

use common::{Noise, Tolerance, assert_close, device};
use warpface::graph::NodeId;
use warpface::ops::{Activation, Concat, Conv2d, Dense, Flatten, MaxPool2d, Padding, Softmax};
use warpface::{DeviceKind, Error, Graph, Shape, Tensor};

/// A convolution with noise for weights.
fn conv(graph: &mut Graph, noise: &mut Noise, x: NodeId, [c_in, c_out, k]: [usize; 3], op: Conv2d) -> NodeId {
    let scale = 1.0 / ((k * k * c_in) as f32).sqrt();
    let w = graph.param("w", noise.tensor(&[c_out, k, k, c_in], -scale, scale));
    let b = graph.param("b", noise.signed(&[c_out]));
    graph.op("conv", op, &[x, w, b])
}

/// A small network with everything that plans do: branches into one concatenation at odd channels, a residual, a
/// flatten, two outputs. Input `[n, 9, 7, 6]`.
fn network() -> Graph {
    let (mut graph, mut noise) = (Graph::new(), Noise::new(1));
    let relu = |padding| Conv2d::new(padding).activation(Activation::Relu);
    let x = graph.input("x");
    let a = conv(&mut graph, &mut noise, x, [6, 3, 1], relu(Padding::Same).stride([2, 2]));
    let b = conv(&mut graph, &mut noise, x, [6, 33, 3], relu(Padding::Same).stride([2, 2]));
    let c = graph.op("pool", MaxPool2d { kernel: [3; 2], stride: [2; 2], padding: Padding::Same }, &[x]);
    let joined = graph.op("concat", Concat, &[a, b, c]);
    let w = graph.param("w", noise.tensor(&[42, 1, 1, 42], -0.2, 0.2));
    let bias = graph.param("b", noise.signed(&[42]));
    let residual = Conv2d::new(Padding::Same).activation(Activation::Relu).residual(0.17);
    let y = graph.op("residual", residual, &[joined, w, bias, joined]);
    let flat = graph.op("flatten", Flatten, &[y]);
    let w = graph.param("w", noise.tensor(&[5, 5 * 4 * 42], -0.05, 0.05));
    let bias = graph.param("b", noise.signed(&[5]));
    let logits = graph.op("dense", Dense { bias: true, activation: Activation::None }, &[flat, w, bias]);
    let probability = graph.op("softmax", Softmax, &[logits]);
    graph.output(probability);
    graph.output(joined);
    graph
}

fn matches_the_reference(kind: DeviceKind) {
    let Some(device) = device(kind) else { return };
    let graph = Arc::new(network());
    let module = device.backend().load(graph.clone()).unwrap();
    for n in [1, 3, 17] {
        let x = Noise::new(n as u64).signed(&[n, 9, 7, 6]);
        let expected = graph.reference(std::slice::from_ref(&x)).unwrap();
        let got = module.plan(&[x.shape().clone()]).unwrap().run(&[x.data()]).unwrap();
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert_close(&format!("batch {n}, output {i}"), got, expected.data(), Tolerance { atol: 2e-5, rtol: 2e-5 });
        }
    }
}

fn does_not_depend_on_the_batch(kind: DeviceKind) {
    let Some(device) = device(kind) else { return };
    let module = device.backend().load(Arc::new(network())).unwrap();
    let x = Noise::new(2).signed(&[13, 9, 7, 6]);
    let together = module.plan(&[x.shape().clone()]).unwrap().run(&[x.data()]).unwrap();
    let alone = module.plan(&[Shape::from([1, 9, 7, 6])]).unwrap();
    for (i, image) in x.data().chunks_exact(9 * 7 * 6).enumerate() {
        for (alone, together) in alone.run(&[image]).unwrap().iter().zip(&together) {
            let expected = &together[i * alone.len()..][..alone.len()];
            assert!(alone.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "image {i}");
        }
    }
}

fn times_every_step(kind: DeviceKind) {
    let Some(device) = device(kind) else { return };
    let module = device.backend().load(Arc::new(network())).unwrap();
    let executable = module.plan(&[Shape::from([2, 9, 7, 6])]).unwrap();
    let x = vec![0.5; 2 * 9 * 7 * 6];
    let times = executable.profile(&[&x]).unwrap();
    assert_eq!(times.len(), executable.plan().steps.len());
    assert!(times.iter().any(|time| !time.is_zero()));
    assert!(matches!(executable.run(&[&x[1..]]), Err(Error::Invalid { .. })));
}

macro_rules! every_backend {
    ($($test:ident)+) => {
        mod cpu {
            $(#[test] fn $test() { super::$test(warpface::DeviceKind::Cpu); })+
        }

        mod wgpu {
            $(#[test] fn $test() { super::$test(warpface::DeviceKind::Wgpu); })+
        }

        mod cuda {
            $(#[test] fn $test() { super::$test(warpface::DeviceKind::Cuda); })+
        }
    };
}

every_backend! { matches_the_reference does_not_depend_on_the_batch times_every_step }

#[test]
fn a_plan_too_large_for_the_gpu_is_an_error() {
    let Some(device) = device(DeviceKind::Wgpu) else { return };
    let mut graph = Graph::new();
    let x = graph.input("x");
    let w = graph.param("w", Tensor::new([64, 1, 1, 1], vec![1.0; 64]));
    let op = Conv2d { bias: false, ..Conv2d::new(Padding::Valid) };
    let y = graph.op("conv", op, &[x, w]);
    graph.output(y);
    // 16 TiB of output: nothing is allocated before it is refused.
    let refused = device.backend().load(Arc::new(graph)).unwrap().plan(&[Shape::from([1, 1 << 18, 1 << 18, 1])]);
    let Err(error) = refused else { panic!("planned 16 TiB") };
    assert!(matches!(error, Error::Device { .. }), "{error}");
    assert!(error.to_string().contains("smaller"), "{error}");
}
