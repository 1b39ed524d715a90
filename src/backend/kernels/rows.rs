//! Ops with one thread, or one workgroup, a row.

use super::{Call, Tuning, by_port, call, operands, params};
use crate::graph::Step;
use crate::ops::{L2Normalize, L2NormalizeBwd, Metric, PairwiseDistance, Standardize};

pub fn softmax(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let rows = step.output.rows();
    let params = params::Softmax { rows: rows as u32, c: step.output.shape.last() as u32 };
    Ok(vec![call("softmax_fwd", params, operands(step), tuning.rows(rows)?)])
}

pub fn l2_normalize(op: &L2Normalize, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let rows = step.output.rows();
    let params = params::L2Normalize { rows: rows as u32, d: step.output.shape.last() as u32, epsilon: op.epsilon };
    Ok(vec![call("l2_normalize_fwd", params, operands(step), tuning.rows(rows)?)])
}

pub fn standardize(op: Standardize, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let images = step.output.shape.dims()[0];
    let count = step.output.shape.elements() / images;
    let params = params::Standardize {
        images: images as u32,
        count: count as u32,
        prewhiten: u32::from(op == Standardize::Prewhiten),
    };
    Ok(vec![call("standardize_fwd", params, operands(step), tuning.groups(images)?)])
}

pub fn pairwise_distance(op: &PairwiseDistance, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (pairs, m) = (step.output.shape.elements(), step.output.shape.last());
    let params = params::PairwiseDistance {
        rows: pairs as u32,
        m: m as u32,
        d: step.inputs[0].shape.last() as u32,
        metric: match op.metric {
            Metric::Euclidean => 0,
            Metric::Cosine => 1,
        },
    };
    let groups = match tuning.cuda() {
        // Tiles of 16 x 16 pairs.
        true => [m.div_ceil(16) as u32, (pairs / m).div_ceil(16) as u32, 1],
        false => tuning.threads(pairs)?,
    };
    Ok(vec![call("pairwise_distance_fwd", params, operands(step), groups)])
}

pub fn l2_normalize_bwd(op: &L2NormalizeBwd, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (rows, d) = (step.output.rows(), step.output.shape.last());
    let params = params::L2NormalizeBwd { rows: rows as u32, d: d as u32, epsilon: op.epsilon };
    Ok(vec![call("l2_normalize_bwd", params, operands(step), tuning.rows(rows)?)])
}

pub fn softmax_bwd(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let rows = step.output.rows();
    let params = params::SoftmaxBwd { rows: rows as u32, c: step.output.shape.last() as u32 };
    Ok(vec![call("softmax_bwd", params, operands(step), tuning.rows(rows)?)])
}

pub fn gather_rows_bwd(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (rows, count) = (step.output.rows(), step.inputs[1].shape.elements());
    let params = params::GatherRowsBwd { count: count as u32, rows: rows as u32, d: step.output.shape.last() as u32 };
    let groups = match tuning.cuda() {
        true => tuning.groups(rows)?,
        false => tuning.threads(step.output.shape.elements())?,
    };
    Ok(vec![call("gather_rows_bwd", params, by_port(step), groups)])
}
