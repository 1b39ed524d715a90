//! Ops with one thread an element.

use super::{Call, Operand, Tuning, by_port, call, operands, params, with_constants};
use crate::graph::Step;
use crate::ops::{
    Activation, BatchNorm, BatchNormBwdData, BatchNormTrain, Cast, Crop, Dropout, Join, Part, Scale, ScaledAdd, Slice,
};

/// One call over the output's elements.
fn over_elements<P: params::Params>(
    entry: &'static str,
    params: P,
    step: &Step,
    tuning: Tuning,
) -> Result<Vec<Call>, String> {
    Ok(vec![call(entry, params, operands(step), tuning.threads(step.output.shape.elements())?)])
}

/// One call over the output's elements whose CUDA kernel gives a thread four of them where `fours`.
fn over_fours<P: params::Params>(
    entry: &'static str,
    params: P,
    operands: Vec<Operand>,
    step: &Step,
    fours: bool,
    tuning: Tuning,
) -> Result<Vec<Call>, String> {
    let elements = step.output.shape.elements();
    let threads = if fours && tuning.cuda() { elements / 4 } else { elements };
    Ok(vec![call(entry, params, operands, tuning.threads(threads)?)])
}

fn elements(step: &Step) -> u32 {
    step.output.shape.elements() as u32
}

fn channels(step: &Step) -> u32 {
    step.output.shape.last() as u32
}

pub fn relu(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    over_elements("relu_fwd", params::Relu { elements: elements(step) }, step, tuning)
}

pub fn prelu(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::PRelu { elements: elements(step), c: channels(step) };
    Ok(vec![call("prelu_fwd", params, with_constants(step), tuning.threads(step.output.shape.elements())?)])
}

pub fn batch_norm(op: &BatchNorm, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::BatchNorm { elements: elements(step), c: channels(step), epsilon: op.epsilon };
    Ok(vec![call("batch_norm_fwd", params, with_constants(step), tuning.threads(step.output.shape.elements())?)])
}

pub fn scaled_add(op: &ScaledAdd, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let elements = elements(step);
    let params = params::ScaledAdd { elements, scale: op.scale };
    over_fours("scaled_add_fwd", params, operands(step), step, elements.is_multiple_of(4), tuning)
}

pub fn flatten(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    over_elements("flatten_fwd", params::Flatten { elements: elements(step) }, step, tuning)
}

pub fn part(op: &Part, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::Part { elements: elements(step), offset: op.offset(&step.inputs[0].shape) as u32 };
    let operands = vec![Operand::View(step.inputs[0].clone()), Operand::View(step.output.clone())];
    Ok(vec![call("part_fwd", params, operands, tuning.threads(step.output.shape.elements())?)])
}

pub fn cast(op: &Cast, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let entry = if op.exact || step.inputs[0].exact == step.output.exact { "cast_exact" } else { "cast_stored" };
    over_elements(entry, params::Cast { elements: elements(step) }, step, tuning)
}

pub fn join(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (starts, end) = Join::layout(step.inputs.iter().map(|part| &part.shape));
    let y = || Operand::View(step.output.clone());
    let (mut calls, mut gaps) = (Vec::new(), Vec::new());
    for (i, (part, &start)) in step.inputs.iter().zip(&starts).enumerate() {
        let count = part.shape.elements();
        let next = starts.get(i + 1).copied().unwrap_or(end);
        if start + count < next {
            gaps.extend([(start + count) as u32, next as u32]);
        }
        let in_place = part.region == step.output.region && part.offset == step.output.offset + start;
        if !in_place && count > 0 {
            let params = params::Join { elements: count as u32, offset: start as u32 };
            calls.push(call("join_fwd", params, vec![Operand::View(part.clone()), y()], tuning.threads(count)?));
        }
    }
    if !gaps.is_empty() {
        let params = params::Join { elements: 32 * gaps.len() as u32, offset: 0 };
        let groups = tuning.threads(32 * gaps.len())?;
        calls.push(call("join_gaps", params, vec![Operand::Table(gaps), y()], groups));
    }
    Ok(calls)
}

pub fn concat(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let mut offset = 0;
    let mut calls = Vec::with_capacity(step.inputs.len());
    for part in &step.inputs {
        let (count, c) = (part.shape.elements(), part.shape.last());
        let in_place = part.region == step.output.region && part.offset == step.output.offset + offset as usize;
        if in_place || count == 0 {
            offset += c as u32;
            continue;
        }
        let params = params::Concat { elements: count as u32, c: c as u32, c_out: channels(step), offset };
        let operands = vec![Operand::View(part.clone()), Operand::View(step.output.clone())];
        let fours = tuning.cuda() && (params.c | params.c_out | params.offset).is_multiple_of(4);
        calls.push(call("concat_fwd", params, operands, tuning.threads(if fours { count / 4 } else { count })?));
        offset += c as u32;
    }
    Ok(calls)
}

