use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, WINDOWS, inputs};
use warpface::ops::{MaxPool2d, Padding};

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for padding in [Padding::Same, Padding::Valid] {
        for (dims, [k_h, k_w], stride) in [
            ([1, 1, 1, 1], [1, 1], 1),
            ([2, 5, 7, 3], [2, 2], 2),
            ([1, 8, 9, 33], [3, 3], 2),
            ([3, 23, 23, 10], [3, 3], 2),
            ([1, 6, 11, 5], [2, 3], 3),
        ] {
            let op = MaxPool2d { kernel: [k_h, k_w], stride: [stride; 2], padding };
            cases.push(Case::new(format!("{op:?} {dims:?}"), op, vec![Noise::new(18).signed(&dims)]));
        }
    }
    let around = MaxPool2d { kernel: [3; 2], stride: [2; 2], padding: Padding::Around(1) };
    cases.push(Case::new(format!("{around:?}"), around, vec![Noise::new(18).signed(&[2, 6, 7, 5])]));
    cases
}

backend_test!(cases);

#[test]
fn gradient() {
    for (kernel, stride, padding) in WINDOWS {
        Gradient::new(MaxPool2d { kernel, stride, padding }, inputs(&[&[2, 5, 6, 2]])).check();
    }
}
