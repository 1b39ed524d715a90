use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, noise};
use warpface::ops::{Lrn, Op};
use warpface::{Shape, Tensor};

/// Keras-OpenFace's, Torch's of five channels, and others.
const LAYERS: [Lrn; 4] = [
    Lrn { radius: 5, bias: 1.0, alpha: 1e-4, beta: 0.75 },
    Lrn { radius: 2, bias: 1.0, alpha: 2e-5, beta: 0.75 },
    Lrn { radius: 3, bias: 0.5, alpha: 0.8, beta: 0.6 },
    Lrn { radius: 0, bias: 2.0, alpha: 1.5, beta: 1.0 },
];

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1, 1], &[2, 5, 3, 64], &[1, 7, 7, 192], &[9, 4], &[129]];
    let mut cases = Vec::new();
    for op in LAYERS {
        for dims in shapes {
            cases.push(Case::new(format!("{op:?} {dims:?}"), op.clone(), vec![Noise::new(61).tensor(dims, -9.0, 9.0)]));
        }
    }
    cases
}

backend_test!(cases);

#[test]
fn gradient() {
    for op in LAYERS {
        Gradient::new(op, vec![noise(3, &[2, 3, 11])]).check();
    }
    // A window wider than there are channels.
    Gradient::new(Lrn { radius: usize::MAX, bias: 1.0, alpha: 0.3, beta: 0.75 }, vec![noise(4, &[2, 5])]).check();
}

#[test]
fn a_window_is_cut_at_the_first_and_last_channel() {
    let op = Lrn { radius: 1, bias: 1.0, alpha: 1.0, beta: 1.0 };
    let y = Op::from(op).reference::<f64>(&[&Tensor::new([4], vec![1.0, 2.0, 3.0, 4.0])]);
    assert_eq!(y.data(), [1.0 / 6.0, 2.0 / 15.0, 3.0 / 30.0, 4.0 / 26.0]);
}

#[test]
fn what_could_divide_by_zero_is_refused() {
    let shape = |op: Lrn| Op::from(op).shape(&[&Shape::from([2, 8])]);
    let good = Lrn { radius: 2, bias: 1.0, alpha: 1e-4, beta: 0.75 };
    assert!(shape(good.clone()).is_ok());
    for bad in [
        Lrn { bias: 0.0, ..good.clone() },
        Lrn { alpha: -1.0, ..good.clone() },
        Lrn { beta: f32::NAN, ..good.clone() },
        Lrn { bias: f32::INFINITY, ..good },
    ] {
        let error = shape(bad).unwrap_err();
        assert!(error.contains("expected a bias above 0"), "{error}");
    }
}
