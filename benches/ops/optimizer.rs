use crate::{Bench, UPDATED, one, op_in_f32, x};
use warpface::ops::{Optimizer, OptimizerKind};

pub fn cases(bench: &mut Bench) {
    // What is measured has a copy of the state in it, for the state is an input here.
    for kind in OptimizerKind::ALL {
        let op = Optimizer { kind, decayed: UPDATED, decay: 5e-4, average: true };
        let inputs = vec![x([op.rows(), UPDATED]), x([UPDATED]), x([3]), one(1.0)];
        op_in_f32(bench, &format!("{kind:?}, 4 million weights"), op, inputs);
    }
}
