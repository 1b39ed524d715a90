//! Losses and their gradients.

use super::params::Params;
use super::{Call, Operand, Tuning, by_port, call, params};
use crate::graph::Step;
use crate::ops::{NormLoss, NormLossBwd, Triplet, TripletLoss, TripletLossBwd};

/// Elements that one workgroup adds up: what a sum is split by depends on the number of its elements alone.
const PIECE: usize = 4096;

/// Elements of input 0.
fn elements(step: &Step) -> usize {
    step.inputs[0].shape.elements()
}

/// Rows of input 0, and their elements.
fn rows(step: &Step) -> [usize; 2] {
    [step.inputs[0].rows(), step.inputs[0].shape.last()]
}

/// The operands with a place for the pieces' results before the output.
fn with_parts(step: &Step, parts: usize) -> Vec<Operand> {
    let mut operands = by_port(step);
    operands.insert(operands.len() - 1, Operand::Scratch(parts));
    operands
}

/// The pieces of input 0, then all of them together.
fn in_pieces<P: Params>(
    entries: [&'static str; 2],
    params: impl Fn(u32) -> P,
    step: &Step,
    tuning: Tuning,
) -> Result<Vec<Call>, String> {
    let pieces = elements(step).div_ceil(PIECE).max(1);
    let params = params(pieces as u32);
    let operands = with_parts(step, pieces);
    let parts = call(entries[0], params, operands.clone(), tuning.groups(pieces)?);
    Ok(vec![parts, call(entries[1], params, operands, [1, 1, 1])])
}

pub fn mean(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = |pieces| params::Mean { elements: elements(step) as u32, pieces };
    in_pieces(["mean_fwd_parts", "mean_fwd_total"], params, step, tuning)
}

pub fn l2_loss(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = |pieces| params::L2Loss { elements: elements(step) as u32, pieces };
    in_pieces(["l2_loss_fwd_parts", "l2_loss_fwd_total"], params, step, tuning)
}

pub fn is_finite(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = |pieces| params::IsFinite { elements: elements(step) as u32, pieces };
    in_pieces(["is_finite_fwd_parts", "is_finite_fwd_total"], params, step, tuning)
}

pub fn center_loss(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [classes, d] = [step.inputs[1].rows(), step.inputs[1].shape.last()].map(|extent| extent as u32);
    let params = |pieces| params::CenterLoss { elements: elements(step) as u32, pieces, d, classes };
    in_pieces(["center_loss_fwd_parts", "center_loss_fwd_total"], params, step, tuning)
}

/// One thread an element of the output.
fn over_elements<P: Params>(entry: &'static str, params: P, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    Ok(vec![call(entry, params, by_port(step), tuning.threads(step.output.shape.elements())?)])
}

pub fn mean_bwd(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = params::MeanBwd { elements: step.output.shape.elements() as u32 };
    over_elements("mean_bwd", params, step, tuning)
}

pub fn l2_loss_bwd(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    over_elements("l2_loss_bwd", params::L2LossBwd { elements: elements(step) as u32 }, step, tuning)
}

pub fn center_loss_bwd(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [classes, d] = [step.inputs[1].rows(), step.inputs[1].shape.last()].map(|extent| extent as u32);
    let params = params::CenterLossBwd { elements: elements(step) as u32, d, classes };
    over_elements("center_loss_bwd", params, step, tuning)
}

/// One workgroup a row.
fn over_rows<P: Params>(entry: &'static str, params: P, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    Ok(vec![call(entry, params, by_port(step), tuning.groups(rows(step)[0])?)])
}

pub fn softmax_cross_entropy(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [rows, c] = rows(step).map(|extent| extent as u32);
    over_rows("softmax_cross_entropy_fwd", params::SoftmaxCrossEntropy { rows, c }, step, tuning)
}

pub fn softmax_cross_entropy_bwd(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [rows, c] = rows(step).map(|extent| extent as u32);
    over_rows("softmax_cross_entropy_bwd", params::SoftmaxCrossEntropyBwd { rows, c }, step, tuning)
}

pub fn accuracy(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [rows, c] = rows(step).map(|extent| extent as u32);
    over_rows("accuracy_fwd", params::Accuracy { rows, c }, step, tuning)
}

/// The rows of input 0, then all of them together.
fn row_by_row<P: Params>(
    entries: [&'static str; 2],
    params: P,
    step: &Step,
    tuning: Tuning,
) -> Result<Vec<Call>, String> {
    let rows = rows(step)[0].max(1);
    let operands = with_parts(step, rows);
    let parts = call(entries[0], params, operands.clone(), tuning.rows(rows)?);
    Ok(vec![parts, call(entries[1], params, operands, [1, 1, 1])])
}

pub fn triplet_loss(op: &TripletLoss, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [rows, d] = rows(step).map(|extent| extent as u32);
    let params = params::TripletLoss { rows, d, margin: op.margin };
    row_by_row(["triplet_loss_fwd_parts", "triplet_loss_fwd_total"], params, step, tuning)
}

pub fn triplet_loss_bwd(op: &TripletLossBwd, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [rows, d] = rows(step);
    let wrt = match op.wrt {
        Triplet::Anchor => 0,
        Triplet::Positive => 1,
        Triplet::Negative => 2,
    };
    let params = params::TripletLossBwd { rows: rows as u32, d: d as u32, margin: op.margin, wrt };
    Ok(vec![call("triplet_loss_bwd", params, by_port(step), tuning.rows(rows)?)])
}

pub fn norm_loss(op: &NormLoss, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [rows, d] = rows(step).map(|extent| extent as u32);
    let params = params::NormLoss { rows, d, p: op.p, epsilon: op.epsilon };
    row_by_row(["norm_loss_fwd_parts", "norm_loss_fwd_total"], params, step, tuning)
}

pub fn norm_loss_bwd(op: &NormLossBwd, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [rows, d] = rows(step);
    let params = params::NormLossBwd { rows: rows as u32, d: d as u32, p: op.p, epsilon: op.epsilon };
    Ok(vec![call("norm_loss_bwd", params, by_port(step), tuning.rows(rows)?)])
}
