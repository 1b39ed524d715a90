use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, noise};
use warpface::ops::Softmax;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1, 1], &[70, 2], &[2, 3, 5, 2], &[3, 129]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), Softmax, vec![Noise::new(8).tensor(dims, -30.0, 30.0)])).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(Softmax, vec![noise(2, &[3, 5])]).check();
    Gradient::new(Softmax, vec![noise(2, &[2, 1])]).check();
}
