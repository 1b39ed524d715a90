//! Where the windows of output pixels lie in the input, as runs: stretches that are contiguous for every pixel.

use std::ops::Range;

use super::conv2d::ConvGeometry;
use super::element::Element;
use super::simd::Isa;
use super::vectorized::vectorized;

/// Values that are copied at once.
const LINE: usize = 16;

/// The windows of some output pixels.
pub(super) struct Windows<E> {
    /// Runs of a window.
    pub runs: usize,
    /// Values of a run.
    pub run: usize,
    /// Where each run starts for each pixel: `[runs][pixels]`.
    pub starts: Vec<*const E>,
    /// What starts point to, besides the input: zeros for a run of padding, or whole windows.
    _values: Vec<E>,
}

/// The first tap of some pixels' windows: row, column, and the value's place in the input. What lies before the border
/// wraps below zero, and so is past the extent as well.
struct Corners {
    rows: Vec<usize>,
    columns: Vec<usize>,
    places: Vec<usize>,
}

impl Corners {
    fn new(g: &ConvGeometry, pixels: Range<usize>) -> Self {
        let ([_, h, w, c], [ay, ax]) = (g.x, g.axes);
        let with = || Vec::with_capacity(pixels.len());
        let mut corners = Corners { rows: with(), columns: with(), places: with() };
        let mut at = pixels.start;
        // An output row after the other, or what there is of it.
        while at < pixels.end {
            let (ox, oy, image) = (at % ax.out, at / ax.out % ay.out, at / ax.out / ay.out);
            let len = (ax.out - ox).min(pixels.end - at);
            let (iy, ix) = ((oy * g.stride[0]).wrapping_sub(ay.before), (ox * g.stride[1]).wrapping_sub(ax.before));
            let place = (image * h).wrapping_add(iy).wrapping_mul(w).wrapping_add(ix).wrapping_mul(c);
            corners.rows.extend(std::iter::repeat_n(iy, len));
            corners.columns.extend((0..len).map(|i| ix.wrapping_add(i * g.stride[1])));
            corners.places.extend((0..len).map(|i| place.wrapping_add(i * g.stride[1] * c)));
            at += len;
        }
        corners
    }
}

impl<E: Element> Windows<E> {
    /// Those of `pixels`. The input is read in place, but for an odd number of channels where a step takes two values:
    /// then a pixel's window is copied, and is one run.
    pub fn new(isa: Isa, g: &ConvGeometry, x: &[E], pixels: Range<usize>) -> Self {
        let corners = Corners::new(g, pixels);
        if !g.x[3].is_multiple_of(E::STEP) {
            return Self::copied(g, x, &corners);
        }
        let (runs, run) = g.runs();
        let zeros = vec![E::default(); run];
        let n = corners.places.len();
        let mut starts: Vec<*const E> = vec![zeros.as_ptr(); runs * n];
        let columns = if runs == g.kernel[0] { 1 } else { g.kernel[1] };
        let [_, h, w, c] = g.x;
        for (at, starts) in starts.chunks_exact_mut(n).enumerate() {
            let (ky, kx) = (at / columns, at % columns);
            inside(isa, starts, x.as_ptr(), &corners, [ky, kx, (ky * w + kx) * c], [h, w]);
        }
        Windows { runs, run, starts, _values: zeros }
    }

    /// Windows side by side, each filled up with zeros to whole steps.
    fn copied(g: &ConvGeometry, x: &[E], corners: &Corners) -> Self {
        let ([_, h, w, c], [k_h, k_w]) = (g.x, g.kernel);
        let (n, values) = (corners.places.len(), k_h * k_w * c);
        let run = values.next_multiple_of(E::STEP);
        // A line more, since lines are copied whole.
        let mut copies = vec![E::default(); n * run + LINE];
        let starts = |copies: &[E]| copies.chunks_exact(run).map(<[E]>::as_ptr).take(n).collect();
        if g.is_unpadded() {
            for (pixel, &place) in corners.places.iter().enumerate() {
                let window = &mut copies[pixel * run..][..run + LINE];
                (0..k_h).for_each(|ky| copy(&mut window[ky * k_w * c..], x, place + ky * w * c, k_w * c));
                window[values..run].fill(E::default());
            }
            return Windows { runs: 1, run, starts: starts(&copies), _values: copies };
        }
        for pixel in 0..n {
            let (row, column, place) = (corners.rows[pixel], corners.columns[pixel], corners.places[pixel]);
            // Taps of a row within the image: those between.
            let before = if column >= w { column.wrapping_neg().min(k_w) } else { 0 };
            let end = w.wrapping_sub(column).min(k_w);
            let window = &mut copies[pixel * run..][..run + LINE];
            for ky in 0..k_h {
                let to = &mut window[ky * k_w * c..];
                if row.wrapping_add(ky) >= h {
                    to[..k_w * c].fill(E::default());
                    continue;
                }
                copy(&mut to[before * c..], x, place.wrapping_add((ky * w + before) * c), (end - before) * c);
                if end - before < k_w {
                    to[..before * c].fill(E::default());
                    to[end * c..k_w * c].fill(E::default());
                }
            }
            (values..run).for_each(|i| window[i] = E::default());
        }
        Windows { runs: 1, run, starts: starts(&copies), _values: copies }
    }
}

