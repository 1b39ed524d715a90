use crate::{Bench, op_in_f32, x};
use warpface::ops::TripletLoss;

pub fn cases(bench: &mut Bench) {
    let rows = || x([30, 128]);
    op_in_f32(bench, "30 triplets, 128", TripletLoss { margin: 0.2 }, vec![rows(), rows(), rows()]);
}
