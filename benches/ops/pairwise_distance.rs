use crate::{Bench, op_in_f32, x};
use warpface::ops::{Metric, PairwiseDistance};

pub fn cases(bench: &mut Bench) {
    let squared = PairwiseDistance { metric: Metric::Euclidean };
    op_in_f32(bench, "euclidean 256 by 256, 512", squared, vec![x([256, 512]), x([256, 512])]);
    let cosine = PairwiseDistance { metric: Metric::Cosine };
    op_in_f32(bench, "cosine 256 by 256, 512", cosine, vec![x([256, 512]), x([256, 512])]);
}
