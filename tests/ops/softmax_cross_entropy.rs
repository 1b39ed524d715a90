use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, given, noise};
use warpface::Tensor;
use warpface::ops::SoftmaxCrossEntropy;

/// Labels of `classes`.
fn labels(noise: &mut Noise, n: usize, classes: usize) -> Tensor {
    let drawn = (0..n).map(|_| (noise.unit() * classes as f32).floor().min(classes as f32 - 1.0));
    Tensor::new([n], drawn.collect())
}

fn cases() -> Vec<Case> {
    let mut noise = Noise::new(23);
    let mut case = |n: usize, c: usize, most: f32| {
        let inputs = vec![noise.tensor(&[n, c], -most, most), labels(&mut noise, n, c)];
        Case::new(format!("{n} {c} {most}"), SoftmaxCrossEntropy, inputs)
    };
    let mut cases = vec![
        case(1, 1, 1.0),
        case(3, 2, 300.0),
        case(70, 10, 3.0),
        case(2, 255, 1.0),
        case(2, 257, 1.0),
        case(1, 3001, 5.0),
    ];
    let none = Tensor::new([5], vec![-1.0, 4.0, 1.5, 3.0, f32::NAN]);
    cases.push(Case::new("labels that are no class", SoftmaxCrossEntropy, vec![noise.signed(&[5, 4]), none]));
    cases
}

backend_test!(cases);

#[test]
fn gradient() {
    let labels = given(&[4], &[2.0, 0.0, 4.0, 2.0]);
    Gradient::new(SoftmaxCrossEntropy, vec![noise(3, &[4, 5]), labels]).wanted(&[0]).check();
}
