use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::Scale;

fn cases() -> Vec<Case> {
    let shapes: [(&[usize], f32); 5] =
        [(&[1], 2.0), (&[65], -0.17), (&[2, 3, 5, 7], 0.1), (&[5, 3, 12], 3.0), (&[10_003], 0.0)];
    let case = |(dims, factor): (&[usize], f32)| {
        Case::new(format!("{factor} {dims:?}"), Scale { factor }, vec![Noise::new(33).signed(dims)])
    };
    shapes.map(case).into()
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(Scale { factor: -0.3 }, inputs(&[&[2, 3]])).check();
}
