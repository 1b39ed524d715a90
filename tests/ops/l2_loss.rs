use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, noise};
use warpface::ops::L2Loss;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[70], &[4096], &[3, 1367], &[20_001]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), L2Loss, vec![Noise::new(37).signed(dims)])).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(L2Loss, vec![noise(13, &[2, 3, 2])]).check();
}
