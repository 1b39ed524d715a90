use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::Cast;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[2, 3, 3, 64], &[5, 1, 7]];
    let cases = shapes.iter().flat_map(|dims| {
        let x = || vec![Noise::new(10).signed(dims)];
        [
            Case::new(format!("f32 {dims:?}"), Cast { keep_f32: true }, x()),
            Case::new(format!("stored {dims:?}"), Cast { keep_f32: false }, x()),
            Case::new(format!("a constant {dims:?}"), Cast { keep_f32: true }, x()).constants(0..1),
        ]
    });
    cases.collect()
}

backend_test!(cases);

#[test]
fn gradient() {
    [true, false].into_iter().for_each(|keep_f32| Gradient::new(Cast { keep_f32 }, inputs(&[&[2, 3]])).check());
}
