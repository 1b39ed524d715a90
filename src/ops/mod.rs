//! The closed set of operations that graphs are made of, one file per op: attributes, shape rule, cost, CPU reference.
//!
//! The reference is the oracle every backend is compared with: generic over `f32` and `f64`, written for reading.
//! Activations are NHWC, filters OHWI, and every tensor is dense and row-major.

mod accuracy;
mod avg_pool2d;
mod avg_pool2d_bwd;
mod batch_moments;
mod batch_norm;
mod batch_norm_bwd_data;
mod batch_norm_bwd_sums;
mod batch_norm_train;
mod box_pad;
mod box_regression;
mod cast;
mod center_loss;
mod center_loss_bwd;
mod center_update;
mod channel_sum;
mod concat;
mod conv2d;
mod conv2d_bwd_data;
mod conv2d_bwd_filter;
mod crop;
mod dense;
mod dense_bwd_data;
mod dense_bwd_filter;
mod dropout;
mod flatten;
mod gather_rows;
mod gather_rows_bwd;
mod is_finite;
mod join;
mod l2_loss;
mod l2_loss_bwd;
mod l2_normalize;
mod l2_normalize_bwd;
mod local_conv2d;
mod local_conv2d_bwd_bias;
mod local_conv2d_bwd_data;
mod local_conv2d_bwd_filter;
mod max_pool2d;
mod max_pool2d_bwd;
mod mean;
mod mean_bwd;
mod mine_triplets;
mod moving_average;
mod nearest_other;
mod nms;
mod norm_loss;
mod norm_loss_bwd;
mod optimizer;
mod pairwise_distance;
mod part;
mod prelu;
mod prelu_bwd_alpha;
mod prelu_bwd_data;
mod relu;
mod relu_bwd;
mod rerec;
mod resize_area;
mod resize_bilinear;
mod scale;
mod scaled_add;
mod slice;
mod softmax;
mod softmax_bwd;
mod softmax_cross_entropy;
mod softmax_cross_entropy_bwd;
mod standardize;
mod triplet_loss;
mod triplet_loss_bwd;
pub mod window;

pub use accuracy::Accuracy;
pub use avg_pool2d::AvgPool2d;
pub use avg_pool2d_bwd::AvgPool2dBwd;
pub use batch_moments::BatchMoments;
pub use batch_norm::BatchNorm;
pub use batch_norm_bwd_data::BatchNormBwdData;
pub use batch_norm_bwd_sums::BatchNormBwdSums;
pub use batch_norm_train::BatchNormTrain;
pub use box_pad::BoxPad;
pub use box_regression::BoxRegression;
pub use cast::Cast;
pub use center_loss::CenterLoss;
pub use center_loss_bwd::CenterLossBwd;
pub use center_update::CenterUpdate;
pub use channel_sum::ChannelSum;
pub use concat::Concat;
pub use conv2d::Conv2d;
pub use conv2d_bwd_data::Conv2dBwdData;
pub use conv2d_bwd_filter::Conv2dBwdFilter;
pub use crop::Crop;
pub use dense::Dense;
pub use dense_bwd_data::DenseBwdData;
pub use dense_bwd_filter::DenseBwdFilter;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use gather_rows::GatherRows;
pub use gather_rows_bwd::GatherRowsBwd;
pub use is_finite::IsFinite;
pub use join::Join;
pub use l2_loss::L2Loss;
pub use l2_loss_bwd::L2LossBwd;
pub use l2_normalize::L2Normalize;
pub use l2_normalize_bwd::L2NormalizeBwd;
pub use local_conv2d::LocalConv2d;
pub use local_conv2d_bwd_bias::LocalConv2dBwdBias;
pub use local_conv2d_bwd_data::LocalConv2dBwdData;
pub use local_conv2d_bwd_filter::LocalConv2dBwdFilter;
pub use max_pool2d::MaxPool2d;
pub use max_pool2d_bwd::MaxPool2dBwd;
pub use mean::Mean;
pub use mean_bwd::MeanBwd;
pub use mine_triplets::{MineTriplets, Mining};
pub use moving_average::MovingAverage;
pub use nearest_other::NearestOther;
pub use nms::{Nms, Overlap};
pub use norm_loss::NormLoss;
pub use norm_loss_bwd::NormLossBwd;
pub(crate) use optimizer::step as optimizer_step;
pub use optimizer::{Optimizer, OptimizerKind};
pub use pairwise_distance::{Metric, PairwiseDistance};
pub use part::Part;
pub use prelu::PRelu;
pub use prelu_bwd_alpha::PReluBwdAlpha;
pub use prelu_bwd_data::PReluBwdData;
pub use relu::Relu;
pub use relu_bwd::ReluBwd;
pub use rerec::Rerec;
pub use resize_area::ResizeArea;
pub use resize_bilinear::ResizeBilinear;
pub use scale::Scale;
pub use scaled_add::ScaledAdd;
pub use slice::Slice;
pub use softmax::Softmax;
pub use softmax_bwd::SoftmaxBwd;
pub use softmax_cross_entropy::SoftmaxCrossEntropy;
pub use softmax_cross_entropy_bwd::SoftmaxCrossEntropyBwd;
pub use standardize::Standardize;
pub use triplet_loss::TripletLoss;
pub use triplet_loss_bwd::{Triplet, TripletLossBwd};
pub use window::Padding;

