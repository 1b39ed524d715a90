//! Batch normalization in training: each op reads its input once.

use super::channels::{Channels, add_rows, quarters};
use super::vectorized::vectorized;
use super::workers::{Shared, Workers};
use crate::ops::{Activation, BatchMoments, BatchNormTrain};

vectorized! {
    /// Adds up wide rows' squared distances from `mean`.
    fn add_squares(sums: &mut [f32], x: &[f32], mean: &[f32]) {
        let width = sums.len();
        let mut fours = x.chunks_exact(4 * width);
        for x in &mut fours {
            let [a, b, c, d] = quarters(x);
            for (((((sum, &mean), &a), &b), &c), &d) in sums.iter_mut().zip(mean).zip(a).zip(b).zip(c).zip(d) {
                let (a, b, c, d) = (a - mean, b - mean, c - mean, d - mean);
                *sum += (a * a + b * b) + (c * c + d * d);
            }
        }
        for x in fours.remainder().chunks(width) {
            sums.iter_mut().zip(x).zip(mean).for_each(|((sum, &x), &mean)| *sum += (x - mean) * (x - mean));
        }
    }

    /// Rows as long as `mean`, which in `to` begin `stride` values apart.
    fn normalize(to: &mut [f32], stride: usize, x: &[f32], mean: &[f32], factor: &[f32], beta: &[f32], floor: f32) {
        let width = mean.len();
        for (to, x) in to.chunks_mut(stride).zip(x.chunks(width)) {
            for ((((to, &x), &mean), &factor), &beta) in to.iter_mut().zip(x).zip(mean).zip(factor).zip(beta) {
                let z = (x - mean) * factor + beta;
                *to = if z > floor { z } else { floor };
            }
        }
    }

    fn add_gradients(sums: [&mut [f32]; 2], x: &[f32], dy: &[f32], mean: &[f32], factor: &[f32], beta: &[f32], floor: f32) {
        let [dz_sum, product_sum] = sums;
        let width = mean.len();
        let (mut xs, mut dys) = (x.chunks_exact(4 * width), dy.chunks_exact(4 * width));
        for (x, dy) in (&mut xs).zip(&mut dys) {
            add_gradients_of_rows(dz_sum, product_sum, quarters(x), quarters(dy), mean, factor, beta, floor);
        }
        for (x, dy) in xs.remainder().chunks(width).zip(dys.remainder().chunks(width)) {
            add_gradients_of_rows(dz_sum, product_sum, [x], [dy], mean, factor, beta, floor);
        }
    }

    fn gradient(to: &mut [f32], x: &[f32], dy: &[f32], mean: &[f32], factor: &[f32], beta: &[f32], means: [&[f32]; 2], floor: f32) {
        let width = mean.len();
        let [first, second] = means;
        for ((to, x), dy) in to.chunks_mut(width).zip(x.chunks(width)).zip(dy.chunks(width)) {
            let values = to.iter_mut().zip(x).zip(dy);
            let channels = mean.iter().zip(factor).zip(beta).zip(first).zip(second);
            for (((to, &x), &dy), ((((&mean, &factor), &beta), &first), &second)) in values.zip(channels) {
                let centered = x - mean;
                let dz = if centered * factor + beta > floor { dy } else { 0.0 };
                *to = factor * (dz - first - centered * second);
            }
        }
    }
}

/// Adds up the gradients of some wide rows, of which the last may be shorter where it is alone.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
fn add_gradients_of_rows<const ROWS: usize>(
    dz_sum: &mut [f32],
    product_sum: &mut [f32],
    x: [&[f32]; ROWS],
    dy: [&[f32]; ROWS],
    mean: &[f32],
    factor: &[f32],
    beta: &[f32],
    floor: f32,
) {
    let width = x[0].len();
    let (x, dy) = (x.map(|x| &x[..width]), dy.map(|dy| &dy[..width]));
    let (dz_sum, product_sum) = (&mut dz_sum[..width], &mut product_sum[..width]);
    let (mean, factor, beta) = (&mean[..width], &factor[..width], &beta[..width]);
    for i in 0..width {
        let (mut sum, mut product) = (0.0, 0.0);
        for row in 0..ROWS {
            let centered = x[row][i] - mean[i];
            let dz = if centered * factor[i] + beta[i] > floor { dy[row][i] } else { 0.0 };
            sum += dz;
            product += dz * centered;
        }
        dz_sum[i] += sum;
        product_sum[i] += product;
    }
}

