use crate::local_conv2d::Layer;
use crate::{Bench, op};
use warpface::ops::LocalConv2dBwdFilter;

pub fn cases(bench: &mut Bench) {
    for Layer { name, stride, x, w, dy, .. } in Layer::all(bench) {
        op(bench, &name, LocalConv2dBwdFilter { stride }, vec![x, dy, w]);
    }
}
