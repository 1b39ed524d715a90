use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::{Activation, Dense};

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in [Activation::None, Activation::Relu, Activation::PRelu] {
        let shapes: [(&[usize], usize); 5] =
            [(&[1, 1], 1), (&[3, 3, 3, 64], 128), (&[5, 1792], 512), (&[9, 31], 130), (&[4, 128], 2)];
        for (dims, c_out) in shapes {
            let (mut noise, k) = (Noise::new(21), dims[1..].iter().product());
            let scale = 1.0 / (k as f32).sqrt();
            let mut inputs = vec![noise.signed(dims), noise.tensor(&[c_out, k], -scale, scale), noise.signed(&[c_out])];
            if activation == Activation::PRelu {
                inputs.push(noise.signed(&[c_out]));
            }
            let constants = 1..inputs.len();
            let op = Dense { bias: true, activation };
            cases.push(Case::new(format!("{dims:?} {c_out} {activation:?}"), op, inputs).constants(constants));
        }
    }
    let mut noise = Noise::new(22);
    let op = Dense { bias: false, activation: Activation::None };
    cases.push(Case::new("no bias", op, vec![noise.signed(&[2, 7]), noise.signed(&[3, 7])]).constants(1..2));
    cases
}

backend_test!(cases, tensor_cores);

#[test]
fn gradient() {
    for activation in [Activation::None, Activation::Relu] {
        Gradient::new(Dense { bias: true, activation }, inputs(&[&[3, 2, 2], &[5, 4], &[5]])).check();
        Gradient::new(Dense { bias: false, activation }, inputs(&[&[1, 7], &[1, 7]])).check();
    }
}