use num_traits::Float;

use crate::graph::{NodeId, Vjp};
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
    /// The op's name in every room: `src/ops/STEM.rs`, `shaders/STEM.wgsl`, `tests/ops/STEM.rs`.
    const STEM: &'static str;

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
    fn exact_output(&self) -> bool {
        false
    }

    /// The input whose memory the output may take: element `i` of the output reads no element of it but `i`.
    fn in_place(&self) -> Option<usize> {
        None
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
    Exact,
    /// Reads it however it is stored: a filter, which is packed first.
    Any,
    /// Reads its extents alone.
    Extents,
}

/// What a fused op does to its result, last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(y, 0)`.
    Relu,
    /// `max(y, 0) + alpha * min(y, 0)`, one alpha per channel, given as a further input.
    PRelu,
}

impl Activation {
    /// `y` after the activation; `alpha` is its channel's slope where the activation is [`Activation::PRelu`].
    pub fn apply<T: Real>(self, y: T, alpha: Option<T>) -> T {
        match self {
            Activation::None => y,
            Activation::Relu => y.max(T::zero()),
            Activation::PRelu => y.max(T::zero()) + alpha.unwrap_or_else(T::zero) * y.min(T::zero()),
        }
    }
}

/// The gradient before a fused activation, given the one after it.
fn activation_vjp(activation: Activation, at: &mut Vjp) -> Result<NodeId, String> {
    match activation {
        Activation::None => Ok(at.dy()),
        Activation::Relu => Ok(at.op("dz", ReluBwd, &[at.y(), at.dy()])),
        Activation::PRelu => Err("a fused PReLU has no gradient; make it an op of its own".into()),
    }
}

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One operation with its attributes.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            $($(#[$doc])* $name($name),)+
        }

        impl Op {
            /// The stem of every op, in order.
            pub const STEMS: &'static [&'static str] = &[$($name::STEM),+];

            /// See [`Operator::STEM`].
            pub fn stem(&self) -> &'static str {
                match self { $(Op::$name(_) => $name::STEM,)+ }
            }

            /// See [`Operator::shape`].
            pub fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
                match self { $(Op::$name(op) => op.shape(inputs),)+ }
            }

            /// See [`Operator::flops`].
            pub fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
                match self { $(Op::$name(op) => op.flops(inputs, output),)+ }
            }

            /// See [`Operator::reference`].
            pub fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
                match self { $(Op::$name(op) => op.reference(inputs),)+ }
            }

            /// See [`Operator::port`].
            pub fn port(&self, i: usize) -> Port {
                match self { $(Op::$name(op) => op.port(i),)+ }
            }

            /// See [`Operator::exact_output`].
            pub fn exact_output(&self) -> bool {
                match self { $(Op::$name(op) => op.exact_output(),)+ }
            }

            /// See [`Operator::in_place`].
            pub fn in_place(&self) -> Option<usize> {
                match self { $(Op::$name(op) => op.in_place(),)+ }
            }

            /// See [`Operator::vjp`].
            ///
            /// # Errors
            /// Why there is no gradient, and what to do.
            pub fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
                match self { $(Op::$name(op) => op.vjp(at),)+ }
            }
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Op {
                Op::$name(op)
            }
        })+
    };
}

