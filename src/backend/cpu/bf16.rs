//! What a plan stores in bf16, and which ops take it as it is: those that the time goes to, and those that move values.
//! Every other op runs in f32 on values that are widened before and rounded after.

use crate::Precision;
use crate::graph::{Region, View};
use crate::ops::Op;

/// Whether a view's values are stored in bf16.
pub(super) fn is_narrow(precision: Precision, view: &View) -> bool {
    precision == Precision::Bf16 && view.region == Region::Arena && !view.keep_f32
}

/// Bytes of a view's values.
pub(super) fn bytes(precision: Precision, view: &View) -> usize {
    if is_narrow(precision, view) { 2 } else { 4 }
}

/// Whether an op multiplies in bf16: `constant` and `narrow` tell an input's values that are known when a graph is loaded,
/// and those stored in bf16, as the output's are.
pub(super) fn multiplies(op: &Op, constant: impl Fn(usize) -> bool, narrow: impl Fn(usize) -> bool) -> bool {
    match op {
        Op::Conv2d(op) => constant(1) && narrow(0) && op.optional_inputs()[2].is_none_or(narrow),
        Op::Dense(_) => constant(1) && narrow(0),
        _ => false,
    }
}

/// Whether an op moves or reduces values in whichever type its output is stored.
pub(super) fn takes_any(op: &Op) -> bool {
    let pools = matches!(op, Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::L2Pool2d(_));
    let moves = matches!(op, Op::Flatten(_) | Op::Cast(_) | Op::Part(_) | Op::Slice(_) | Op::Pad2d(_));
    pools || moves || matches!(op, Op::Concat(_) | Op::Join(_))
}
