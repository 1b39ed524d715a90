//! Gradients of pools: some channels of an image are a task, over which the windows pass in order.

use super::conv2d::ConvGeometry;
use super::vectorized::vectorized;
use super::workers::{Shared, Workers};

/// Channels of a task.
const GROUP: usize = 64;

vectorized! {
    /// Gives a pixel what is left of its window's gradient where it is the maximum.
    fn give_max(dx: &mut [f32], x: &[f32], y: &[f32], left: &mut [f32]) {
        for (((dx, &x), &y), left) in dx.iter_mut().zip(x).zip(y).zip(left) {
            *dx += if x == y { *left } else { 0.0 };
            *left = if x == y { 0.0 } else { *left };
        }
    }

    /// A window of zeros gives nothing.
    fn give_norm(dx: &mut [f32], x: &[f32], y: &[f32], dy: &[f32]) {
        for (((dx, &x), &y), &dy) in dx.iter_mut().zip(x).zip(y).zip(dy) {
            *dx += if y > 0.0 { dy * (x / y) } else { 0.0 };
        }
    }

    fn give_mean(dx: &mut [f32], dy: &[f32], count: f32) {
        dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += dy / count);
    }
}

/// Which pool: of a maximum or a norm, with its input and output.
#[derive(Clone, Copy)]
pub(super) enum Pool<'a> {
    Max { x: &'a [f32], y: &'a [f32] },
    Mean,
    Norm { x: &'a [f32], y: &'a [f32] },
}

/// Runs it: `geometry` is the forward pool's.
///
/// # Safety
/// `dx` is writable for every value of the pool's input and overlaps nothing.
pub(super) unsafe fn run(workers: Workers, geometry: ConvGeometry, pool: Pool, dy: &[f32], dx: *mut f32) {
    let [n, h, w, c] = geometry.x;
    let [ay, ax] = geometry.axes;
    let (groups, dx) = (c.div_ceil(GROUP), Shared::new(dx));
    workers.each(n * groups, |task| {
        let (image, first) = (task / groups, task % groups * GROUP);
        let last = c.min(first + GROUP);
        let of = |pixel: usize| pixel * c + first..pixel * c + last;
        // SAFETY: tasks have images or channels of their own; the rest is the caller's promise.
        let pixel_of_dx = |pixel: usize| unsafe { dx.slice(of(pixel)) };
        // Rows are cleared when the first window reaches them, so that they are in cache.
        let mut cleared = 0;
        let mut clear_to = |end: usize| {
            let rows = cleared..end.max(cleared);
            cleared = rows.end;
            rows.flat_map(|iy| (0..w).map(move |ix| (image * h + iy) * w + ix)).for_each(|i| pixel_of_dx(i).fill(0.0));
        };
        let mut left = vec![0.0f32; last - first];
        for (oy, ox) in (0..ay.out).flat_map(|oy| (0..ax.out).map(move |ox| (oy, ox))) {
            let rows = ay.span(oy, h, geometry.kernel[0], geometry.stride[0]);
            clear_to(rows.end);
            let columns = ax.span(ox, w, geometry.kernel[1], geometry.stride[1]);
            let count = (rows.len() * columns.len()) as f32;
            let output = of((image * ay.out + oy) * ax.out + ox);
            let dy = &dy[output.clone()];
            left.copy_from_slice(dy);
            for pixel in rows.flat_map(|iy| columns.clone().map(move |ix| (image * h + iy) * w + ix)) {
                let dx = pixel_of_dx(pixel);
                match pool {
                    Pool::Max { x, y } => {
                        give_max(workers.isa(), dx, &x[of(pixel)], &y[output.clone()], &mut left);
                    }
                    Pool::Mean => give_mean(workers.isa(), dx, dy, count),
                    Pool::Norm { x, y } => give_norm(workers.isa(), dx, &x[of(pixel)], &y[output.clone()], dy),
                }
            }
        }
        clear_to(h);
    });
}
