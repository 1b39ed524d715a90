use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, given, noise};
use warpface::Tensor;
use warpface::ops::CenterLoss;

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(31);
    let mut case = |classes: usize, d: usize, labels: &[f32]| {
        let n = labels.len();
        let inputs = vec![noise.signed(&[n, d]), noise.signed(&[classes, d]), Tensor::new([n], labels.to_vec())];
        Case::new(format!("{n} {classes} {d}"), CenterLoss, inputs).constants(1..2)
    };
    vec![
        case(1, 1, &[0.0]),
        case(2, 3, &[]),
        case(5, 128, &[4.0, 0.0, 4.0]),
        case(7, 129, &(0..70).map(|i| (i * i % 7) as f32).collect::<Vec<_>>()),
        case(3, 4, &[0.0, 3.0]),
        case(3, 4, &[-1.0, 1.0]),
    ]
}

backend_test!(cases);

#[test]
fn gradient() {
    let labels = given(&[4], &[1.0, 2.0, 1.0, 0.0]);
    Gradient::new(CenterLoss, vec![noise(9, &[4, 3]), noise(10, &[3, 3]), labels]).wanted(&[0]).check();
}
