//! Local response normalization over channels (Krizhevsky et al. 2012), as `tf.nn.lrn`.

use std::ops::Range;

use serde::Deserialize;

use super::{LrnBwd, Operator, Real, Tolerance, Vjp, arity, channels};
use crate::{Shape, Tensor};

/// `y = x / (bias + alpha * sum of x^2 over the window)^beta`, the window being the channels at most `radius` away.
///
/// `alpha` is each element's, as TensorFlow has it; Torch's and Caffe's is divided by the window's `2 * radius + 1`
/// elements first. Input: `x: [.., c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lrn {
    /// Channels of the window on either side.
    pub radius: usize,
    /// The least that is raised to the power; above 0. Also called k.
    pub bias: f32,
    /// The factor of each square; 0 at least.
    pub alpha: f32,
    /// The exponent.
    pub beta: f32,
}

impl Lrn {
    /// Checks the attributes, and that `x` has channels.
    pub(super) fn check(&self, inputs: &[&Shape]) -> Result<(), String> {
        let &Lrn { bias, alpha, beta, .. } = self;
        let sound = bias > 0.0 && alpha >= 0.0 && [bias, alpha, beta].iter().all(|x| x.is_finite());
        if !sound {
            return Err(format!(
                "expected a bias above 0 and an alpha of 0 at least, got {bias} and {alpha} (beta {beta})"
            ));
        }
        channels(inputs, 0, "x").map(|_| ())
    }

    /// The channels of `c` that the window of channel `i` covers.
    pub(super) fn window(&self, i: usize, c: usize) -> Range<usize> {
        i.saturating_sub(self.radius)..i.saturating_add(self.radius).saturating_add(1).min(c)
    }

    /// What the channels of a row are divided by, before it is raised to `beta`.
    pub(super) fn divisors<T: Real>(&self, row: &[T]) -> Vec<T> {
        let [bias, alpha] = [self.bias, self.alpha].map(|x| T::of(x.into()));
        let square = |i: usize| row[self.window(i, row.len())].iter().fold(T::zero(), |sum, &x| sum + x * x);
        (0..row.len()).map(|i| bias + alpha * square(i)).collect()
    }
}

impl Operator for Lrn {
    const STEM: &'static str = "lrn";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        self.check(inputs)?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        let window = self.window(self.radius, output.last()).len() as u64;
        (2 * window + 3) * output.elements() as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        // GPUs' powers and roots are off by some last bits.
        Tolerance::new(1e-6, 1e-5)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (mut y, beta) = (inputs[0].clone(), T::of(self.beta.into()));
        let c = y.shape().last().max(1);
        for row in y.data_mut().chunks_mut(c) {
            let divisors = self.divisors(row);
            row.iter_mut().zip(divisors).for_each(|(x, d)| *x = *x * d.powf(-beta));
        }
        y
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let &Lrn { radius, bias, alpha, beta } = self;
        let inputs = [at.input(0), at.dy()];
        at.gradient(0, "dx", LrnBwd { radius, bias, alpha, beta }, &inputs);
        Ok(())
    }
}
