use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::ops::Cast;

fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[2, 3, 3, 64], &[5, 1, 7]];
    let cases = shapes.iter().flat_map(|dims| {
        let x = || vec![Noise::new(10).signed(dims)];
        [
            Case::new(format!("exact {dims:?}"), Cast { exact: true }, x()),
            Case::new(format!("stored {dims:?}"), Cast { exact: false }, x()),
            Case::new(format!("a constant {dims:?}"), Cast { exact: true }, x()).constants(0..1),
        ]
    });
    cases.collect()
}

backend_test!(cases);

#[test]
fn gradient() {
    [true, false].into_iter().for_each(|exact| Gradient::new(Cast { exact }, inputs(&[&[2, 3]])).check());
}
