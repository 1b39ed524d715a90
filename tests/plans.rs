//! Whole plans on every backend: values written into slices of a concatenation, batches, timing, and what does not fit.

mod common;

use std::sync::Arc;

use common::{Noise, Tolerance, assert_close, device, devices};
use warpface::graph::{NodeId, Source};
use warpface::networks::{ModelDef, NetworkSpec, Width};
use warpface::ops::{
    Activation, AvgPool2d, BatchMoments, BatchNormTrain, Concat, Conv2d, Dense, Flatten, Join, MaxPool2d, Op,
    OptimizerKind, Padding, Part, Relu, Softmax,
};
use warpface::train::network::{self, Loss, NetworkOptions};
use warpface::train::parameters::{Parameters, Spec};
use warpface::{DeviceKind, Error, Graph, Plan, Precision, Shape, Tensor};

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

/// Branches of training: two batch norms of the given channels and both pools in one concatenation, which is read.
fn normalized(channels: [usize; 2]) -> Graph {
    let (mut graph, mut noise) = (Graph::new(), Noise::new(7));
    let mut parts: Vec<NodeId> = channels
        .iter()
        .enumerate()
        .map(|(i, &c)| {
            let (scale, activation) = [(false, Activation::Relu), (true, Activation::None)][i];
            let x = graph.input("x");
            let moments = graph.op("moments", BatchMoments, &[x]);
            let mut inputs = vec![x, moments];
            inputs.extend((0..1 + usize::from(scale)).map(|_| graph.param("parameter", noise.signed(&[c]))));
            graph.op("norm", BatchNormTrain { epsilon: 1e-3, activation, scale }, &inputs)
        })
        .collect();
    let x = graph.input("x");
    let (kernel, stride, padding) = ([3; 2], [2; 2], Padding::Same);
    parts.push(graph.op("pool", MaxPool2d { kernel, stride, padding }, &[x]));
    parts.push(graph.op("mean", AvgPool2d { kernel: Some(kernel), stride, padding }, &[x]));
    let joined = graph.op("concat", Concat, &parts);
    graph.output(joined);
    graph
}

#[test]
fn branches_write_into_their_slices() {
    // In fours, one of them beyond a binding's alignment; odd; more rows than a task of the CPU has.
    for (channels, n) in [([72, 8], 3), ([3, 33], 2), ([33, 72], 1), ([4, 256], 9)] {
        let graph = Arc::new(normalized(channels));
        let mut noise = Noise::new(8);
        let [a, b] = channels.map(|c| noise.signed(&[n, 5, 4, c]));
        let given = [a, b, noise.signed(&[n, 9, 7, 4])];
        let expected = &graph.reference(&given).unwrap()[0];
        let shapes = given.each_ref().map(|x| x.shape().clone());
        devices::each_and_simulated(|device| {
            for precision in [Precision::F32, Precision::F16] {
                if device.backend().check(precision).is_err() {
                    continue;
                }
                let what = format!("{channels:?} in {precision} on {}", device.info().name);
                let executable = device.backend().load_in(graph.clone(), precision).unwrap().plan(&shapes).unwrap();
                assert!(!executable.plan().steps.iter().any(|step| matches!(step.op, Op::Concat(_))), "{what}");
                let got = executable.run(&given.each_ref().map(Tensor::data)).unwrap();
                let tolerance = if precision == Precision::F32 { 2e-5 } else { 4e-3 };
                assert_close(&what, &got[0], expected.data(), Tolerance { atol: tolerance, rtol: tolerance });
            }
        });
    }
}

