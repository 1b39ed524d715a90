//! From an op at its sizes to calls: which entry point, with which parameters and operands, in how many workgroups.
//!
//! The kernels are written twice, in WGSL and in CUDA, with the same stems, parameters and operands; what differs,
//! tiles and the work of one workgroup, is decided by the [`Dialect`].

mod boxes;
mod conv2d;
mod conv2d_bwd;
mod dialect;
mod elementwise;
mod losses;
mod mining;
pub(crate) mod params;
mod pool2d;
mod resize;
mod rows;
mod sums;
mod updates;

pub(crate) use conv2d::{Packing, packing};
pub(crate) use dialect::{Dialect, MatrixUnits, Tuning};
pub use params::{ParamsLayout, params_layouts};

#[cfg(feature = "cuda")]
use crate::Precision;
use crate::graph::{NodeId, Region, Step, View};
use crate::ops::{Op, Port};
use params::Params;

/// One dispatch of an entry point.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The shader.
    pub stem: &'static str,
    /// Its entry point.
    pub entry: &'static str,
    /// The shader's `Params`.
    pub params: Vec<u8>,
    /// What bindings 1, 2, .. are.
    pub operands: Vec<Operand>,
    /// Workgroups.
    pub groups: [u32; 3],
    /// CUDA: bytes of shared memory beyond what the kernel declares.
    pub shared: u32,
}

/// CUDA's name of an entry point: those for tensor cores are written for a precision, the others for the type that values
/// are stored in.
#[cfg(feature = "cuda")]
pub(crate) fn entry_name(entry: &str, precision: Precision) -> String {
    let matrix = entry.contains("mma");
    format!("{entry}_{}", if matrix { precision.name() } else { precision.storage() })
}

/// What a binding is.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// A value of the plan.
    View(View),
    /// An input that is f32 whatever the precision: a bias, a slope, a statistic.
    Constant(View),
    /// A parameter, packed.
    Packed(NodeId, Packing),
    /// So many elements of the arena beyond the plan's own, for the step alone.
    Scratch(usize),
    /// A later stretch of the same: from so many words and then so many stored values on, so many stored values.
    Further {
        /// Words that precede it,
        words: usize,
        /// and stored values.
        values: usize,
        /// Stored values.
        elements: usize,
    },
    /// Constants that the host makes from the sizes.
    Table(Vec<u32>),
    /// CUDA: the copy engine's map of a convolution's input.
    Pixels(Box<PixelMap>),
    /// CUDA: the copy engine's map of a matrix.
    Matrix {
        /// Where its values lie, as they are stored, row by row.
        of: Box<Operand>,
        /// Values of a row, and rows.
        extents: [usize; 2],
        /// Values and rows of a copy.
        window: [usize; 2],
    },
    /// An optional constant that is not there.
    NoConstant,
    /// An optional value that is not there.
    NoValue,
}

/// How the copy engine walks the windows of a convolution. Places are `[x, y]`.
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

    /// Words of scratch memory up to the operand's end, each of which holds so many stored values.
    pub fn scratch(&self, values_of_word: usize) -> usize {
        match self {
            Operand::Scratch(elements) => *elements,
            Operand::Further { words, values, elements } => words + (values + elements).div_ceil(values_of_word),
            _ => 0,
        }
    }
}

/// Inputs and output as operands, in this order.
fn operands(step: &Step) -> Vec<Operand> {
    step.inputs.iter().chain([&step.output]).cloned().map(Operand::View).collect()
}

/// As [`operands`], by what the op does with each input: those it reads as f32 are constants, those it reads the extents
/// of are not bound.
fn by_port(step: &Step) -> Vec<Operand> {
    let bound = |(i, view): (usize, &View)| match step.op.port(i) {
        Port::Extents => None,
        Port::Exact => Some(Operand::Constant(view.clone())),
        Port::Value | Port::Any => Some(Operand::View(view.clone())),
    };
    let inputs = step.inputs.iter().enumerate().filter_map(bound);
    inputs.chain([Operand::View(step.output.clone())]).collect()
}

/// As [`operands`], the inputs from the second on being constants.
fn with_constants(step: &Step) -> Vec<Operand> {
    let mut operands = operands(step);
    let last = operands.len() - 1;
    for operand in &mut operands[1..last] {
        let Operand::View(view) = operand else { continue };
        *operand = Operand::Constant(view.clone());
    }
    operands
}

/// A call of an entry point of `P`'s shader.
fn call<P: Params>(entry: &'static str, params: P, operands: Vec<Operand>, groups: [u32; 3]) -> Call {
    Call { stem: P::STEM, entry, params: bytemuck::bytes_of(&params).to_vec(), operands, groups, shared: 0 }
}

