use crate::{Bench, one, op_in_f32, x};
use warpface::ops::{Triplet, TripletLossBwd};

pub fn cases(bench: &mut Bench) {
    for wrt in [Triplet::Anchor, Triplet::Positive, Triplet::Negative] {
        let inputs = vec![x([1800, 128]), x([1800, 128]), x([1800, 128]), one(1.0)];
        op_in_f32(bench, &format!("{wrt:?}, 1,800 of 128"), TripletLossBwd { margin: 0.2, wrt }, inputs);
    }
}
