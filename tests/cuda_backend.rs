//! What the CUDA backend promises beyond its kernels' results, on a simulated GPU: nothing allocated after the first
//! run, streams that keep their order and their bits, errors that name the way out and leave the rest usable.
#![cfg(feature = "cuda")]

mod common;

use std::sync::Arc;

use common::{Noise, simulated};
use warpface::backend::cuda::{Cuda, Driver, Target};
use warpface::face::{DetectOptions, Detector};
use warpface::image::Rgb8;
use warpface::ops::{Activation, Conv2d, Padding, Relu};
use warpface::{Device, Error, Graph, Precision, Shape, Tensor};

/// A convolution, a rectifier, and a second output.
fn graph() -> Graph {
    let mut noise = Noise::new(5);
    let mut graph = Graph::new();
    let x = graph.input("x");
    let w = graph.param("w", noise.signed(&[24, 3, 3, 8]));
    let b = graph.param("b", noise.signed(&[24]));
    let y = graph.op("conv", Conv2d::new(Padding::Same).activation(Activation::None), &[x, w, b]);
    let z = graph.op("relu", Relu, &[y]);
    graph.output(z);
    graph.output(y);
    graph
}

const SHAPE: [usize; 4] = [2, 6, 5, 8];

fn inputs(count: usize) -> Vec<Tensor> {
    let mut noise = Noise::new(6);
    (0..count).map(|_| noise.signed(&SHAPE)).collect()
}

fn bits(outputs: &[Vec<f32>]) -> Vec<u32> {
    outputs.iter().flatten().map(|y| y.to_bits()).collect()
}

#[test]
fn nothing_is_allocated_after_the_first_run() {
    let driver = Arc::new(simulated::Simulated::new((8, 0)));
    let device = Device::from_backend(Cuda::with_driver(driver.clone(), None).unwrap());
    for precision in Precision::ALL {
        let module = device.backend().load_in(Arc::new(graph()), precision).unwrap();
        let executable = module.plan(&[Shape::from(SHAPE)]).unwrap();
        let x = &inputs(1)[0];
        let first = executable.run(&[x.data()]).unwrap();
        let before = driver.allocations();
        for _ in 0..3 {
            assert_eq!(bits(&executable.run(&[x.data()]).unwrap()), bits(&first), "{precision}");
        }
        assert_eq!(driver.allocations(), before, "{precision}");
    }
    // Captured once, and replayed from then on.
    assert_eq!(driver.captures(), Precision::ALL.len());
}

#[test]
fn detection_allocates_nothing_when_it_has_seen_the_sizes() {
    let Some(weights) = common::weights(&common::files::MTCNN) else { return };
    let driver = Arc::new(simulated::Simulated::new((8, 0)));
    let device = Device::from_backend(Cuda::with_driver(driver.clone(), None).unwrap());
    let options = DetectOptions { thresholds: [0.3, 0.3, 0.3], ..Default::default() };
    let detector = Detector::load(&device, &weights, &options).unwrap();
    let noise: Vec<u8> = Noise::new(9).bytes(&[40, 52, 3]).data().iter().map(|&x| x as u8).collect();
    let photograph = Rgb8::new(52, 40, noise);
    let first = detector.detect(&[&photograph]).unwrap();
    let before = driver.allocations();
    assert_eq!(detector.detect(&[&photograph]).unwrap(), first);
    assert_eq!(driver.allocations(), before);
}

#[test]
fn memory_is_given_back() {
    let driver = Arc::new(simulated::Simulated::new((8, 0)));
    let device = Device::from_backend(Cuda::with_driver(driver.clone(), None).unwrap());
    let module = device.backend().load(Arc::new(graph())).unwrap();
    let executable = module.plan(&[Shape::from(SHAPE)]).unwrap();
    executable.run(&[inputs(1)[0].data()]).unwrap();
    assert!(driver.held() > 0);
    drop(executable);
    drop(module);
    assert_eq!(driver.held(), 0);
}

