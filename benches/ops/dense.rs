use crate::{Bench, op, w, x};
use warpface::ops::{Activation, Dense};

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    let plain = Dense { bias: true, activation: Activation::None };
    op(bench, "bottleneck 1792 to 512", plain.clone(), vec![x([n, 1792]), w([512, 1792]), w([512])]);
    op(bench, "onet 1152 to 256", plain, vec![x([n, 1152]), w([256, 1152]), w([256])]);
}
