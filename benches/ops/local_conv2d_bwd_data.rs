use crate::{Bench, op, w, x};
use warpface::ops::LocalConv2dBwdData;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    let (image, filters, outputs) = ([n, 25, 25, 16], [17, 17, 16, 9, 9, 16], [n, 17, 17, 16]);
    let data = LocalConv2dBwdData { stride: [1, 1] };
    op(bench, "9x9 16 to 16", data, vec![x(outputs), w(filters), x(image)]);
}
