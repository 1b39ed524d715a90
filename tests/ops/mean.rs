use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, noise};
use warpface::ops::Mean;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 6] = [&[0], &[1], &[70], &[4096], &[3, 1367], &[9001]];
    shapes.map(|dims| Case::new(format!("{dims:?}"), Mean, vec![Noise::new(26).tensor(dims, -1.0, 3.0)])).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(Mean, vec![noise(4, &[3, 4])]).check();
}
