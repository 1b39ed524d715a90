//! What the file of an op provides.

use num_traits::Float;

use super::{Tolerance, Vjp};
use crate::{Shape, Tensor};

/// A scalar the reference computes in.
pub trait Real: Float + Default + Send + Sync + std::iter::Sum + std::fmt::Debug + 'static {
    /// The nearest value to an attribute or a parameter.
    fn of(x: f64) -> Self;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }
}

/// What the file of an op provides.
pub trait Operator {
    /// The op's name in every room: `src/ops/STEM.rs`, `shaders/STEM.wgsl`, `kernels/STEM.cu`, `tests/ops/STEM.rs`.
    const STEM: &'static str;

    /// Whether the kernels of every backend can write rows of the last axis with gaps between them: into their place in
    /// a concatenation's output.
    const STRIDED_OUTPUT: bool = false;

    /// Whether the result may be computed again for a gradient rather than kept; not worth it where it is small or
    /// takes no memory.
    const RECOMPUTABLE: bool = true;

    /// Whether the kernels are written for f32 alone, as those of pixels and boxes are.
    const F32_ALONE: bool = false;

    /// The output's shape, or why these inputs do not fit: which input, what was expected, what was given.
    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String>;

    /// Floating-point operations of one execution; a multiply-add counts two. Data movement counts nothing.
    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64;

    /// The CPU reference. The inputs' shapes have passed [`Operator::shape`].
    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T>;

    /// What the op does with input `i`.
    fn port(&self, _i: usize) -> Port {
        Port::Value
    }

    /// Whether the output is f32 in every precision: a statistic, a loss, a weight's gradient.
    fn keep_f32(&self) -> bool {
        false
    }

    /// The input whose memory the output may take: element `i` of the output reads no element of it but `i`.
    fn in_place(&self) -> Option<usize> {
        None
    }

    /// Whether input `i` is led by a batch, each image of the output depending on the same image of such inputs, and
    /// otherwise on constants alone. An op without such an input mixes images.
    fn by_image(&self, _i: usize) -> bool {
        false
    }

    /// How far f32 arithmetic may be from the exact result; equal values, unless an op says more: it moves values,
    /// chooses among them, or counts.
    #[doc(hidden)]
    fn tolerance(&self) -> Tolerance {
        Tolerance::EXACT
    }

    /// Appends the gradients of the inputs that are wanted, given the output's.
    ///
    /// # Errors
    /// Why there is no gradient, and what to do.
    fn vjp(&self, _: &mut Vjp) -> Result<(), String> {
        Err(format!("{} has no gradient", Self::STEM))
    }
}

/// What an op does with an input. Where a precision stores values in 16 bits, some inputs are f32 all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Reads it as it is stored; all such inputs, and the output, are stored alike.
    Value,
    /// Reads f32: a bias, a statistic, a label, a loss.
    KeepF32,
    /// Reads it however it is stored: a filter, which is packed first.
    Any,
    /// Reads its extents alone.
    Extents,
}
