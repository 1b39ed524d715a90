use crate::{Bench, labels, one, op_in_f32, x};
use warpface::ops::CenterUpdate;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([10_000, 512]), x([90, 512]), labels(90, 10_000), one(1.0)];
    op_in_f32(bench, "90 rows, 10,000 classes", CenterUpdate { alfa: 0.95 }, inputs);
}
