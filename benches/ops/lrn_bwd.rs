use crate::{Bench, op, x};
use warpface::ops::LrnBwd;

pub fn cases(bench: &mut Bench) {
    let image = || x([bench.batch(), 24, 24, 192]);
    let inputs = vec![image(), image()];
    op(bench, "11 of 192 on 24x24", LrnBwd { radius: 5, bias: 1.0, alpha: 1e-4, beta: 0.75 }, inputs);
}
