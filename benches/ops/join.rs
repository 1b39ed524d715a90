use crate::{Bench, op, x};
use warpface::ops::Join;

pub fn cases(bench: &mut Bench) {
    op(bench, "a network's gradients", Join, vec![x([1 << 20]), x([100]), x([1 << 20])]);
}
