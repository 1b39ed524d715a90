//! From an op at its sizes to calls: which entry point, with which parameters and operands, in how many workgroups.

mod boxes;
mod conv2d;
mod elementwise;
pub(super) mod params;
mod pool2d;
mod resize;
mod rows;

pub use params::{ParamsLayout, params_layouts};

use crate::graph::{NodeId, Region, Step, View};
use crate::ops::Op;
use params::Params;

/// What the choice of kernels depends on besides the op and its sizes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Tuning {
    /// Whether the device is a processor that runs threads as vector lanes.
    pub software: bool,
    /// Workgroups in one dimension.
    pub max_groups: u32,
}

impl Tuning {
    /// This many workgroups, folded into two dimensions where one is too short.
    pub fn fold(self, groups: usize) -> Result<[u32; 2], String> {
        let most = self.max_groups as usize;
        let y = groups.div_ceil(most).max(1);
        if y > most {
            return Err(format!("{groups} workgroups are too many; use a smaller batch"));
        }
        // Rounded so that few workgroups are left over.
        Ok([groups.div_ceil(y) as u32, y as u32])
    }

    /// One thread an element, in workgroups of 64.
    pub fn threads(self, elements: usize) -> Result<[u32; 3], String> {
        let [x, y] = self.fold(elements.div_ceil(64))?;
        Ok([x, y, 1])
    }
}

/// One dispatch of an entry point.
#[derive(Clone, Debug)]
pub(in super::super) struct Call {
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
}

/// What a binding is.
#[derive(Clone, Debug)]
pub(in super::super) enum Operand {
    /// A value of the plan.
    View(View),
    /// A parameter, packed.
    Packed(NodeId),
    /// So many elements of the arena beyond the plan's own, for the step alone.
    Scratch(usize),
    /// Constants that the host makes from the sizes.
    Table(Vec<u32>),
    /// An optional constant that is not there.
    NoConstant,
    /// An optional value that is not there.
    NoValue,
}

impl Operand {
    /// An optional input that a shader declares as constant.
    fn constant(step: &Step, input: Option<usize>) -> Operand {
        input.map_or(Operand::NoConstant, |i| Operand::View(step.inputs[i].clone()))
    }
}

/// Inputs and output as operands, in this order.
fn operands(step: &Step) -> Vec<Operand> {
    step.inputs.iter().chain([&step.output]).cloned().map(Operand::View).collect()
}

/// A call of an entry point of `P`'s shader.
fn call<P: Params>(entry: &'static str, params: P, operands: Vec<Operand>, groups: [u32; 3]) -> Call {
    Call { stem: P::STEM, entry, params: bytemuck::bytes_of(&params).to_vec(), operands, groups }
}

/// Whether input `i` of the op is a parameter that the kernels want packed.
pub(in super::super) fn packs(op: &Op, i: usize) -> bool {
    i == 1 && matches!(op, Op::Conv2d(_) | Op::Dense(_))
}

/// What a step calls; nothing if it computes nothing.
pub(in super::super) fn calls(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    if step.output.shape.elements() == 0 {
        return Ok(Vec::new());
    }
    let too_large = |view: &&View| view.region == Region::Arena && view.offset + view.span() > u32::MAX as usize / 4;
    if step.inputs.iter().chain([&step.output]).any(|view| too_large(&view)) {
        return Err("a plan of over 4 GiB; use a smaller batch".to_owned());
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
        Op::ResizeArea(op) => resize::resize_area(op, step, tuning),
        Op::ResizeBilinear(op) => resize::resize_bilinear(op, step, tuning),
        Op::Standardize(op) => rows::standardize(*op, step, tuning),
        Op::Crop(op) => elementwise::crop(op, step, tuning),
        Op::BoxRegression(op) => boxes::box_regression(op, step, tuning),
        Op::Rerec(_) => boxes::rerec(step, tuning),
        Op::BoxPad(op) => boxes::box_pad(op, step, tuning),
        Op::Nms(op) => boxes::nms(op, step),
        Op::PairwiseDistance(op) => rows::pairwise_distance(op, step, tuning),
        Op::TripletLoss(op) => rows::triplet_loss(op, step),
    }
}

macro_rules! shaders {
    ($($stem:literal)+; $($of_cascade:literal)+) => {
        /// The text of a shader.
        pub(in super::super) fn source(stem: &'static str) -> String {
            match stem {
                $($stem => include_str!(concat!("../../../../shaders/", $stem, ".wgsl")).to_owned(),)+
                $($of_cascade => concat!(
                    include_str!("../../../../shaders/cascade/head.wgsl"),
                    include_str!(concat!("../../../../shaders/", $of_cascade, ".wgsl")),
                )
                .to_owned(),)+
                _ => unreachable!("no shader `{stem}`"),
            }
        }
    };
}

shaders! {
    "conv2d" "local_conv2d" "dense" "pack" "prelu" "relu" "max_pool2d" "avg_pool2d" "batch_norm" "softmax" "concat"
    "scaled_add" "l2_normalize" "flatten" "resize_area" "resize_bilinear" "standardize" "crop" "box_regression" "rerec"
    "box_pad" "nms" "pairwise_distance" "triplet_loss";
    "cascade/pyramid" "cascade/collect_cells" "cascade/suppress" "cascade/merge" "cascade/square" "cascade/crop_boxes"
    "cascade/collect_crops" "cascade/faces"
}
