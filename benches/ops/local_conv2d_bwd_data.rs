use crate::local_conv2d::Layer;
use crate::{Bench, op};
use warpface::ops::LocalConv2dBwdData;

pub fn cases(bench: &mut Bench) {
    for Layer { name, stride, x, w, dy, .. } in Layer::all(bench) {
        op(bench, &name, LocalConv2dBwdData { stride }, vec![dy, w, x]);
    }
}
