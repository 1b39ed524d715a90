//! bf16 on the CPU: every embedding network near its f32, bits that depend neither on the batch nor on threads, and clear
//! refusals. Ops one by one are compared in `ops`; the dot and its tile in the library's own tests.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use warpface::models::seeded_network;
use warpface::networks::{ModelDef, NetworkSpec, Width};
use warpface::ops::{Conv2d, Padding, ScaledAdd};
use warpface::{Device, DeviceKind, Graph, Precision, Shape, Tensor};

use common::{Noise, assert_close};

/// The CPU with bf16, or a loud skip.
fn cpu() -> Option<Device> {
    let device = common::device(DeviceKind::Cpu)?;
    common::precisions(&device).contains(&Precision::Bf16).then_some(device)
}

/// Runs a graph with one input and one output.
fn run(device: &Device, graph: &Arc<Graph>, precision: Precision, x: &Tensor) -> Vec<f32> {
    let plan = device.backend().load_in(graph.clone(), precision).unwrap().plan(&[x.shape().clone()]).unwrap();
    plan.run(&[x.data()]).unwrap().remove(0)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn networks() -> [NetworkSpec; 6] {
    let narrow = |def, stem, side| NetworkSpec::new(def).width(Width::of_stem(stem).unwrap()).side(side);
    [
        narrow(ModelDef::InceptionResnetV1, 4, 80).embedding_size(64),
        narrow(ModelDef::InceptionResnetV2, 4, 80).embedding_size(64),
        narrow(ModelDef::Squeezenet, 16, 64).embedding_size(64),
        narrow(ModelDef::DeepFace, 4, 80).embedding_size(64),
        narrow(ModelDef::Nn4Small2, 8, 96).embedding_size(64),
        narrow(ModelDef::Nn4Small2Torch, 8, 96).embedding_size(64),
    ]
}

#[test]
fn every_network_is_near_its_f32_and_does_not_depend_on_batch_or_threads() {
    let Some(device) = cpu() else { return };
    for network in networks() {
        let graph = Arc::new(seeded_network(network, 7).unwrap());
        let side = network.side;
        let x = Noise::new(11).tensor(&[5, side, side, 3], -1.0, 1.0);
        let (exact, got) = (run(&device, &graph, Precision::F32, &x), run(&device, &graph, Precision::Bf16, &x));
        let size = got.len() / 5;
        for (i, (a, b)) in got.chunks(size).zip(exact.chunks(size)).enumerate() {
            let cosine = cosine(a, b);
            assert!(cosine >= 0.999 && a != b, "{}: image {i}: {cosine}", network.def);
        }
        for threads in [1, 2, 3] {
            let device = Device::cpu(threads).unwrap();
            assert_eq!(run(&device, &graph, Precision::Bf16, &x), got, "{}: {threads} threads", network.def);
            let image = Tensor::new([1, side, side, 3], x.data()[4 * side * side * 3..].to_vec());
            let alone = run(&device, &graph, Precision::Bf16, &image);
            assert_eq!(alone, got[4 * size..], "{}: the last image alone, {threads} threads", network.def);
        }
    }
}

#[test]
fn the_arena_takes_half() {
    let Some(device) = cpu() else { return };
    let graph = Arc::new(seeded_network(networks()[0], 7).unwrap());
    let bytes = |precision: Precision| {
        let module = device.backend().load_in(graph.clone(), precision).unwrap();
        let plan = module.plan(&[Shape::from([4, 80, 80, 3])]).unwrap();
        precision.stored(plan.plan().arena)
    };
    assert!(bytes(Precision::Bf16) * 2 <= bytes(Precision::F32) * 101 / 100);
}

#[test]
fn values_that_are_constants_meet_values_in_bf16() {
    let Some(device) = cpu() else { return };
    let mut noise = Noise::new(3);
    let mut graph = Graph::new();
    let x = graph.input("x");
    let constant = graph.param("constant", noise.signed(&[2, 4, 4, 6]));
    let w = graph.param("w", noise.signed(&[8, 3, 3, 6]));
    let b = graph.param("b", noise.signed(&[8]));
    // A convolution of a constant, and one whose filter it shares.
    let of_constant = graph.op("of constant", Conv2d::new(Padding::Same), &[constant, w, b]);
    let of_input = graph.op("of input", Conv2d::new(Padding::Same), &[x, w, b]);
    let y = graph.op("y", ScaledAdd { scale: 0.5 }, &[of_input, of_constant]);
    graph.output(y);
    let x = noise.signed(&[2, 4, 4, 6]);
    let expected = graph.reference(std::slice::from_ref(&x)).unwrap().remove(0);
    let got = run(&device, &Arc::new(graph), Precision::Bf16, &x);
    assert_close("two convolutions", &got, expected.data(), common::Tolerance::new(0.1, 0.02));
}

#[test]
fn training_is_refused_by_name() {
    let Some(device) = cpu() else { return };
    let mut graph = Graph::new();
    let w = graph.state("w", 0, [4]);
    let x = graph.input("x");
    let y = graph.op("y", ScaledAdd { scale: 1.0 }, &[x, w]);
    graph.output(y);
    let states = device.backend().states(&[4]).unwrap();
    let refused = states.load_in(Arc::new(graph), Precision::Bf16).err().expect("training in bf16").to_string();
    assert!(refused.contains("trains in f32 alone") && refused.contains("`device` cuda"), "{refused}");
}

#[cfg(feature = "cli")]
#[test]
fn a_lowered_instruction_set_is_refused_by_name() {
    use std::process::Command;
    use warpface::backend::cpu::Isa;

    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warpface"));
        command.args(["detect", "--device", "cpu", "--precision", "bf16", "nothing.jpg"]);
        let output = command.env("WARPFACE_ISA", isa.name()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        let refused = said.contains("AVX512-BF16") && said.contains("--precision f32");
        assert_eq!(refused, isa != Isa::Avx512Bf16, "{isa}: {said}");
        if refused && Isa::Avx512Bf16.is_available() {
            assert!(said.contains("WARPFACE_ISA"), "{said}");
        }
    }
}
