//! What ops on channels share: rows side by side, so that few channels fill vectors as many do, and sums in blocks whose
//! size depends on the extents alone.

use super::reduce::Sums;
use super::vectorized::vectorized;
use super::workers::Workers;

/// Values that a row should have at least.
const WIDE: usize = 256;
/// Values of a block, about: they stay in cache for a second pass.
const BLOCK: usize = 1 << 15;

/// `[rows, c]` seen as rows of several rows' values; the last one may be shorter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    pub c: usize,
    /// Rows side by side.
    times: usize,
}

impl Channels {
    pub fn new(c: usize) -> Self {
        Channels { c, times: WIDE.div_ceil(c.max(1)) }
    }

    /// Values of a wide row.
    pub fn width(&self) -> usize {
        self.c * self.times
    }

    /// Values of a block: whole wide rows.
    pub fn block(&self) -> usize {
        (BLOCK / self.width().max(1)).max(1) * self.width().max(1)
    }

    /// A value for each channel, over a wide row.
    pub fn spread(&self, of: impl Fn(usize) -> f32) -> Vec<f32> {
        let once: Vec<f32> = (0..self.c).map(of).collect();
        once.repeat(self.times)
    }

    /// A wide row's sums, by channel.
    pub fn fold<'a>(&self, wide: &'a [f32]) -> impl Iterator<Item = f64> + 'a {
        let c = self.c;
        (0..c).map(move |channel| wide[channel..].iter().step_by(c).map(|&x| f64::from(x)).sum())
    }

    /// Runs `task` on every block of `len` values; it writes `per` values for each block, which are returned.
    pub fn blocks(
        &self,
        workers: Workers,
        len: usize,
        per: usize,
        task: impl Fn(std::ops::Range<usize>) -> Vec<f64> + Send + Sync,
    ) -> Vec<f64> {
        let mut partial = vec![0.0f64; len.div_ceil(self.block()) * per];
        let to = Sums(partial.as_mut_ptr());
        workers.pieces(len, self.block(), |i, piece| {
            for (at, value) in task(piece).into_iter().take(per).enumerate() {
                // SAFETY: each block has values of its own, `per` of them.
                unsafe { to.set(i * per + at, value) };
            }
        });
        partial
    }

    /// Adds up the blocks' values in order.
    pub fn add_up(partial: &[f64], per: usize) -> Vec<f32> {
        let mut sums = vec![0.0f64; per];
        for block in partial.chunks_exact(per.max(1)) {
            sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += x);
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }
}

/// Four wide rows: what they add up to is read and written once for all of them.
#[inline(always)]
pub(super) fn quarters(rows: &[f32]) -> [&[f32]; 4] {
    let (first, second) = rows.split_at(rows.len() / 2);
    let ((a, b), (c, d)) = (first.split_at(first.len() / 2), second.split_at(second.len() / 2));
    [a, b, c, d]
}

vectorized! {
    /// Adds wide rows up.
    pub fn add_rows(sums: &mut [f32], x: &[f32]) {
        let width = sums.len();
        let mut fours = x.chunks_exact(4 * width);
        for x in &mut fours {
            let [a, b, c, d] = quarters(x);
            for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *sum += (a + b) + (c + d);
            }
        }
        fours.remainder().chunks(width).for_each(|x| sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x));
    }
}

/// `sum over rows of x: [.., c]`, `[c]`.
pub(super) fn sum(workers: Workers, x: &[f32], c: usize) -> Vec<f32> {
    let channels = Channels::new(c);
    let partial = channels.blocks(workers, x.len(), c, |block| {
        let mut sums = vec![0.0; channels.width()];
        add_rows(workers.isa(), &mut sums, &x[block]);
        channels.fold(&sums).collect()
    });
    Channels::add_up(&partial, c)
}
