use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, WINDOWS, inputs};
use crate::windows;
use warpface::ops::MaxPool2d;

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    windows::each(|dims, kernel, stride, padding| {
        let op = MaxPool2d { kernel, stride, padding };
        cases.push(Case::new(format!("{op:?} {dims:?}"), op, vec![Noise::new(18).signed(&dims)]));
    });
    cases
}

backend_test!(cases);

#[test]
fn gradient() {
    for (kernel, stride, padding) in WINDOWS {
        Gradient::new(MaxPool2d { kernel, stride, padding }, inputs(&[&[2, 5, 6, 2]])).check();
    }
}
