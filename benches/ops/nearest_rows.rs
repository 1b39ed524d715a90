use crate::{Bench, DIMENSIONS, labels, op_in_f32, w, x};
use warpface::ops::{NearestRows, RowStorage};

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([256, 128]), labels(256, 1000), x([20_000, 128]), labels(20_000, 1000)];
    let others = NearestRows { k: 16, others: true, storage: RowStorage::F32 };
    op_in_f32(bench, "16 of 20,000 others for 256, 128", others, inputs);
    // A search of one photograph, and of many, among constants.
    for (m, storage) in [
        (1, RowStorage::F32),
        (1, RowStorage::F16),
        (1, RowStorage::Int8),
        (256, RowStorage::F32),
        (256, RowStorage::Int8),
    ] {
        let nearest = NearestRows { k: 16, others: false, storage };
        let inputs = vec![x([m, DIMENSIONS]), w([60_000, DIMENSIONS])];
        op_in_f32(bench, &format!("16 of 60,000 in {storage:?} for {m}, {DIMENSIONS}"), nearest, inputs);
    }
}