ops! {
    /// Convolution with shared filters.
    Conv2d,
    /// Convolution with a filter per output position.
    LocalConv2d,
    /// Matrix product with a weight.
    Dense,
    /// Leaky rectifier with a slope per channel.
    PRelu,
    /// Rectifier.
    Relu,
    /// Maximum over a window.
    MaxPool2d,
    /// Mean over a window.
    AvgPool2d,
    /// Batch normalization with given statistics.
    BatchNorm,
    /// Exponentials over their sum.
    Softmax,
    /// Joining along channels.
    Concat,
    /// `a + scale * b`.
    ScaledAdd,
    /// Division by the Euclidean norm.
    L2Normalize,
    /// The same values as rows.
    Flatten,
    /// Tensors end to end.
    Join,
    /// A stretch of a tensor.
    Part,
    /// From one storage to the other.
    Cast,
    /// OpenCV's `INTER_AREA`.
    ResizeArea,
    /// Pillow's antialiased bilinear filter.
    ResizeBilinear,
    /// Pixels to network input.
    Standardize,
    /// A window of the image.
    Crop,
    /// Boxes moved by the networks' offsets.
    BoxRegression,
    /// Boxes made square.
    Rerec,
    /// Boxes clipped to the image.
    BoxPad,
    /// Non-maximum suppression.
    Nms,
    /// Distances between all rows of two matrices.
    PairwiseDistance,
    /// FaceNet's triplet loss.
    TripletLoss,
    /// Gradient of a convolution's input.
    Conv2dBwdData,
    /// Gradient of a convolution's filters.
    Conv2dBwdFilter,
    /// Gradient of a dense layer's input.
    DenseBwdData,
    /// Gradient of a dense layer's weight.
    DenseBwdFilter,
    /// Sums over all but channels.
    ChannelSum,
    /// Gradient of a locally connected layer's input.
    LocalConv2dBwdData,
    /// Gradient of a locally connected layer's filters.
    LocalConv2dBwdFilter,
    /// Gradient of a locally connected layer's bias.
    LocalConv2dBwdBias,
    /// Gradient of a rectifier.
    ReluBwd,
    /// Gradient of a leaky rectifier's input.
    PReluBwdData,
    /// Gradient of a leaky rectifier's slopes.
    PReluBwdAlpha,
    /// Gradient of a maximum over a window.
    MaxPool2dBwd,
    /// Gradient of a mean over a window.
    AvgPool2dBwd,
    /// Mean and variances of each channel.
    BatchMoments,
    /// Batch normalization with the batch's statistics.
    BatchNormTrain,
    /// Sums for the gradients of batch normalization.
    BatchNormBwdSums,
    /// Gradient of batch normalization's input.
    BatchNormBwdData,
    /// A stretch of channels.
    Slice,
    /// Multiplication by a constant.
    Scale,
    /// The gradient of [`L2Normalize`].
    L2NormalizeBwd,
    /// The gradient of [`Softmax`].
    SoftmaxBwd,
    /// Cross entropy of a softmax with labels.
    SoftmaxCrossEntropy,
    /// The gradient of [`SoftmaxCrossEntropy`].
    SoftmaxCrossEntropyBwd,
    /// Which rows are classified as their labels say.
    Accuracy,
    /// The mean of all elements.
    Mean,
    /// The gradient of [`Mean`].
    MeanBwd,
    /// The gradients of [`TripletLoss`].
    TripletLossBwd,
    /// Rows by their numbers.
    GatherRows,
    /// The gradient of [`GatherRows`].
    GatherRowsBwd,
    /// Distance to the centers of classes.
    CenterLoss,
    /// The gradient of [`CenterLoss`].
    CenterLossBwd,
    /// Centers following their features.
    CenterUpdate,
    /// Dropout by addressed random numbers.
    Dropout,
    /// The mean norm of rows.
    NormLoss,
    /// The gradient of [`NormLoss`].
    NormLossBwd,
    /// Half the sum of squares.
    L2Loss,
    /// The gradient of [`L2Loss`].
    L2LossBwd,
    /// Whether all elements are finite.
    IsFinite,
    /// A step of an optimizer.
    Optimizer,
    /// An exponential moving average.
    MovingAverage,
    /// The choice of negatives within a batch.
    MineTriplets,
    /// The nearest rows of other people.
    NearestOther,
}

/// Checks how many inputs an op was given.
pub(crate) fn arity(inputs: &[&Shape], expected: usize, names: &str) -> Result<(), String> {
    if inputs.len() == expected {
        Ok(())
    } else {
        Err(format!("expected {expected} inputs ({names}), got {}", inputs.len()))
    }
}

/// The extents of input `i` as `[n, h, w, c]`.
pub(crate) fn nhwc(inputs: &[&Shape], i: usize, name: &str) -> Result<[usize; 4], String> {
    inputs[i].nhwc().ok_or_else(|| format!("expected {name}: [n, h, w, c], got {}", inputs[i]))
}

/// The last extent of input `i`, which has one.
pub(crate) fn channels(inputs: &[&Shape], i: usize, name: &str) -> Result<usize, String> {
    if inputs[i].rank() > 0 { Ok(inputs[i].last()) } else { Err(format!("expected {name}: [.., c], got a scalar")) }
}

/// Checks that input `i` has exactly this shape.
pub(crate) fn exactly(inputs: &[&Shape], i: usize, name: &str, dims: &[usize]) -> Result<(), String> {
    if inputs[i].dims() == dims { Ok(()) } else { Err(format!("expected {name}: {dims:?}, got {}", inputs[i])) }
}

/// A label or an index, which is a whole number stored as a float; `None` if it is not one of `count`.
pub(crate) fn index<T: Real>(value: T, count: usize) -> Option<usize> {
    let whole = value >= T::zero() && value == value.floor() && value < T::of(count as f64);
    if whole { value.to_usize() } else { None }
}
