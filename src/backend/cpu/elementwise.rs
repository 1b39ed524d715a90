//! Ops on one element at a time, and copies.

use super::element::Element;
use super::vectorized::vectorized;
use super::workers::{Shared, Workers};

/// Values of a task.
pub(super) const PIECE: usize = 1 << 14;

vectorized! {
    pub fn relu(to: &mut [f32], x: &[f32]) {
        to.iter_mut().zip(x).for_each(|(to, &x)| *to = if x > 0.0 { x } else { 0.0 });
    }

    pub fn relu_bwd(to: &mut [f32], y: &[f32], dy: &[f32]) {
        to.iter_mut().zip(y).zip(dy).for_each(|((to, &y), &dy)| *to = if y > 0.0 { dy } else { 0.0 });
    }

    pub fn scale(to: &mut [f32], x: &[f32], factor: f32) {
        to.iter_mut().zip(x).for_each(|(to, &x)| *to = factor * x);
    }

    pub fn scaled_add(to: &mut [f32], a: &[f32], b: &[f32], factor: f32) {
        to.iter_mut().zip(a).zip(b).for_each(|((to, &a), &b)| *to = a + factor * b);
    }

    pub fn add_scaled(to: &mut [f32], b: &[f32], factor: f32) {
        to.iter_mut().zip(b).for_each(|(to, &b)| *to += factor * b);
    }

    /// Copies rows to rows of `stride`.
    pub fn copy_rows<'a>(to: &mut [f32], stride: usize, rows: usize, from: impl Fn(usize) -> &'a [f32]) {
        for (row, to) in to.chunks_exact_mut(stride).take(rows).enumerate() {
            let from = from(row);
            // Whole vectors without a call.
            match from.len() {
                32 => to[..32].copy_from_slice(&from[..32]),
                16 => to[..16].copy_from_slice(&from[..16]),
                8 => to[..8].copy_from_slice(&from[..8]),
                len => to[..len].copy_from_slice(from),
            }
        }
    }

    pub fn moving_average(average: &mut [f32], x: &[f32], part: f32) {
        average.iter_mut().zip(x).for_each(|(average, &x)| *average -= part * (*average - x));
    }
}

/// Runs `task` on pieces of `len` elements of the output; it is given the piece and the input elements' range.
///
/// # Safety
/// `to` is writable for `len` elements, and overlaps nothing that `task` reads but through its first argument.
pub(super) unsafe fn run<E: Element>(
    workers: Workers,
    to: *mut E,
    len: usize,
    task: impl Fn(&mut [E], std::ops::Range<usize>) + Send + Sync,
) {
    let to = Shared::new(to);
    workers.pieces(len, PIECE, |_, piece| {
        // SAFETY: pieces are apart; the rest is the caller's promise.
        task(unsafe { to.slice(piece.clone()) }, piece);
    });
}

/// Copies.
///
/// # Safety
/// As [`run`].
pub(super) unsafe fn copy<E: Element>(workers: Workers, to: *mut E, from: &[E]) {
    // SAFETY: as the caller promises.
    unsafe { run(workers, to, from.len(), |to, piece| to.copy_from_slice(&from[piece])) }
}

/// Copies channels `first..` of rows of `stride` values, as many as `to`'s rows take.
pub(super) struct Rows<'a, E> {
    pub from: &'a [E],
    pub first: usize,
    pub stride: usize,
    pub channels: usize,
}

impl<E: Element> Rows<'_, E> {
    /// Copies each row to `to + row * to_stride`.
    ///
    /// # Safety
    /// The rows of `to` are writable and overlap nothing.
    pub unsafe fn copy(&self, workers: Workers, to: *mut E, to_stride: usize) {
        if self.channels == 0 {
            return;
        }
        let to = Shared::new(to);
        let rows = self.from.len() / self.stride;
        workers.pieces(rows, (PIECE / self.channels).max(1), |_, piece| {
            for row in piece {
                // SAFETY: rows are apart; the rest is the caller's promise.
                let to = unsafe { to.slice(row * to_stride..row * to_stride + self.channels) };
                to.copy_from_slice(&self.from[row * self.stride + self.first..][..self.channels]);
            }
        });
    }
}
