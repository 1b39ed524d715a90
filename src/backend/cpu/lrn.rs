//! Local response normalization, row by row: squares between zeros, so that every channel's window is whole.

use super::elementwise::PIECE;
use super::vectorized::vectorized;
use super::workers::{Shared, Workers};

vectorized! {
    /// The sum of the `window` values from each channel's place on; `padded` has `window - 1` more than there are sums.
    fn windows(sums: &mut [f32], padded: &[f32], window: usize) {
        sums.fill(0.0);
        for from in 0..window {
            sums.iter_mut().zip(&padded[from..]).for_each(|(sum, &x)| *sum += x);
        }
    }

    /// From sums of squares to what a channel is divided by, and that to the power of `-beta`.
    fn factors(sums: &mut [f32], factors: &mut [f32], bias: f32, alpha: f32, beta: f32) {
        sums.iter_mut().for_each(|sum| *sum = bias + alpha * *sum);
        if beta == 0.75 {
            // Every published network's: two roots are much faster than a power.
            factors.iter_mut().zip(sums).for_each(|(factor, d)| {
                let root = d.sqrt();
                *factor = 1.0 / (root * root.sqrt());
            });
        } else {
            factors.iter_mut().zip(sums).for_each(|(factor, d)| *factor = d.powf(-beta));
        }
    }

    fn squares(to: &mut [f32], x: &[f32]) {
        to.iter_mut().zip(x).for_each(|(to, &x)| *to = x * x);
    }

    fn products(to: &mut [f32], x: &[f32], factors: &[f32]) {
        to.iter_mut().zip(x).zip(factors).for_each(|((to, &x), &factor)| *to = x * factor);
    }

    /// What each channel gives its neighbours' gradients.
    fn shares(to: &mut [f32], x: &[f32], dy: &[f32], factors: &[f32], divisors: &[f32]) {
        for ((((to, &x), &dy), &factor), &d) in to.iter_mut().zip(x).zip(dy).zip(factors).zip(divisors) {
            *to = dy * factor * x / d;
        }
    }

    fn gradients(dx: &mut [f32], x: &[f32], dy: &[f32], factors: &[f32], sums: &[f32], scale: f32) {
        for ((((dx, &x), &dy), &factor), &sum) in dx.iter_mut().zip(x).zip(dy).zip(factors).zip(sums) {
            *dx = dy * factor - scale * x * sum;
        }
    }
}

/// A layer on rows of `c` channels.
pub(super) struct Lrn {
    c: usize,
    /// Channels on either side, no more than there are.
    radius: usize,
    bias: f32,
    alpha: f32,
    beta: f32,
}

/// A row's values in the making.
struct Row {
    /// Squares, or shares, with `radius` zeros on either side.
    padded: Vec<f32>,
    sums: Vec<f32>,
    factors: Vec<f32>,
    neighbours: Vec<f32>,
}

impl Lrn {
    pub fn new(c: usize, radius: usize, [bias, alpha, beta]: [f32; 3]) -> Self {
        Lrn { c, radius: radius.min(c), bias, alpha, beta }
    }

    /// Normalizes rows of `x`.
    ///
    /// # Safety
    /// `y` is writable for as many values as `x` has, and overlaps nothing.
    pub unsafe fn forward(&self, workers: Workers, x: &[f32], y: *mut f32) {
        let isa = workers.isa();
        // SAFETY: as the caller promises.
        unsafe {
            self.rows(workers, x, y, |row, at, y| {
                let x = &x[at];
                self.factors(workers, row, x);
                products(isa, y, x, &row.factors);
            });
        }
    }

    /// The gradient of rows of `x`.
    ///
    /// # Safety
    /// As [`Lrn::forward`].
    pub unsafe fn backward(&self, workers: Workers, x: &[f32], dy: &[f32], dx: *mut f32) {
        let isa = workers.isa();
        let scale = 2.0 * self.alpha * self.beta;
        // SAFETY: as the caller promises.
        unsafe {
            self.rows(workers, x, dx, |row, at, dx| {
                let (x, dy) = (&x[at.clone()], &dy[at]);
                self.factors(workers, row, x);
                let within = self.radius..self.radius + self.c;
                shares(isa, &mut row.padded[within], x, dy, &row.factors, &row.sums);
                windows(isa, &mut row.neighbours, &row.padded, 2 * self.radius + 1);
                gradients(isa, dx, x, dy, &row.factors, &row.neighbours, scale);
            });
        }
    }

    /// What a row's channels are divided by, and their factors.
    fn factors(&self, workers: Workers, row: &mut Row, x: &[f32]) {
        let isa = workers.isa();
        squares(isa, &mut row.padded[self.radius..self.radius + self.c], x);
        windows(isa, &mut row.sums, &row.padded, 2 * self.radius + 1);
        factors(isa, &mut row.sums, &mut row.factors, self.bias, self.alpha, self.beta);
    }

    /// Runs `of` on each row: its place in `x`, and the row to write.
    ///
    /// # Safety
    /// As [`Lrn::forward`].
    unsafe fn rows(
        &self,
        workers: Workers,
        x: &[f32],
        to: *mut f32,
        of: impl Fn(&mut Row, std::ops::Range<usize>, &mut [f32]) + Send + Sync,
    ) {
        let (c, to) = (self.c, Shared::new(to));
        workers.pieces(x.len() / c, (PIECE / c).max(1), |_, piece| {
            let values = || vec![0.0; c];
            let mut row =
                Row { padded: vec![0.0; c + 2 * self.radius], sums: values(), factors: values(), neighbours: values() };
            for at in piece {
                let at = at * c..(at + 1) * c;
                // SAFETY: rows are apart; the rest is the caller's promise.
                of(&mut row, at.clone(), unsafe { to.slice(at) });
            }
        });
    }
}