/// Mean, variance and unbiased variance of each channel: `[3, c]`. Each block in two passes, blocks merged in order
/// (Chan, Golub & LeVeque 1983).
pub(super) fn moments(workers: Workers, x: &[f32], c: usize) -> Vec<f32> {
    let (channels, isa) = (Channels::new(c), workers.isa());
    let partial = channels.blocks(workers, x.len(), 2 * c, |block| {
        let rows = (block.len() / c) as f64;
        let x = &x[block];
        let mut sums = vec![0.0; channels.width()];
        add_rows(isa, &mut sums, x);
        let means: Vec<f64> = channels.fold(&sums).map(|sum| sum / rows).collect();
        let mean = channels.spread(|channel| means[channel] as f32);
        sums.fill(0.0);
        add_squares(isa, &mut sums, x, &mean);
        // The distances are from the mean as f32 has it.
        let off = means.iter().zip(&mean).map(|(exact, &mean)| exact - f64::from(mean));
        let squares: Vec<f64> = channels.fold(&sums).zip(off).map(|(sum, off)| sum - rows * off * off).collect();
        [means, squares].concat()
    });
    let (mut count, mut mean, mut squares) = (0.0, vec![0.0; c], vec![0.0; c]);
    for (i, block) in partial.chunks_exact(2 * c).enumerate() {
        let rows = ((x.len() - i * channels.block()).min(channels.block()) / c) as f64;
        let whole = count + rows;
        for channel in 0..c {
            let delta = block[channel] - mean[channel];
            mean[channel] += delta * rows / whole;
            squares[channel] += block[c + channel] + delta * delta * count * rows / whole;
        }
        count = whole;
    }
    let biased = squares.iter().map(|square| f64::max(square / count, 0.0));
    let unbiased = biased.clone().map(|variance| variance * BatchMoments::correction(count as usize));
    mean.iter().copied().chain(biased).chain(unbiased).map(|value| value as f32).collect()
}

/// The layer's constants over a wide row.
pub(super) struct Layer<'a> {
    x: &'a [f32],
    channels: Channels,
    mean: Vec<f32>,
    rate: Vec<f32>,
    /// Gamma over the deviation.
    factor: Vec<f32>,
    beta: Vec<f32>,
    /// What the output is at least.
    floor: f32,
}

impl<'a> Layer<'a> {
    /// Of the inputs that the layer and its gradients begin with.
    pub fn new(op: &BatchNormTrain, x: &'a [f32], moments: &[f32], beta: &[f32], gamma: Option<&[f32]>) -> Self {
        let channels = Channels::new(beta.len());
        let rate = |c: usize| (moments[channels.c + c] + op.epsilon).sqrt().recip();
        Layer {
            x,
            mean: channels.spread(|c| moments[c]),
            rate: channels.spread(rate),
            factor: channels.spread(|c| gamma.map_or(1.0, |gamma| gamma[c]) * rate(c)),
            beta: channels.spread(|c| beta[c]),
            floor: if op.activation == Activation::Relu { 0.0 } else { f32::NEG_INFINITY },
            channels,
        }
    }

    /// The output, whose rows begin `stride` values apart.
    ///
    /// # Safety
    /// `to` is writable from the first row to the end of the last, and overlaps nothing; nothing uses what lies between
    /// its rows meanwhile.
    pub unsafe fn forward(&self, workers: Workers, to: *mut f32, stride: usize) {
        let (to, c) = (Shared::new(to), self.channels.c);
        // Rows without gaps are taken several at a time.
        let (width, stride_of_width) =
            if stride == c { (self.channels.width(), self.channels.width()) } else { (c, stride) };
        let [mean, factor, beta] = [&self.mean, &self.factor, &self.beta].map(|values| &values[..width]);
        workers.pieces(self.x.len(), self.channels.block(), |_, block| {
            let (first, last) = (block.start / c, block.end / c - 1);
            // SAFETY: blocks are apart; the rest is the caller's promise.
            let to = unsafe { to.slice(first * stride..last * stride + c) };
            normalize(workers.isa(), to, stride_of_width, &self.x[block], mean, factor, beta, self.floor);
        });
    }

    /// The gradients of beta and gamma, `[2, c]`.
    pub fn sums(&self, workers: Workers, dy: &[f32]) -> Vec<f32> {
        let (channels, c) = (self.channels, self.channels.c);
        let partial = channels.blocks(workers, self.x.len(), 2 * c, |block| {
            let (mut sum, mut product) = (vec![0.0; channels.width()], vec![0.0; channels.width()]);
            let (x, dy) = (&self.x[block.clone()], &dy[block]);
            let sums = [&mut sum[..], &mut product];
            add_gradients(workers.isa(), sums, x, dy, &self.mean, &self.factor, &self.beta, self.floor);
            let products = channels.fold(&product).zip(&self.rate).map(|(sum, &rate)| sum * f64::from(rate));
            channels.fold(&sum).chain(products).collect()
        });
        Channels::add_up(&partial, 2 * c)
    }

    /// The gradient of `x`.
    ///
    /// # Safety
    /// `to` is writable for as many values as `x` has, and overlaps nothing.
    pub unsafe fn backward(&self, workers: Workers, sums: &[f32], dy: &[f32], to: *mut f32) {
        let (channels, c) = (self.channels, self.channels.c);
        let rows = (self.x.len() / c.max(1)) as f32;
        let first = channels.spread(|channel| sums[channel] / rows);
        let second = channels.spread(|channel| sums[c + channel] / rows * self.rate[channel]);
        let to = Shared::new(to);
        workers.pieces(self.x.len(), channels.block(), |_, block| {
            // SAFETY: blocks are apart; the rest is the caller's promise.
            let to = unsafe { to.slice(block.clone()) };
            let (x, dy, means) = (&self.x[block.clone()], &dy[block], [&first[..], &second]);
            gradient(workers.isa(), to, x, dy, &self.mean, &self.factor, &self.beta, means, self.floor);
        });
    }
}
