use crate::{Bench, op, w, x};
use warpface::ops::LocalConv2dBwdFilter;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    let (image, filters, outputs) = ([n, 25, 25, 16], [17, 17, 16, 9, 9, 16], [n, 17, 17, 16]);
    let filter = LocalConv2dBwdFilter { stride: [1, 1] };
    op(bench, "9x9 16 to 16", filter, vec![x(image), x(outputs), w(filters)]);
}
