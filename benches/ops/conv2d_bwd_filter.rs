use crate::{Bench, Layer, op};
use warpface::ops::Conv2dBwdFilter;

pub fn cases(bench: &mut Bench) {
    for layer in Layer::all(bench) {
        let (stride, padding) = (layer.stride, layer.padding);
        op(bench, &layer.name, Conv2dBwdFilter { stride, padding }, vec![layer.x, layer.dy, layer.w]);
    }
}
