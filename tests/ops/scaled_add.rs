use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::ScaledAdd;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[2, 3, 3, 1792], &[63]];
    let case = |dims: &[usize]| {
        let mut noise = Noise::new(3);
        Case::new(format!("{dims:?}"), ScaledAdd { scale: 0.17 }, vec![noise.signed(dims), noise.signed(dims)])
    };
    shapes.map(case).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(ScaledAdd { scale: 0.17 }, inputs(&[&[2, 3], &[2, 3]])).check();
    Gradient::new(ScaledAdd { scale: 1.0 }, inputs(&[&[2, 3], &[2, 3]])).check();
}
