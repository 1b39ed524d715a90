//! From an op at its sizes to calls: which entry point, with which parameters and operands, in which dispatch size.
//!
//! The kernels are written twice, in WGSL and in CUDA, with the same stems, parameters and operands; what differs,
//! tiles and the work of one workgroup, is decided by the [`Dialect`]. Each op has a file of its stem, with the parameters
//! of its kernels and how it is lowered; what ops share is in the files beside them.

mod convolution;
mod dialect;
mod elementwise;
mod filter_gradient;
mod filters;
mod kernel;
mod normalization;
pub(crate) mod params;
mod pool2d;
mod reductions;
mod sums;
mod updates;

pub(crate) use dialect::{Dialect, TensorCores, Tuning};
pub(crate) use filters::Packing;
pub(crate) use kernel::Dtype;
pub use kernel::tiles_header;
pub use params::{ParamsLayout, params_layouts};

use std::borrow::Cow;

#[cfg(feature = "cuda")]
use crate::Precision;
use crate::Shape;
use crate::graph::{NodeId, Region, Step, View};
use crate::ops::{self, Op, Operator, Port, RowStorage, for_each_op};
use kernel::Kernel;
use params::{Fields, Params, fields};

/// One dispatch of an entry point.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The shader.
    pub stem: &'static str,
    /// Its entry point.
    pub entry: Cow<'static, str>,
    /// CUDA: the type in the entry point's name.
    pub dtype: Dtype,
    /// The shader's `Params`.
    pub params: Vec<u8>,
    /// What bindings 1, 2, .. are.
    pub operands: Vec<Operand>,
    /// Dispatch size, in workgroups.
    pub groups: [u32; 3],
    /// CUDA: bytes of shared memory beyond what the kernel declares.
    pub shared: u32,
    /// CUDA: threads of a block, where the host counts on them.
    pub threads: Option<u32>,
}

/// CUDA's name of an entry point.
#[cfg(feature = "cuda")]
pub(crate) fn entry_name(entry: &str, dtype: Dtype, precision: Precision) -> String {
    match dtype {
        Dtype::Stored => format!("{entry}_{}", precision.storage()),
        Dtype::Multiplied => format!("{entry}_{}", precision.name()),
    }
}

/// What a binding is.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// A value of the plan.
    View(View),
    /// An input that is f32 whatever the precision: a bias, a slope, a statistic.
    Constant(View),
    /// A stretch of a value's elements. It begins at a multiple of 64, as a value does.
    Part {
        /// The value.
        of: View,
        /// Its first element,
        first: usize,
        /// and how many there are.
        elements: usize,
    },
    /// A parameter, packed.
    Packed(NodeId, Packed),
    /// Elements of the arena beyond the plan's own, for the step alone.
    Scratch(usize),
    /// A later range of the scratch elements.
    Further {
        /// Words before it,
        words: usize,
        /// and stored values after those words.
        values: usize,
        /// Its length, in stored values.
        elements: usize,
    },
    /// Constants that the host makes from the sizes.
    Table(Vec<u32>),
    /// CUDA: TMA's map of a convolution's input.
    Pixels(Box<PixelMap>),
    /// CUDA: TMA's map of a matrix.
    Matrix {
        /// Where its values lie, as they are stored, row by row.
        of: Box<Operand>,
        /// Values of a row, and rows.
        extents: [usize; 2],
        /// Values and rows of a copy.
        window: [usize; 2],
    },
    /// An absent optional constant.
    NoConstant,
    /// An absent optional value.
    NoValue,
}

/// How a parameter is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Packed {
    /// Filters, in the precision's type.
    Filters(Packing),
    /// Vectors `[n, d]`, in a type of their own.
    Vectors(RowStorage),
}

/// How TMA walks the windows of a convolution. Places are `[x, y]`.
#[derive(Clone, Debug)]
pub(crate) struct PixelMap {
    /// The input.
    pub x: View,
    /// The first window's place relative to the first pixel.
    pub lower: [i32; 2],
    /// The last window's place relative to the last pixel.
    pub upper: [i32; 2],
    /// Steps of the window.
    pub stride: [u32; 2],
    /// Channels of a copy.
    pub channels: u32,
    /// Pixels of a copy.
    pub pixels: u32,
}

impl PixelMap {
    /// The walk of windows over `x: [n, h, w, c]`; what is of axes is `[y, x]`, `before` below zero being within `x`.
    fn new(
        x: View,
        stride: [usize; 2],
        before: [isize; 2],
        out: [usize; 2],
        channels: usize,
        pixels: usize,
    ) -> Result<PixelMap, String> {
        let [_, h, w, _] = x.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let last = |axis: usize, extent: usize| {
            ((out[axis] - 1) * stride[axis]) as i32 - before[axis] as i32 - (extent as i32 - 1)
        };
        Ok(PixelMap {
            lower: [-before[1] as i32, -before[0] as i32],
            upper: [last(1, w), last(0, h)],
            stride: [stride[1] as u32, stride[0] as u32],
            channels: channels as u32,
            pixels: pixels as u32,
            x,
        })
    }
}

