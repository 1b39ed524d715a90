use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, WINDOWS, inputs};
use crate::windows;
use warpface::ops::L2Pool2d;

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    windows::each(|dims, kernel, stride, padding| {
        let op = L2Pool2d { kernel, stride, padding };
        cases.push(Case::new(format!("{op:?} {dims:?}"), op, vec![Noise::new(63).signed(&dims)]));
    });
    cases
}

backend_test!(cases);

#[test]
fn gradient() {
    for (kernel, stride, padding) in WINDOWS {
        Gradient::new(L2Pool2d { kernel, stride, padding }, inputs(&[&[2, 5, 6, 2]])).check();
    }
}