#[test]
fn a_stream_of_batches_keeps_order_and_bits() {
    let device = simulated::device((8, 0));
    let executable = device.backend().load(Arc::new(graph())).unwrap().plan(&[Shape::from(SHAPE)]).unwrap();
    for count in [0, 1, 2, 5] {
        let batches = inputs(count);
        let (mut at, mut got) = (0, Vec::new());
        let mut next = |to: &mut [&mut [f32]]| {
            let Some(batch) = batches.get(at) else { return Ok(false) };
            to[0].copy_from_slice(batch.data());
            at += 1;
            Ok(true)
        };
        let mut done = |outputs: Vec<Vec<f32>>| {
            got.push(bits(&outputs));
            Ok(())
        };
        executable.stream(&mut next, &mut done).unwrap();
        let expected: Vec<_> = batches.iter().map(|x| bits(&executable.run(&[x.data()]).unwrap())).collect();
        assert_eq!(got, expected, "{count} batches");
    }
}

#[test]
fn a_stream_ends_with_the_first_error_and_can_be_used_again() {
    let device = simulated::device((8, 0));
    let executable = device.backend().load(Arc::new(graph())).unwrap().plan(&[Shape::from(SHAPE)]).unwrap();
    let x = &inputs(1)[0];
    let expected = bits(&executable.run(&[x.data()]).unwrap());
    let failure = || Error::invalid("photograph 3", "cannot be read");
    let mut left = 3;
    let failed = executable.stream(
        &mut |to| {
            left -= 1;
            to[0].copy_from_slice(x.data());
            if left == 0 { Err(failure()) } else { Ok(true) }
        },
        &mut |_| Ok(()),
    );
    assert!(failed.unwrap_err().to_string().contains("photograph 3"));
    let mut rounds = 0;
    let refused = executable.stream(
        &mut |to| {
            to[0].copy_from_slice(x.data());
            rounds += 1;
            Ok(rounds < 9)
        },
        &mut |_| Err(failure()),
    );
    assert!(refused.is_err());
    assert_eq!(bits(&executable.run(&[x.data()]).unwrap()), expected);
}

/// Layers of every tile: few and many channels, padding, a stride, a residual, a dense layer.
fn network() -> Graph {
    let mut noise = Noise::new(7);
    let mut graph = Graph::new();
    let x = graph.input("x");
    let mut conv = |graph: &mut Graph, name: &str, x, op: Conv2d, [c_out, k, c_in]: [usize; 3], residual: Option<_>| {
        let scale = 1.0 / ((k * k * c_in) as f32).sqrt();
        let w = graph.param(&format!("{name}/w"), noise.tensor(&[c_out, k, k, c_in], -scale, scale));
        let b = graph.param(&format!("{name}/b"), noise.signed(&[c_out]));
        let inputs: Vec<_> = [x, w, b].into_iter().chain(residual).collect();
        graph.op(name, op, &inputs)
    };
    let relu = |padding| Conv2d::new(padding).activation(Activation::Relu);
    let a = conv(&mut graph, "first", x, relu(Padding::Valid).stride([2, 2]), [32, 3, 3], None);
    let b = conv(&mut graph, "wide", a, relu(Padding::Same), [72, 3, 32], None);
    let c = conv(&mut graph, "back", b, relu(Padding::Same).residual(0.2), [32, 1, 72], Some(a));
    let d = conv(&mut graph, "few", c, relu(Padding::Valid), [4, 3, 32], None);
    graph.output(d);
    graph
}

