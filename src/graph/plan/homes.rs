//! Which values need no memory of their own.

use crate::graph::{Graph, Node, NodeId, Source};
use crate::ops::{Join, Op, Port};
use crate::{Error, Precision, Result, Shape};

/// Where a node's value goes: its own allocation, or that of another value.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Home {
    Own,
    /// The same elements as another node's (a flatten).
    Alias(usize),
    /// Channels of a concatenation's output, from this one on.
    Slice(usize, usize),
    /// Elements of another node's, from this one on.
    Within(usize, usize),
    /// Elements of a state, from this one on.
    State(usize, usize),
}

/// Each node's.
pub(super) struct Homes(Vec<Home>);

impl Homes {
    /// Decides on them.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a state that cannot be updated in place.
    pub fn new(graph: &Graph, shapes: &[Shape], keep_f32: &[bool], precision: Precision) -> Result<Homes> {
        let mut homes = Homes(vec![Home::Own; shapes.len()]);
        let readers = readers(graph);
        let alike = |a: NodeId, b: usize| keep_f32[a.0] == keep_f32[b] || precision.bytes() == 4;
        for (i, node) in graph.nodes.iter().enumerate() {
            let (op, from) = match &node.source {
                Source::State(slot, _) => {
                    homes.0[i] = Home::State(*slot, 0);
                    continue;
                }
                Source::Op(op, from) => (op, from),
                _ => continue,
            };
            match op {
                Op::Flatten(_) if !graph.is_param(from[0]) => homes.0[i] = Home::Alias(from[0].0),
                Op::Cast(_) if !graph.is_param(from[0]) && alike(from[0], i) => homes.0[i] = Home::Alias(from[0].0),
                Op::Part(part) if !graph.is_param(from[0]) => {
                    let offset = part.offset(&shapes[from[0].0]);
                    // Where a device can bind it.
                    if offset.is_multiple_of(64) {
                        homes.0[i] = Home::Within(from[0].0, offset);
                    }
                }
                Op::Join(_) => homes.join(graph, shapes, i, from),
                Op::Concat(_) => homes.concat(graph, shapes, &readers, i, from),
                _ => {}
            }
        }
        graph.updates.iter().try_for_each(|&(state, value)| homes.update(graph, state, value))?;
        Ok(homes)
    }

    /// A node's.
    pub fn of(&self, i: usize) -> Home {
        self.0[i]
    }

    /// The node whose memory a node's value is in.
    pub fn root(&self, mut i: usize) -> usize {
        loop {
            match self.0[i] {
                Home::Own | Home::State(..) => return i,
                Home::Alias(to) | Home::Slice(to, _) | Home::Within(to, _) => i = to,
            }
        }
    }

    /// The parts of a join are made where they belong.
    fn join(&mut self, graph: &Graph, shapes: &[Shape], i: usize, from: &[NodeId]) {
        let (starts, _) = Join::layout(from.iter().map(|id| &shapes[id.0]));
        for (id, start) in from.iter().zip(starts) {
            if self.0[id.0] == Home::Own && matches!(graph.nodes[id.0].source, Source::Op(..)) {
                self.0[id.0] = Home::Within(i, start);
            }
        }
    }

    /// Parts of a concatenation that nothing else reads are written in place by their producers, the others copied.
    fn concat(&mut self, graph: &Graph, shapes: &[Shape], readers: &[usize], i: usize, from: &[NodeId]) {
        let mut channel = 0;
        for id in from {
            let writes_with_gaps = matches!(&graph.nodes[id.0].source, Source::Op(op, _) if op.strided_output());
            if writes_with_gaps && readers[id.0] == 1 {
                self.0[id.0] = Home::Slice(i, channel);
            }
            channel += shapes[id.0].last();
        }
    }

    /// The value that a state takes is computed in the state's memory.
    fn update(&mut self, graph: &Graph, state: NodeId, value: NodeId) -> Result<()> {
        let name = |id: NodeId| &graph.nodes[id.0].name;
        let Source::State(slot, _) = graph.nodes[state.0].source else {
            return Err(Error::invalid("graph", format!("`{}` is no state", name(state))));
        };
        let Source::Op(op, from) = &graph.nodes[value.0].source else {
            return Err(Error::invalid("graph", format!("`{}` is no op's result", name(value))));
        };
        let after = &graph.nodes[value.0 + 1..];
        let in_place = op.in_place().is_some_and(|i| from[i] == state);
        if !in_place || after.iter().any(|node| reads(node, |id| id == state)) {
            let problem = format!("`{}` cannot take the place of the state `{}`", name(value), name(state));
            return Err(Error::invalid("graph", problem));
        }
        self.0[value.0] = Home::State(slot, 0);
        // Parts of the state are its memory: later readers of one read what has changed.
        let of_state = |id: NodeId| self.is_within(slot, id.0, value.0);
        if let Some(node) = after.iter().find(|node| reads(node, of_state)) {
            let problem = format!("`{}` reads a state that `{}` has changed", node.name, name(value));
            return Err(Error::invalid("graph", problem));
        }
        Ok(())
    }

    /// Whether a node's value is in the memory of a state, and is not that of node `but`.
    fn is_within(&self, slot: usize, mut i: usize, but: usize) -> bool {
        loop {
            match self.0[i] {
                Home::State(of, _) => return of == slot && i != but,
                Home::Alias(to) | Home::Within(to, _) => i = to,
                Home::Own | Home::Slice(..) => return false,
            }
        }
    }
}

/// Whether a node is an op that reads one of some values.
fn reads(node: &Node, of: impl Fn(NodeId) -> bool) -> bool {
    matches!(&node.source, Source::Op(_, from) if from.iter().any(|id| of(*id)))
}

/// How many read each node's value.
fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers = vec![0; graph.nodes.len()];
    for node in &graph.nodes {
        if let Source::Op(op, from) = &node.source {
            let read = from.iter().enumerate().filter(|(port, _)| op.port(*port) != Port::Extents);
            read.for_each(|(_, id)| readers[id.0] += 1);
        }
    }
    graph.outputs.iter().for_each(|id| readers[id.0] += 1);
    readers
}