impl Operand {
    /// An optional input that a shader declares as constant.
    fn constant(step: &Step, input: Option<usize>) -> Operand {
        input.map_or(Operand::NoConstant, |i| Operand::Constant(step.inputs[i].clone()))
    }

    /// Words of scratch memory up to the operand's end, at `values_of_word` stored values a word.
    pub fn scratch(&self, values_of_word: usize) -> usize {
        match self {
            Operand::Scratch(elements) => *elements,
            Operand::Further { words, values, elements } => words + (values + elements).div_ceil(values_of_word),
            _ => 0,
        }
    }
}

/// Inputs and output as operands, in this order, by what the op does with each input: those it reads as f32 are
/// constants, those it reads the extents of are not bound.
fn operands(step: &Step) -> Vec<Operand> {
    let bound = |(i, view): (usize, &View)| match step.op.port(i) {
        Port::Extents => None,
        Port::KeepF32 => Some(Operand::Constant(view.clone())),
        Port::Value | Port::Any => Some(Operand::View(view.clone())),
    };
    let inputs = step.inputs.iter().enumerate().filter_map(bound);
    inputs.chain([Operand::View(step.output.clone())]).collect()
}

/// What a step calls, or why no kernel takes it.
type Calls = Result<Vec<Call>, String>;

/// How an op runs on a GPU.
trait Lower: Operator {
    /// The parameters of its kernels.
    type Params: Fields;

    /// What a step of the op calls; its output is not empty.
    fn calls(&self, step: &Step, tuning: Tuning) -> Calls;

    /// How input `i` is packed if it is a parameter of this shape; `None` leaves it as it is.
    fn packing(&self, _i: usize, _shape: &Shape, _tuning: Tuning) -> Option<Packed> {
        None
    }
}

/// A call of an entry point.
fn call_at<P: Fields>(
    stem: &'static str,
    entry: Cow<'static, str>,
    params: P,
    operands: Vec<Operand>,
    groups: [u32; 3],
) -> Call {
    let params = bytemuck::bytes_of(&params).to_vec();
    Call { stem, entry, dtype: Dtype::Stored, params, operands, groups, shared: 0, threads: None }
}

/// A call of an entry point of an op's kernels.
fn call<L: Lower>(
    entry: impl Into<Cow<'static, str>>,
    params: L::Params,
    operands: Vec<Operand>,
    groups: [u32; 3],
) -> Call {
    call_at(L::STEM, entry.into(), params, operands, groups)
}

/// A call of an op's kernel on tiles.
fn call_on<L: Lower>(kernel: Kernel, params: L::Params, operands: Vec<Operand>, groups: [u32; 3]) -> Call {
    let (dtype, shared, threads) = (kernel.dtype, kernel.shared(), Some(kernel.threads));
    Call { dtype, shared, threads, ..call_at(L::STEM, kernel.entry, params, operands, groups) }
}

/// A call of an entry point of kernels that are no op's.
fn call_of<P: Params>(entry: &'static str, params: P, operands: Vec<Operand>, groups: [u32; 3]) -> Call {
    call_at(P::STEM, entry.into(), params, operands, groups)
}

macro_rules! lowered {
    ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
        $(mod $stem;)+

        /// What a step calls, whichever op it is of.
        fn lower(step: &Step, tuning: Tuning) -> Calls {
            match &step.op { $(Op::$name(op) => op.calls(step, tuning),)+ }
        }

        /// How input `i` of an op is packed if it is a parameter of this shape; `None` leaves it as it is.
        pub(crate) fn packing(op: &Op, i: usize, shape: &Shape, tuning: Tuning) -> Option<Packed> {
            match op { $(Op::$name(op) => op.packing(i, shape, tuning),)+ }
        }

        /// The parameters of every op's kernels.
        fn op_layouts() -> Vec<ParamsLayout> {
            vec![$(ParamsLayout::new::<<ops::$name as Lower>::Params>(ops::$name::STEM)),+]
        }
    };
}

for_each_op!(lowered);

/// What a step calls; nothing if it computes nothing.
pub(crate) fn calls(step: &Step, tuning: Tuning) -> Calls {
    if step.output.shape.elements() == 0 {
        return Ok(Vec::new());
    }
    // Kernels count in 32 bits: shaders the bytes of a binding, CUDA the elements of a value.
    let most = if tuning.cuda() { u32::MAX as usize } else { u32::MAX as usize / 4 };
    let end = |view: &View| if tuning.cuda() { view.span() } else { view.offset + view.span() };
    let too_large = |view: &&View| view.region == Region::Arena && end(view) > most;
    if step.inputs.iter().chain([&step.output]).any(|view| too_large(&view)) {
        return Err(format!("a value of over {} GiB; use a smaller batch", most.div_ceil(1 << 28)));
    }
    lower(step, tuning)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the planner uses is what kernels can do.
    #[test]
    fn outputs_with_gaps_are_of_kernels_that_take_them() {
        macro_rules! check {
            ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
                $(
                    let takes = <ops::$name as Lower>::Params::fields().iter().any(|(field, _)| *field == "y_stride");
                    assert_eq!(takes, ops::$name::STRIDED_OUTPUT, stringify!($stem));
                )+
            };
        }
        for_each_op!(check);
    }
}