/// What a step calls; nothing if it computes nothing.
pub(crate) fn calls(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
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
    match &step.op {
        Op::Conv2d(op) => conv2d::conv2d(op, step, tuning),
        Op::LocalConv2d(op) => conv2d::local_conv2d(op, step, tuning),
        Op::Dense(op) => conv2d::dense(op, step, tuning),
        Op::PRelu(_) => elementwise::prelu(step, tuning),
        Op::Relu(_) => elementwise::relu(step, tuning),
        Op::MaxPool2d(op) => pool2d::max_pool2d(op, step, tuning),
        Op::AvgPool2d(op) => pool2d::avg_pool2d(op, step, tuning),
        Op::BatchNorm(op) => elementwise::batch_norm(op, step, tuning),
        Op::Softmax(_) => rows::softmax(step, tuning),
        Op::Concat(_) => elementwise::concat(step, tuning),
        Op::ScaledAdd(op) => elementwise::scaled_add(op, step, tuning),
        Op::L2Normalize(op) => rows::l2_normalize(op, step, tuning),
        Op::Flatten(_) => elementwise::flatten(step, tuning),
        Op::Join(_) => elementwise::join(step, tuning),
        Op::Part(op) => elementwise::part(op, step, tuning),
        Op::Cast(op) => elementwise::cast(op, step, tuning),
        Op::ResizeArea(op) => resize::resize_area(op, step, tuning),
        Op::ResizeBilinear(op) => resize::resize_bilinear(op, step, tuning),
        Op::Standardize(op) => rows::standardize(*op, step, tuning),
        Op::Crop(op) => elementwise::crop(op, step, tuning),
        Op::BoxRegression(op) => boxes::box_regression(op, step, tuning),
        Op::Rerec(_) => boxes::rerec(step, tuning),
        Op::BoxPad(op) => boxes::box_pad(op, step, tuning),
        Op::Nms(op) => boxes::nms(op, step),
        Op::PairwiseDistance(op) => rows::pairwise_distance(op, step, tuning),
        Op::TripletLoss(op) => losses::triplet_loss(op, step, tuning),
        Op::L2NormalizeBwd(op) => rows::l2_normalize_bwd(op, step, tuning),
        Op::SoftmaxBwd(_) => rows::softmax_bwd(step, tuning),
        Op::SoftmaxCrossEntropy(_) => losses::softmax_cross_entropy(step, tuning),
        Op::SoftmaxCrossEntropyBwd(_) => losses::softmax_cross_entropy_bwd(step, tuning),
        Op::Accuracy(_) => losses::accuracy(step, tuning),
        Op::Mean(_) => losses::mean(step, tuning),
        Op::MeanBwd(_) => losses::mean_bwd(step, tuning),
        Op::TripletLossBwd(op) => losses::triplet_loss_bwd(op, step, tuning),
        Op::GatherRows(_) => elementwise::gather_rows(step, tuning),
        Op::GatherRowsBwd(_) => rows::gather_rows_bwd(step, tuning),
        Op::CenterLoss(_) => losses::center_loss(step, tuning),
        Op::CenterLossBwd(_) => losses::center_loss_bwd(step, tuning),
        Op::CenterUpdate(op) => updates::center_update(op, step, tuning),
        Op::Dropout(op) => elementwise::dropout(op, step, tuning),
        Op::NormLoss(op) => losses::norm_loss(op, step, tuning),
        Op::NormLossBwd(op) => losses::norm_loss_bwd(op, step, tuning),
        Op::L2Loss(_) => losses::l2_loss(step, tuning),
        Op::L2LossBwd(_) => losses::l2_loss_bwd(step, tuning),
        Op::IsFinite(_) => losses::is_finite(step, tuning),
        Op::Optimizer(op) => updates::optimizer(op, step, tuning),
        Op::MovingAverage(op) => updates::moving_average(op, step, tuning),
        Op::MineTriplets(op) => mining::mine_triplets(op, step, tuning),
        Op::NearestOther(op) => mining::nearest_other(op, step, tuning),
        Op::Conv2dBwdData(op) => conv2d_bwd::conv2d_data(op, step, tuning),
        Op::Conv2dBwdFilter(op) => conv2d_bwd::conv2d_filter(op, step, tuning),
        Op::DenseBwdData(_) => conv2d_bwd::dense_data(step, tuning),
        Op::DenseBwdFilter(_) => conv2d_bwd::dense_filter(step, tuning),
        Op::ChannelSum(_) => sums::channel_sum(step),
        Op::LocalConv2dBwdData(op) => conv2d_bwd::local_conv2d_data(op, step, tuning),
        Op::LocalConv2dBwdFilter(op) => conv2d_bwd::local_conv2d_filter(op, step, tuning),
        Op::LocalConv2dBwdBias(_) => conv2d_bwd::local_conv2d_bias(step, tuning),
        Op::ReluBwd(_) => elementwise::relu_bwd(step, tuning),
        Op::PReluBwdData(_) => elementwise::prelu_bwd_data(step, tuning),
        Op::PReluBwdAlpha(_) => sums::prelu_bwd_alpha(step),
        Op::MaxPool2dBwd(op) => pool2d::max_pool2d_bwd(op, step, tuning),
        Op::AvgPool2dBwd(op) => pool2d::avg_pool2d_bwd(op, step, tuning),
        Op::BatchMoments(_) => sums::batch_moments(step),
        Op::BatchNormTrain(op) => elementwise::batch_norm_train(op, step, tuning),
        Op::BatchNormBwdSums(op) => sums::batch_norm_bwd_sums(op, step),
        Op::BatchNormBwdData(op) => elementwise::batch_norm_bwd_data(op, step, tuning),
        Op::Slice(_) => elementwise::slice(step, tuning),
        Op::Scale(op) => elementwise::scale(op, step, tuning),
    }
}