pub fn crop(op: &Crop, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [_, h, w, c] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let params = params::Crop {
        elements: elements(step),
        h: h as u32,
        w: w as u32,
        c: c as u32,
        h_out: op.h as u32,
        w_out: op.w as u32,
        top: op.y,
        left: op.x,
    };
    over_elements("crop_fwd", params, step, tuning)
}

pub fn gather_rows(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params =
        params::GatherRows { elements: elements(step), rows: step.inputs[0].shape.dims()[0] as u32, d: channels(step) };
    let groups = tuning.threads(step.output.shape.elements())?;
    Ok(vec![call("gather_rows_fwd", params, by_port(step), groups)])
}

/// One thread four elements.
pub fn dropout(op: &Dropout, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::Dropout {
        elements: elements(step),
        keep: op.keep,
        seed_low: op.seed as u32,
        seed_high: (op.seed >> 32) as u32,
        purpose: op.stream,
    };
    let groups = tuning.threads(step.output.shape.elements().div_ceil(4))?;
    Ok(vec![call("dropout_fwd", params, by_port(step), groups)])
}

pub fn relu_bwd(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let elements = elements(step);
    over_fours("relu_bwd", params::ReluBwd { elements }, operands(step), step, elements.is_multiple_of(4), tuning)
}

pub fn prelu_bwd_data(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::PReluBwdData { elements: elements(step), c: channels(step) };
    let mut operands = operands(step);
    operands[1] = Operand::constant(step, Some(1));
    Ok(vec![call("prelu_bwd_data", params, operands, tuning.threads(step.output.shape.elements())?)])
}

pub fn scale(op: &Scale, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let elements = elements(step);
    let params = params::Scale { elements, factor: op.factor };
    over_fours("scale_fwd", params, operands(step), step, elements.is_multiple_of(4), tuning)
}

pub fn slice(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let shapes: Vec<_> = step.inputs.iter().map(|view| &view.shape).collect();
    let params = params::Slice {
        elements: elements(step),
        c: channels(step),
        c_in: shapes[0].last() as u32,
        offset: Slice::first(&shapes) as u32,
    };
    let operands = vec![Operand::View(step.inputs[0].clone()), Operand::View(step.output.clone())];
    let fours = (params.c | params.c_in | params.offset).is_multiple_of(4);
    over_fours("slice_fwd", params, operands, step, fours, tuning)
}

/// Threads of a normalization: CUDA gives one four channels of four rows where the channels come in `fours`.
fn patches(step: &Step, fours: bool, tuning: Tuning) -> Result<[u32; 3], String> {
    let (rows, c) = (step.output.rows(), step.output.shape.last());
    tuning.threads(if fours && tuning.cuda() { rows.div_ceil(4) * (c / 4) } else { rows * c })
}

/// The layer's own inputs: x, moments, beta, and gamma or nothing.
pub(super) fn layer(op: &BatchNormTrain, step: &Step) -> Vec<Operand> {
    let constants = [Some(1), Some(2), op.scale.then_some(3)].map(|i| Operand::constant(step, i));
    [Operand::View(step.inputs[0].clone())].into_iter().chain(constants).collect()
}

/// Bits: 1 relu, 2 gamma.
pub(super) fn layer_flags(op: &BatchNormTrain) -> u32 {
    u32::from(op.activation == Activation::Relu) | if op.scale { 2 } else { 0 }
}

pub fn batch_norm_train(op: &BatchNormTrain, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (elements, c) = (elements(step), channels(step));
    let (y_offset, y_stride) = ((step.output.offset % 64) as u32, step.output.stride as u32);
    let flags = layer_flags(op);
    let params = params::BatchNormTrain { elements, c, epsilon: op.epsilon, flags, y_offset, y_stride };
    let mut operands = layer(op, step);
    operands.push(Operand::View(step.output.clone()));
    let fours = (c | y_offset | y_stride).is_multiple_of(4);
    Ok(vec![call("batch_norm_train", params, operands, patches(step, fours, tuning)?)])
}

pub fn batch_norm_bwd_data(op: &BatchNormBwdData, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (elements, c) = (elements(step), channels(step));
    let params = params::BatchNormBwdData { elements, c, epsilon: op.0.epsilon, flags: layer_flags(&op.0) };
    let mut operands = layer(&op.0, step);
    operands.push(Operand::constant(step, Some(op.0.inputs())));
    operands.push(Operand::View(step.inputs[op.0.inputs() + 1].clone()));
    operands.push(Operand::View(step.output.clone()));
    Ok(vec![call("batch_norm_bwd_data", params, operands, patches(step, c.is_multiple_of(4), tuning)?)])
}
