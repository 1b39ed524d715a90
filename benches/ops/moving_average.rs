use crate::{Bench, UPDATED, one, op_in_f32, x};
use warpface::ops::MovingAverage;

pub fn cases(bench: &mut Bench) {
    // What is measured has a copy of the state in it, for the state is an input here.
    let inputs = vec![x([UPDATED]), x([UPDATED]), one(1.0)];
    op_in_f32(bench, "4 million", MovingAverage { decay: 0.995 }, inputs);
}
