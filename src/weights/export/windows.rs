//! What both formats need of windows.

use crate::ops::Padding;
use crate::ops::window::{self, Axis};

/// Padding before both axes of an image of these extents, and after: rows, columns.
pub(super) fn pads(
    [h, w]: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
) -> Result<[[i64; 2]; 2], String> {
    let [y, x] = window::axes([h, w], kernel, stride, padding)?;
    let pad = |input: usize, axis: Axis, kernel: usize, stride: usize| {
        let after = ((axis.out - 1) * stride + kernel).saturating_sub(input + axis.before);
        [axis.before as i64, after as i64]
    };
    Ok([pad(h, y, kernel[0], stride[0]), pad(w, x, kernel[1], stride[1])])
}

/// For each position of a window within an axis the places that it covers: `[out, kernel]`, row-major.
pub(super) fn places(out: usize, kernel: usize, stride: usize) -> Vec<i64> {
    (0..out).flat_map(|position| (0..kernel).map(move |tap| (position * stride + tap) as i64)).collect()
}
