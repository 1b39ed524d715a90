use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, given, noise};
use warpface::ops::L2Normalize;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1, 1], &[5, 512], &[2, 3, 129], &[3]];
    let op = L2Normalize { epsilon: 1e-10 };
    let mut cases: Vec<Case> = shapes
        .into_iter()
        .map(|dims| Case::new(format!("{dims:?}"), op.clone(), vec![Noise::new(9).signed(dims)]))
        .collect();
    cases.push(Case::new("nearly zero", op, vec![Noise::new(9).tensor(&[4, 16], 0.0, 1e-7)]));
    cases
}

backend_test!(cases);

#[test]
fn gradient() {
    let op = L2Normalize { epsilon: 0.5 };
    // The first row's norm is what it is divided by, the second's is too small.
    let x = given(&[2, 3], &[1.0, -0.7, 0.4, 0.1, -0.2, 0.3]);
    Gradient::new(op, vec![x]).check();
    Gradient::new(L2Normalize { epsilon: 1e-10 }, vec![noise(1, &[2, 3, 7])]).check();
}
