use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::Shape;
use warpface::ops::{Op, Pad2d};

/// Around, on some sides, cut off, and both at once.
const BORDERS: [[[i32; 2]; 2]; 6] =
    [[[0, 0], [0, 0]], [[3, 3], [3, 3]], [[3, 4], [1, 0]], [[-1, -2], [-3, -1]], [[2, -3], [-4, 5]], [[0, 9], [11, 0]]];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for borders in BORDERS {
        for dims in [[2, 5, 7, 3], [1, 6, 6, 16]] {
            cases.push(Case::new(
                format!("{borders:?} {dims:?}"),
                Pad2d { borders },
                vec![Noise::new(66).signed(&dims)],
            ));
        }
    }
    cases.push(Case::new("a pixel", Pad2d::around(1), vec![Noise::new(67).signed(&[3, 1, 1, 1])]));
    cases
}

backend_test!(cases);

#[test]
fn gradient() {
    for borders in BORDERS {
        Gradient::new(Pad2d { borders }, inputs(&[&[2, 5, 6, 2]])).check();
    }
}

#[test]
fn what_leaves_nothing_is_refused() {
    let shape = |borders| Op::from(Pad2d { borders }).shape(&[&Shape::from([1, 4, 4, 1])]);
    assert_eq!(shape([[-1, -2], [0, 3]]).unwrap(), Shape::from([1, 1, 7, 1]));
    for borders in [[[-2, -2], [0, 0]], [[0, 0], [-4, 9]], [[0, i32::MAX], [0, 0]], [[i32::MIN, i32::MAX], [0, 0]]] {
        let error = shape(borders).unwrap_err();
        assert!(error.contains("leave nothing of 4x4"), "{error}");
    }
}
