use crate::local_conv2d::Layer;
use crate::{Bench, op};
use warpface::ops::LocalConv2dBwdBias;

pub fn cases(bench: &mut Bench) {
    for Layer { name, dy, .. } in Layer::all(bench) {
        op(bench, &name, LocalConv2dBwdBias, vec![dy]);
    }
}
