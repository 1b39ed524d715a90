use crate::{Bench, Layer, op};
use warpface::ops::Conv2dBwdData;

pub fn cases(bench: &mut Bench) {
    for layer in Layer::all(bench) {
        let (stride, padding) = (layer.stride, layer.padding);
        op(bench, &layer.name, Conv2dBwdData { stride, padding }, vec![layer.dy, layer.w, layer.x]);
    }
}
