use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, WINDOWS, inputs};
use warpface::Graph;
use warpface::graph::NodeId;
use warpface::ops::window::axes;
use warpface::ops::{Activation, Conv2d, Op, Padding};

use Padding::{Around, Same, Valid};

fn case([n, h, w, c_in]: [usize; 4], [c_out, k_h, k_w]: [usize; 3], op: Conv2d) -> Case {
    let mut noise = Noise::new(23);
    let k = (k_h * k_w * c_in) as f32;
    let scale = 1.0 / k.sqrt();
    let mut inputs = vec![noise.signed(&[n, h, w, c_in]), noise.tensor(&[c_out, k_h, k_w, c_in], -scale, scale)];
    if op.bias {
        inputs.push(noise.signed(&[c_out]));
    }
    if op.activation == Activation::PRelu {
        inputs.push(noise.signed(&[c_out]));
    }
    let constants = 1..inputs.len();
    if op.residual_scale.is_some() {
        let [y, x] = axes([h, w], [k_h, k_w], op.stride, op.padding).expect("a case that fits");
        inputs.push(noise.signed(&[n, y.out, x.out, c_out]));
    }
    Case::new(format!("{n} {h}x{w}x{c_in} to {c_out} by {k_h}x{k_w}, {op:?}"), op, inputs).constants(constants)
}

fn cases() -> Vec<Case> {
    let plain = Conv2d::new;
    let mut cases = Vec::new();
    for activation in [Activation::None, Activation::Relu, Activation::PRelu] {
        for (x, filters, stride, padding) in [
            ([1, 1, 1, 1], [1, 1, 1], 1, Valid),
            ([1, 1, 1, 1], [1, 3, 3], 1, Same),
            ([2, 12, 15, 3], [10, 3, 3], 1, Valid),
            ([3, 8, 8, 5], [33, 1, 7], 1, Same),
            ([1, 9, 11, 16], [32, 3, 3], 1, Valid),
            ([1, 17, 17, 32], [64, 3, 3], 1, Same),
            ([2, 17, 19, 20], [49, 3, 3], 2, Valid),
            ([5, 3, 3, 40], [17, 1, 1], 1, Valid),
            ([1, 9, 6, 4], [16, 2, 5], 2, Same),
            ([1, 3, 3, 192], [130, 3, 1], 1, Same),
            ([2, 7, 7, 32], [2, 1, 1], 1, Valid),
            ([2, 11, 12, 3], [20, 7, 7], 2, Around(3)),
            ([1, 6, 7, 16], [24, 5, 5], 1, Around(2)),
            ([1, 6, 5, 8], [16, 3, 3], 2, Around(2)),
        ] {
            cases.push(case(x, filters, plain(padding).stride([stride; 2]).activation(activation)));
        }
    }
    cases.push(case([2, 5, 5, 7], [96, 1, 1], plain(Same).activation(Activation::Relu).residual(0.17)));
    cases.push(case([1, 4, 3, 64], [20, 3, 3], plain(Same).residual(1.0)));
    cases.push(case([1, 4, 3, 6], [70, 2, 2], Conv2d { bias: false, ..plain(Valid).stride([1, 2]) }));
    cases
}

backend_test!(cases, tensor_cores);

#[test]
fn gradient() {
    for ([k_h, k_w], stride, padding) in WINDOWS {
        let op = Conv2d::new(padding).stride(stride);
        let (x, w, b): ([usize; 4], _, _) = ([2, 5, 6, 2], [3, k_h, k_w, 2], [3]);
        Gradient::new(op.clone(), inputs(&[&x, &w, &b])).check();
        Gradient::new(op.clone().activation(Activation::Relu), inputs(&[&x, &w, &b])).check();
        Gradient::new(Conv2d { bias: false, ..op.clone() }, inputs(&[&x, &w])).check();
        let y: Vec<usize> = {
            let shapes = [x.into(), w.into(), b.into()];
            Op::from(op.clone()).shape(&shapes.iter().collect::<Vec<_>>()).unwrap().dims().to_vec()
        };
        for scale in [0.17, 1.0] {
            Gradient::new(op.clone().activation(Activation::Relu).residual(scale), inputs(&[&x, &w, &b, &y])).check();
        }
    }
}

#[test]
fn a_fused_prelu_says_what_to_do() {
    let mut graph = Graph::new();
    let ids: Vec<NodeId> = (0..4).map(|i| graph.input(&i.to_string())).collect();
    let y = graph.op("y", Conv2d::new(Padding::Valid).activation(Activation::PRelu), &ids);
    let error = graph.gradients(y, ids[0], &ids, &[]).unwrap_err().to_string();
    assert!(error.contains("make it an op of its own"), "{error}");
}
