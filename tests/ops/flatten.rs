use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::Flatten;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[2, 3, 3, 64], &[5, 1, 7]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), Flatten, vec![Noise::new(5).signed(dims)])).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(Flatten, inputs(&[&[2, 3, 2]])).check();
}
