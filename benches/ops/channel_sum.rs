use crate::{Bench, block35, op};
use warpface::ops::ChannelSum;

pub fn cases(bench: &mut Bench) {
    let dy = block35(bench);
    op(bench, "block35", ChannelSum, vec![dy]);
}
