//! Ops on boxes.

use super::{Call, Operand, Tuning, call, operands, params};
use crate::graph::Step;
use crate::ops::{BoxPad, BoxRegression, Nms, Overlap};

fn rows(step: &Step) -> usize {
    step.output.shape.dims()[0]
}

pub fn box_regression(op: &BoxRegression, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let one = if op.inclusive { 1.0 } else { 0.0 };
    let params = params::BoxRegression { rows: rows(step) as u32, one };
    Ok(vec![call("box_regression_fwd", params, operands(step), tuning.threads(rows(step))?)])
}

pub fn rerec(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::Rerec { rows: rows(step) as u32 };
    Ok(vec![call("rerec_fwd", params, operands(step), tuning.threads(rows(step))?)])
}

pub fn box_pad(op: &BoxPad, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::BoxPad { rows: rows(step) as u32, width: op.width as f32, height: op.height as f32 };
    Ok(vec![call("box_pad_fwd", params, operands(step), tuning.threads(rows(step))?)])
}

pub fn nms(op: &Nms, step: &Step) -> Result<Vec<Call>, String> {
    let n = rows(step);
    let params = params::Nms { n: n as u32, threshold: op.threshold, overlap: u32::from(op.overlap == Overlap::Min) };
    let order = Operand::Scratch(2 * n);
    Ok(vec![call("nms_fwd", params, operands(step).into_iter().chain([order]).collect(), [1, 1, 1])])
}
