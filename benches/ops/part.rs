use crate::{Bench, op, w};
use warpface::Shape;
use warpface::ops::Part;

pub fn cases(bench: &mut Bench) {
    op(bench, "the last filters", Part::At(64, Shape::from([1 << 20])), vec![w([1 << 21])]);
}
