use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::{Activation, LocalConv2d};

fn cases() -> Vec<Case> {
    let case = |([n, h, w, c_in], [c_out, k_h, k_w], stride): ([usize; 4], [usize; 3], usize)| {
        let (h_out, w_out) = ((h - k_h) / stride + 1, (w - k_w) / stride + 1);
        let mut noise = Noise::new(20);
        let inputs = vec![
            noise.signed(&[n, h, w, c_in]),
            noise.signed(&[h_out, w_out, c_out, k_h, k_w, c_in]),
            noise.signed(&[h_out, w_out, c_out]),
        ];
        let op = LocalConv2d { stride: [stride; 2], activation: Activation::Relu };
        Case::new(format!("{n} {h}x{w}x{c_in} {c_out} {k_h}x{k_w}/{stride}"), op, inputs).constants(1..3)
    };
    [([1, 1, 1, 1], [1, 1, 1], 1), ([2, 9, 7, 5], [3, 3, 2], 2), ([3, 5, 5, 16], [16, 5, 5], 1)].map(case).into()
}

backend_test!(cases);

/// The filters of DeepFace's L4 are more than WebGPU promises to bind.
#[test]
fn filters_larger_than_a_binding() {
    use std::sync::Arc;
    use warpface::{Device, DeviceKind, Graph};
    let Some(device) = crate::common::device(DeviceKind::Wgpu) else { return };
    let mut noise = Noise::new(21);
    let mut graph = Graph::new();
    let x = graph.input("x");
    let w = graph.param("w", noise.signed(&[33, 33, 16, 9, 9, 15]));
    let b = graph.param("b", noise.signed(&[33, 33, 16]));
    let y = graph.op("y", LocalConv2d { stride: [1; 2], activation: Activation::None }, &[x, w, b]);
    graph.output(y);
    let (graph, x) = (Arc::new(graph), noise.signed(&[2, 41, 41, 15]));
    let run = |device: &Device| {
        let module = device.backend().load(graph.clone()).unwrap();
        module.plan(&[x.shape().clone()]).unwrap().run(&[x.data()]).unwrap().remove(0)
    };
    let tolerance = crate::common::Tolerance { atol: 2e-4, rtol: 1e-5 };
    crate::common::assert_close("wgpu beside the CPU", &run(&device), &run(&Device::cpu(2).unwrap()), tolerance);
}

#[test]
fn gradient() {
    for activation in [Activation::None, Activation::Relu] {
        let dims: [&[usize]; 3] = [&[2, 5, 4, 2], &[2, 2, 3, 3, 2, 2], &[2, 2, 3]];
        Gradient::new(LocalConv2d { stride: [2, 2], activation }, inputs(&dims)).check();
    }
}