#[test]
fn results_do_not_depend_on_the_batch() {
    for (capability, precisions) in [
        ((7, 5), &[Precision::F32, Precision::F16][..]),
        ((8, 0), &[Precision::Tf32, Precision::F16, Precision::Bf16]),
        ((9, 0), &[Precision::F16, Precision::Bf16]),
    ] {
        let device = simulated::device(capability);
        for &precision in precisions {
            let module = device.backend().load_in(Arc::new(network()), precision).unwrap();
            let x = Noise::new(8).signed(&[5, 15, 13, 3]);
            let run = |images: std::ops::Range<usize>| {
                let count = images.len();
                let part = &x.data()[images.start * 15 * 13 * 3..images.end * 15 * 13 * 3];
                let y = module.plan(&[Shape::from([count, 15, 13, 3])]).unwrap().run(&[part]).unwrap();
                bits(&y)
            };
            let together = run(0..5);
            assert!(together.iter().any(|&y| f32::from_bits(y) > 0.0), "all is zero: nothing is tested");
            let apart: Vec<u32> = [0..1, 1..2, 2..5].into_iter().flat_map(run).collect();
            assert_eq!(together, apart, "{capability:?} {precision}");
        }
    }
}

#[test]
fn precisions_are_refused_where_the_device_has_none() {
    let turing = simulated::device((7, 5));
    for (precision, there) in
        [(Precision::F32, true), (Precision::F16, true), (Precision::Tf32, false), (Precision::Bf16, false)]
    {
        match turing.backend().load_in(Arc::new(graph()), precision) {
            Ok(_) => assert!(there, "{precision}"),
            Err(error) => {
                assert!(!there, "{precision}: {error}");
                assert!(error.to_string().contains("`precision` f16"), "{error}");
            }
        }
    }
    let cpu = Device::cpu(1).unwrap();
    let refused = cpu.backend().load_in(Arc::new(graph()), Precision::F16).err().expect("f32 alone").to_string();
    assert!(refused.contains("`device` cuda"), "{refused}");
}

#[test]
fn kernels_are_the_best_that_the_device_has_or_less_when_asked() {
    let target = |capability, most| {
        let driver: Arc<dyn Driver> = Arc::new(simulated::Simulated::new(capability));
        Cuda::with_driver(driver, most).map(|cuda| cuda.target())
    };
    assert_eq!(target((9, 0), None).unwrap(), Target::Sm90a);
    assert_eq!(target((9, 0), Some(Target::Compute80)).unwrap(), Target::Compute80);
    assert_eq!(target((8, 6), Some(Target::Sm90a)).unwrap(), Target::Compute80);
    let old = target((7, 0), None).unwrap_err().to_string();
    assert!(old.contains("7.0") && old.contains("`device` wgpu"), "{old}");
}

#[test]
fn a_device_without_memory_says_so_and_goes_on() {
    let driver = Arc::new(simulated::Simulated::new((8, 0)).with_memory(1 << 20));
    let device = Device::from_backend(Cuda::with_driver(driver.clone(), None).unwrap());
    let module = device.backend().load(Arc::new(graph())).unwrap();
    let held = driver.held();
    let error = module.plan(&[Shape::from([512, 64, 64, 8])]).err().expect("no room");
    assert!(matches!(&error, Error::OutOfMemory { what, .. } if what == "the activations"), "{error}");
    assert!(error.to_string().contains("smaller batch"), "{error}");
    assert_eq!(driver.held(), held, "what was allocated before is given back");
    let x = &inputs(1)[0];
    module.plan(&[Shape::from(SHAPE)]).unwrap().run(&[x.data()]).unwrap();
}

#[test]
fn a_fault_of_a_kernel_is_an_error() {
    let driver = Arc::new(simulated::Simulated::new((8, 0)));
    let device = Device::from_backend(Cuda::with_driver(driver.clone(), None).unwrap());
    let executable = device.backend().load(Arc::new(graph())).unwrap().plan(&[Shape::from(SHAPE)]).unwrap();
    driver.fail_launches(true);
    let x = &inputs(1)[0];
    assert!(executable.run(&[x.data()]).is_err());
    driver.fail_launches(false);
    executable.run(&[x.data()]).unwrap();
    executable.run(&[x.data()]).unwrap();
}
