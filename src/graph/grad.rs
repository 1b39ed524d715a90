//! Gradients by rewriting: each op's `vjp` appends ordinary ops, so the planner sees every value that is kept.

use std::collections::HashMap;
use std::ops::Range;

use super::{Graph, NodeId, Source};
use crate::ops::{Append, Op, Port, ScaledAdd, Vjp};
use crate::{Error, Result};

impl Append for Graph {
    fn append(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> NodeId {
        self.op(name, op, inputs)
    }
}

impl Graph {
    /// Appends the gradients of a value with respect to earlier nodes, given the value's own: for a loss, `[1]` of 1, or
    /// of a loss scale. A node that the value does not depend on has none.
    ///
    /// What lies within one of `blocks`, ranges of nodes, is computed again where a gradient needs it, rather than kept:
    /// all but what others read, and what is not worth it ([`crate::ops::Operator::RECOMPUTABLE`]).
    ///
    /// # Errors
    /// [`Error::Shape`] names an op on the way that has no gradient, and says why.
    pub fn gradients(
        &mut self,
        of: NodeId,
        given: NodeId,
        wanted: &[NodeId],
        blocks: &[Range<usize>],
    ) -> Result<Vec<Option<NodeId>>> {
        // Which nodes depend on a wanted one.
        let mut depends = vec![false; of.0 + 1];
        for i in 0..=of.0 {
            depends[i] = wanted.contains(&NodeId(i))
                || matches!(&self.nodes[i].source, Source::Op(_, from) if from.iter().any(|id| depends[id.0]));
        }
        let mut again = Again::new(self, of, blocks);
        let mut gradients: Vec<Option<NodeId>> = vec![None; of.0 + 1];
        gradients[of.0] = Some(given);
        for i in (0..=of.0).rev().filter(|&i| depends[i]) {
            let (Some(dy), Source::Op(op, inputs)) = (gradients[i], self.nodes[i].source.clone()) else { continue };
            if !inputs.iter().any(|id| depends[id.0]) {
                continue;
            }
            let name = self.nodes[i].name.clone();
            let value = |graph: &mut Graph, again: &mut Again, (port, id): (usize, &NodeId)| match op.port(port) {
                Port::Extents => *id,
                _ => again.value(graph, *id),
            };
            let at = &mut Vjp {
                wanted: inputs.iter().map(|id| depends[id.0]).collect(),
                gradients: vec![None; inputs.len()],
                inputs: inputs.iter().enumerate().map(|input| value(self, &mut again, input)).collect(),
                y: again.value(self, NodeId(i)),
                graph: self,
                name: name.clone(),
                dy,
            };
            op.vjp(at).map_err(|problem| Error::Shape { op: op.stem(), node: name, problem })?;
            let found = std::mem::take(&mut at.gradients);
            for (id, gradient) in inputs.iter().zip(found) {
                let Some(gradient) = gradient.filter(|_| depends[id.0]) else { continue };
                gradients[id.0] = Some(match gradients[id.0] {
                    None => gradient,
                    Some(other) => {
                        let name = format!("{}/sum", self.nodes[id.0].name);
                        self.op(&name, ScaledAdd { scale: 1.0 }, &[other, gradient])
                    }
                });
            }
        }
        Ok(wanted.iter().map(|id| gradients.get(id.0).copied().flatten()).collect())
    }
}

/// Values that are computed a second time.
struct Again {
    /// Of each node whether it is one.
    nodes: Vec<bool>,
    /// Those that have been.
    copies: HashMap<NodeId, NodeId>,
}

impl Again {
    fn new(graph: &Graph, of: NodeId, blocks: &[Range<usize>]) -> Again {
        let mut nodes = vec![false; of.0 + 1];
        for block in blocks {
            for i in block.clone().filter(|&i| i < of.0) {
                nodes[i] = matches!(&graph.nodes[i].source, Source::Op(op, _) if op.recomputable());
            }
            for node in &graph.nodes[block.end.min(graph.nodes.len())..] {
                let Source::Op(_, from) = &node.source else { continue };
                from.iter().filter(|id| block.contains(&id.0)).for_each(|id| nodes[id.0] = false);
            }
        }
        graph.outputs.iter().filter(|id| id.0 <= of.0).for_each(|id| nodes[id.0] = false);
        Again { nodes, copies: HashMap::new() }
    }

    /// A node's value: the node itself if it is kept, else a copy of its op on such values.
    fn value(&mut self, graph: &mut Graph, id: NodeId) -> NodeId {
        if !self.nodes.get(id.0).copied().unwrap_or(false) {
            return id;
        }
        if let Some(copy) = self.copies.get(&id) {
            return *copy;
        }
        let node = graph.nodes[id.0].clone();
        let Source::Op(op, from) = node.source else { return id };
        let from: Vec<NodeId> = from.iter().map(|id| self.value(graph, *id)).collect();
        let copy = graph.op(&format!("{}/again", node.name), op, &from);
        self.copies.insert(id, copy);
        copy
    }
}
