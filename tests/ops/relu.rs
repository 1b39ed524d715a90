use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::Relu;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1], &[65], &[2, 3, 5, 7], &[100_003]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), Relu, vec![Noise::new(1).signed(dims)])).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(Relu, inputs(&[&[3, 5]])).check();
}
