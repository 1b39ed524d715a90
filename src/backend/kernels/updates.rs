//! Updates in place: the output is the state, or becomes a copy of it first.

use super::{Call, Operand, Tuning, call, params};
use crate::graph::{Step, View};
use crate::ops::{CenterUpdate, MovingAverage, Optimizer, OptimizerKind};

/// Elements `from` to `from + count` of a dense view.
fn part(view: &View, from: usize, count: usize) -> View {
    View { offset: view.offset + from, shape: [count].into(), stride: count, ..view.clone() }
}

/// The element of its binding, which begins at a multiple of 64, that a view begins at.
fn start(view: &View) -> u32 {
    (view.offset % 64) as u32
}

/// What copies the state to the output where the two are not the same memory.
fn copy(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (state, output) = (&step.inputs[0], &step.output);
    if (state.region, state.offset) == (output.region, output.offset) {
        return Ok(Vec::new());
    }
    let elements = state.shape.elements();
    let params = params::Flatten { elements: elements as u32 };
    let operands = vec![Operand::Constant(state.clone()), Operand::View(output.clone())];
    Ok(vec![call("flatten_fwd", params, operands, tuning.threads(elements)?)])
}

/// The copy, if it needs one, and then the call on the other inputs and the output.
fn in_place(step: &Step, update: Option<Call>, tuning: Tuning) -> Result<Vec<Call>, String> {
    let mut calls = copy(step, tuning)?;
    calls.extend(update);
    Ok(calls)
}

/// The inputs after the state, and the output.
fn others(step: &Step) -> Vec<Operand> {
    let inputs = step.inputs[1..].iter().cloned().map(Operand::Constant);
    inputs.chain([Operand::View(step.output.clone())]).collect()
}

pub fn moving_average(op: &MovingAverage, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let elements = step.output.shape.elements();
    let params = params::MovingAverage { elements: elements as u32, decay: op.decay };
    in_place(step, Some(call("moving_average_fwd", params, others(step), tuning.threads(elements)?)), tuning)
}

pub fn center_update(op: &CenterUpdate, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (rows, d) = (step.inputs[1].rows(), step.inputs[1].shape.last());
    let classes = step.output.rows() as u32;
    let params = params::CenterUpdate { rows: rows as u32, d: d as u32, classes, alfa: op.alfa };
    let groups = if tuning.cuda() { tuning.groups(rows)? } else { tuning.threads(rows * d)? };
    let update = (rows > 0).then(|| call("center_update_fwd", params, others(step), groups));
    in_place(step, update, tuning)
}

pub fn optimizer(op: &Optimizer, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let elements = step.output.shape.last();
    let row = |i: usize| part(&step.output, i * elements, elements);
    let slots = op.kind.initial().len();
    let b = (slots > 1).then(|| row(2));
    let average = op.average.then(|| row(1 + slots));
    let from = |view: &Option<View>| view.as_ref().map_or(0, start);
    let params = params::Optimizer {
        elements: elements as u32,
        decayed: op.decayed.min(elements) as u32,
        decay: op.decay,
        kind: match op.kind {
            OptimizerKind::Adagrad => 0,
            OptimizerKind::Adadelta => 1,
            OptimizerKind::Adam => 2,
            OptimizerKind::RmsProp => 3,
            OptimizerKind::Momentum => 4,
        },
        has_b: u32::from(b.is_some()),
        has_average: u32::from(average.is_some()),
        from_w: start(&row(0)),
        from_a: start(&row(1)),
        from_b: from(&b),
        from_average: from(&average),
    };
    let mut operands: Vec<Operand> = step.inputs[1..].iter().cloned().map(Operand::Constant).collect();
    operands.extend([row(0), row(1)].map(Operand::View));
    operands.extend([b, average].map(|view| view.map_or(Operand::NoValue, Operand::View)));
    // A CUDA thread takes four elements.
    let groups = tuning.threads(if tuning.cuda() { elements.div_ceil(4) } else { elements })?;
    in_place(step, Some(call("optimizer_fwd", params, operands, groups)), tuning)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Dialect, calls};
    use super::*;
    use crate::graph::Region;
    use crate::{Graph, Plan, Shape};

    const TUNING: Tuning = Tuning { dialect: Dialect::Shader, max_groups: 65_535 };

    /// The one step of a graph that updates a state of 2 x 100 elements, or, without one, computes it from an input.
    fn step(kept: bool) -> Step {
        let mut graph = Graph::new();
        let state = if kept { graph.state("state", 0, [2, 100]) } else { graph.input("state") };
        let others = ["gradient", "rates", "finite"].map(|name| graph.input(name));
        let op = Optimizer { kind: OptimizerKind::Adagrad, decayed: 7, decay: 0.5, average: false };
        let y = graph.op("step", op, &[state, others[0], others[1], others[2]]);
        let mut shapes: Vec<Shape> = vec![[100].into(), [3].into(), [1].into()];
        if kept {
            graph.update(state, y);
        } else {
            graph.output(y);
            shapes.insert(0, [2, 100].into());
        }
        Plan::new(Arc::new(graph), &shapes).unwrap().steps.remove(0)
    }

    #[test]
    fn a_state_is_updated_where_it_is() {
        let calls = calls(&step(true), TUNING).unwrap();
        assert_eq!(calls.iter().map(|call| call.entry).collect::<Vec<_>>(), ["optimizer_fwd"]);
        let rows: Vec<&View> = calls[0].operands[3..5]
            .iter()
            .map(|operand| match operand {
                Operand::View(view) => view,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(rows.iter().all(|row| row.region == Region::State(0) && row.shape == Shape::from([100])), "{rows:?}");
        // The second row begins within a piece of 64.
        assert_eq!((rows[0].offset, rows[1].offset), (0, 100));
        let params: &params::Optimizer = bytemuck::from_bytes(&calls[0].params);
        assert_eq!((params.from_w, params.from_a, params.decayed), (0, 36, 7));
    }

    #[test]
    fn what_is_no_state_is_copied_first() {
        let calls = calls(&step(false), TUNING).unwrap();
        assert_eq!(calls.iter().map(|call| call.entry).collect::<Vec<_>>(), ["flatten_fwd", "optimizer_fwd"]);
    }
}
