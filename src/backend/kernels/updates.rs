//! What updates in place share: the output is the state, or becomes a copy of it first.

use super::elementwise::Elements;
use super::{Call, Calls, Operand, Tuning, call};
use crate::graph::{Step, View};
use crate::ops::Flatten;

/// Elements `from` to `from + count` of a dense view.
pub fn part(view: &View, from: usize, count: usize) -> View {
    View { offset: view.offset + from, shape: [count].into(), stride: count, ..view.clone() }
}

/// The element of its binding, which begins at a multiple of 64, that a view begins at.
pub fn start(view: &View) -> u32 {
    (view.offset % 64) as u32
}

/// What copies the state to the output where the two are not the same memory.
fn copy(step: &Step, tuning: Tuning) -> Calls {
    let (state, output) = (&step.inputs[0], &step.output);
    if (state.region, state.offset) == (output.region, output.offset) {
        return Ok(Vec::new());
    }
    let elements = state.shape.elements();
    let params = Elements { elements: elements as u32 };
    let operands = vec![Operand::Constant(state.clone()), Operand::View(output.clone())];
    Ok(vec![call::<Flatten>("flatten_fwd", params, operands, tuning.threads(elements)?)])
}

/// The copy, if it needs one, and then the call on the other inputs and the output.
pub fn update(step: &Step, call: Option<Call>, tuning: Tuning) -> Calls {
    let mut calls = copy(step, tuning)?;
    calls.extend(call);
    Ok(calls)
}

/// The inputs after the state, and the output.
pub fn others(step: &Step) -> Vec<Operand> {
    let inputs = step.inputs[1..].iter().cloned().map(Operand::Constant);
    inputs.chain([Operand::View(step.output.clone())]).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Dialect, calls};
    use super::*;
    use crate::graph::Region;
    use crate::ops::{Optimizer, OptimizerKind};
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
        assert_eq!(calls.iter().map(|call| &*call.entry).collect::<Vec<_>>(), ["optimizer_fwd"]);
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
        let params: &super::super::optimizer::Params = bytemuck::from_bytes(&calls[0].params);
        assert_eq!((params.from_w, params.from_a, params.decayed), (0, 36, 7));
    }

    #[test]
    fn what_is_no_state_is_copied_first() {
        let calls = calls(&step(false), TUNING).unwrap();
        assert_eq!(calls.iter().map(|call| &*call.entry).collect::<Vec<_>>(), ["flatten_fwd", "optimizer_fwd"]);
    }
}
