//! Ops with one thread an element.

use super::{Call, Operand, Tuning, by_port, call, operands, params, with_constants};
use crate::graph::Step;
use crate::ops::{BatchNorm, Crop, Dropout, ScaledAdd};

/// One call over the output's elements.
fn over_elements<P: params::Params>(
    entry: &'static str,
    params: P,
    step: &Step,
    tuning: Tuning,
) -> Result<Vec<Call>, String> {
    Ok(vec![call(entry, params, operands(step), tuning.threads(step.output.shape.elements())?)])
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
    let params = params::ScaledAdd { elements: elements(step), scale: op.scale };
    over_elements("scaled_add_fwd", params, step, tuning)
}

pub fn flatten(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    over_elements("flatten_fwd", params::Flatten { elements: elements(step) }, step, tuning)
}

pub fn concat(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let mut offset = 0;
    let mut calls = Vec::with_capacity(step.inputs.len());
    for part in step.inputs.iter().filter(|part| part.shape.elements() > 0) {
        let (count, c) = (part.shape.elements(), part.shape.last());
        let params = params::Concat { elements: count as u32, c: c as u32, c_out: channels(step), offset };
        let operands = vec![Operand::View(part.clone()), Operand::View(step.output.clone())];
        calls.push(call("concat_fwd", params, operands, tuning.threads(count)?));
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
