use crate::Case;
use crate::common::Noise;
use crate::gradient::{Gradient, inputs};
use warpface::Shape;
use warpface::ops::Part;

fn cases() -> Vec<Case> {
    let x = |dims: &[usize]| Noise::new(8).signed(dims);
    vec![
        Case::new("single", Part::At(0, Shape::from([1])), vec![x(&[1])]),
        Case::new("aligned", Part::At(64, Shape::from([2, 3])), vec![x(&[100])]),
        Case::new("unaligned", Part::At(7, Shape::from([3, 5])), vec![x(&[5, 9])]),
        Case::new("of a constant", Part::At(64, Shape::from([70])), vec![x(&[140])]).constants(0..1),
        Case::new("first row", Part::Row(0), vec![x(&[2, 33])]),
        Case::new("row", Part::Row(2), vec![x(&[3, 5, 7])]),
        Case::new("like", Part::Like, vec![x(&[4, 6]), x(&[2, 3, 4])]),
    ]
}

backend_test!(cases);

#[test]
fn gradient() {
    Gradient::new(Part::Like, inputs(&[&[2, 3], &[3, 2]])).wanted(&[0]).check();
}