/// Copies `len` values, and further ones up to a line, where there are some.
#[inline(always)]
fn copy<E: Element>(to: &mut [E], x: &[E], from: usize, len: usize) {
    match (to.first_chunk_mut::<LINE>(), x[from..].first_chunk::<LINE>()) {
        (Some(to), Some(line)) if len <= LINE => *to = *line,
        _ => to[..len].copy_from_slice(&x[from..from + len]),
    }
}

vectorized! {
    /// Writes where a tap of some pixels lies, of those whose tap is within the image: its row and column after the
    /// windows' first ones, and how far it is from there.
    fn inside[E: Element](to: &mut [*const E], x: *const E, corners: &Corners, tap: [usize; 3], extents: [usize; 2]) {
        let pixels = corners.rows.iter().zip(&corners.columns).zip(&corners.places);
        for (to, ((&row, &column), &place)) in to.iter_mut().zip(pixels) {
            let inside = row.wrapping_add(tap[0]) < extents[0] && column.wrapping_add(tap[1]) < extents[1];
            *to = if inside { x.wrapping_add(place.wrapping_add(tap[2])) } else { *to };
        }
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;
    use crate::ops::window::{Padding, axes};

    #[test]
    fn copies_are_the_windows_and_zeros_around() {
        for (kernel, padding) in [
            ([3, 3], Padding::Valid),
            ([3, 3], Padding::Same),
            ([3, 1], Padding::Valid),
            ([3, 1], Padding::Same),
            ([1, 7], Padding::Same),
            ([1, 1], Padding::Valid),
        ] {
            for (c, stride) in [(3, [1, 1]), (3, [2, 2]), (1, [2, 1]), (17, [1, 2])] {
                check([2, 6, 9, c], kernel, stride, padding);
            }
        }
    }

    fn check(extents: [usize; 4], kernel: [usize; 2], stride: [usize; 2], padding: Padding) {
        let [n, h, w, c] = extents;
        let axes = axes([h, w], kernel, stride, padding).unwrap();
        let geometry = ConvGeometry { x: extents, kernel, stride, axes };
        let x: Vec<bf16> = (0..n * h * w * c).map(|i| bf16::from_f32((i % 199) as f32 + 1.0)).collect();
        let windows = Windows::new(Isa::Portable, &geometry, &x, 0..geometry.pixels());
        assert_eq!(windows.runs, 1);
        for pixel in 0..geometry.pixels() {
            let (ox, oy, image) =
                (pixel % axes[1].out, pixel / axes[1].out % axes[0].out, pixel / axes[1].out / axes[0].out);
            let mut expected = Vec::new();
            for (ky, kx, k) in
                (0..kernel[0]).flat_map(|y| (0..kernel[1]).flat_map(move |x| (0..c).map(move |k| (y, x, k))))
            {
                let (y, x_) = (oy * stride[0] + ky, ox * stride[1] + kx);
                let inside = (axes[0].before..h + axes[0].before).contains(&y)
                    && (axes[1].before..w + axes[1].before).contains(&x_);
                expected.push(match inside {
                    true => x[((image * h + y - axes[0].before) * w + x_ - axes[1].before) * c + k],
                    false => bf16::ZERO,
                });
            }
            expected.resize(windows.run, bf16::ZERO);
            // SAFETY: a window's run is readable.
            let got = unsafe { std::slice::from_raw_parts(windows.starts[pixel], windows.run) };
            assert_eq!(got, expected, "{extents:?} by {kernel:?} in steps of {stride:?}, pixel {pixel}");
        }
    }
}
