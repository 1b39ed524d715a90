//! Pools, channel-wise: a row of outputs is a running reduction of rows of inputs.

use super::conv2d::{ConvGeometry, Output};
use super::workers::Workers;

/// Which reduction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reduce {
    Max,
    Mean,
    /// Euclidean.
    Norm,
}

/// Runs a pool.
///
/// # Safety
/// `y` is writable for every output pixel and does not overlap `x`.
pub(super) unsafe fn run(workers: Workers, geometry: ConvGeometry, x: &[f32], reduce: Reduce, y: Output) {
    let [n, h, w, c] = geometry.x;
    let [ay, ax] = geometry.axes;
    assert_eq!(x.len(), n * h * w * c);
    let line = |line: usize| {
        let (oy, image) = (line % ay.out, line / ay.out);
        let rows = ay.span(oy, h, geometry.kernel[0], geometry.stride[0]);
        for ox in 0..ax.out {
            let columns = ax.span(ox, w, geometry.kernel[1], geometry.stride[1]);
            // SAFETY: each output pixel is written by one line alone; the caller promises the rest.
            let out = unsafe { std::slice::from_raw_parts_mut(y.pixel(line * ax.out + ox), c) };
            out.fill(if reduce == Reduce::Max { f32::NEG_INFINITY } else { 0.0 });
            for iy in rows.clone() {
                for ix in columns.clone() {
                    let pixel = &x[((image * h + iy) * w + ix) * c..][..c];
                    match reduce {
                        Reduce::Max => out.iter_mut().zip(pixel).for_each(|(y, x)| *y = y.max(*x)),
                        Reduce::Mean => out.iter_mut().zip(pixel).for_each(|(y, x)| *y += x),
                        Reduce::Norm => out.iter_mut().zip(pixel).for_each(|(y, x)| *y += x * x),
                    }
                }
            }
            match reduce {
                Reduce::Max => {}
                Reduce::Mean => {
                    let count = (rows.len() * columns.len()) as f32;
                    out.iter_mut().for_each(|y| *y /= count);
                }
                Reduce::Norm => out.iter_mut().for_each(|y| *y = y.sqrt()),
            }
        }
    };
    workers.each(n * ay.out, line);
}