#[test]
fn a_slice_has_the_bits_that_a_copy_has() {
    let graph = normalized([3, 33]);
    let parts = graph.nodes().iter().find_map(|node| match &node.source {
        Source::Op(Op::Concat(_), parts) => Some(parts.clone()),
        _ => None,
    });
    // An output is memory of its own, and copied.
    let mut copied = graph.clone();
    parts.expect("a concatenation").into_iter().for_each(|part| copied.output(part));
    let mut noise = Noise::new(10);
    let given = [noise.signed(&[2, 5, 4, 3]), noise.signed(&[2, 5, 4, 33]), noise.signed(&[2, 9, 7, 4])];
    let shapes = given.each_ref().map(|x| x.shape().clone());
    let graphs = [graph, copied].map(Arc::new);
    devices::each_and_simulated(|device| {
        let [in_place, copied] = graphs.each_ref().map(|graph| {
            let executable = device.backend().load(graph.clone()).unwrap().plan(&shapes).unwrap();
            let copies = executable.plan().steps.iter().filter(|step| matches!(step.op, Op::Concat(_))).count();
            let joined = executable.run(&given.each_ref().map(Tensor::data)).unwrap().remove(0);
            (copies, joined.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        });
        assert_eq!((in_place.0, copied.0), (0, 1));
        assert!(in_place.1 == copied.1, "{}", device.info().name);
    });
}

#[test]
fn a_part_with_a_second_reader_is_copied_alone() {
    let mut graph = normalized([5, 8]);
    let parts = graph.nodes().iter().find_map(|node| match &node.source {
        Source::Op(Op::Concat(_), parts) => Some(parts.clone()),
        _ => None,
    });
    let again = graph.op("moments", BatchMoments, &parts.expect("a concatenation")[..1]);
    graph.output(again);
    let mut noise = Noise::new(9);
    let given = [noise.signed(&[2, 5, 4, 5]), noise.signed(&[2, 5, 4, 8]), noise.signed(&[2, 9, 7, 4])];
    let expected = graph.reference(&given).unwrap();
    let shapes = given.each_ref().map(|x| x.shape().clone());
    let graph = Arc::new(graph);
    devices::each_and_simulated(|device| {
        let what = &device.info().name;
        let executable = device.backend().load(graph.clone()).unwrap().plan(&shapes).unwrap();
        let steps = &executable.plan().steps;
        let concat = steps.iter().find(|step| matches!(step.op, Op::Concat(_))).expect("a copy");
        assert_eq!(
            concat.inputs.iter().map(|view| view.is_dense()).collect::<Vec<_>>(),
            [true, false, false, false],
            "{what}"
        );
        let got = executable.run(&given.each_ref().map(Tensor::data)).unwrap();
        for (got, expected) in got.iter().zip(&expected) {
            assert_close(what, got, expected.data(), Tolerance { atol: 2e-5, rtol: 2e-5 });
        }
    });
}

#[test]
fn a_training_step_copies_only_pools_into_concatenations() {
    let spec = Spec {
        network: NetworkSpec::new(ModelDef::InceptionResnetV1).width(Width::of_stem(2).unwrap()).embedding_size(8),
        classes: Some(3),
        gamma: false,
    };
    for recompute in [0..0, 0..24] {
        let options = NetworkOptions {
            loss: Loss::Softmax { center_factor: 0.0, center_alfa: 0.9, norm_factor: 0.0, norm_p: 1.0 },
            optimizer: OptimizerKind::Adam,
            average: true,
            weight_decay: 5e-5,
            keep_probability: 0.8,
            seed: 1,
            batch: 2,
            recompute: recompute.clone().collect(),
        };
        let graph = network::step(&Parameters::new(spec.clone()).unwrap(), &options).unwrap().graph;
        let concats = graph.nodes().iter().filter(|node| matches!(&node.source, Source::Op(Op::Concat(_), _))).count();
        let inputs = [vec![2, 80, 80, 3], vec![2], vec![1], vec![1], vec![3]].map(Shape::from);
        let plan = Plan::new(Arc::new(graph), &inputs).unwrap();
        let copies: Vec<_> = plan.steps.iter().filter(|step| matches!(step.op, Op::Concat(_))).collect();
        println!("recompute {recompute:?}: {concats} concatenations, {} with copies", copies.len());
        for step in &copies {
            let copied: Vec<bool> = step.inputs.iter().map(|view| view.is_dense()).collect();
            // The pool's gradient reads what it gave.
            assert!(copied.iter().rev().skip(1).all(|copied| !copied), "{copied:?}");
        }
        assert!(concats >= 23 && copies.len() <= 3, "{} of {concats} concatenations are copied", copies.len());
    }
}

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

/// A part that begins where no device can bind it has memory of its own, and a join's is that of others: its values must be
/// brought there, as those of batch norms' scales in training are.
#[test]
fn parts_that_are_joined_are_moved() {
    let mut graph = Graph::new();
    let x = graph.input("x");
    let y = graph.op("relu", Relu, &[x]);
    let rows = [0, 1, 2].map(|i| graph.op("row", Part::Row(i), &[y]));
    let joined = graph.op("join", Join, &rows);
    graph.output(joined);
    let graph = Arc::new(graph);
    for c in [4, 64, 80] {
        let x = Noise::new(5).signed(&[3, c]);
        let expected = graph.reference(std::slice::from_ref(&x)).unwrap().remove(0);
        devices::each_and_simulated(|device| {
            let plan = device.backend().load(graph.clone()).unwrap().plan(&[x.shape().clone()]).unwrap();
            assert_eq!(plan.run(&[x.data()]).unwrap()[0], expected.data(), "{}, {c} channels", device.info().kind);
        });
    }
}
