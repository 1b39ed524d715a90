use crate::{Bench, labels, op_in_f32, x};
use warpface::ops::NearestOther;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([256, 128]), labels(256, 1000), x([20_000, 128]), labels(20_000, 1000)];
    op_in_f32(bench, "16 of 20,000 for 256, 128", NearestOther { k: 16 }, inputs);
}
