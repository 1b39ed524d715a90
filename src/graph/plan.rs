//! Where every value of a graph lives: liveness, greedy offsets in one arena, concatenations without copies.

use std::sync::Arc;

use super::{Graph, NodeId, Source};
use crate::ops::Op;
use crate::{Result, Shape};

/// Offsets are multiples of this many elements: 256 bytes of f32, the strictest alignment a device asks for.
const ALIGN: usize = 64;

/// Which memory a value lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// A constant: node `.0` of the graph.
    Param(NodeId),
    /// The arena that activations share.
    Arena,
}

/// Where a value lives.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Which memory.
    pub region: Region,
    /// The first element.
    pub offset: usize,
    /// The value's extents.
    pub shape: Shape,
    /// Elements between the starts of consecutive rows of the last axis: the last extent, unless the value is written
    /// into a slice of a concatenation's channels.
    pub stride: usize,
}

impl View {
    /// Elements from the first to one past the last.
    pub fn span(&self) -> usize {
        match self.rows() {
            0 => 0,
            rows => (rows - 1) * self.stride + self.shape.last(),
        }
    }

    /// Rows of the last axis: pixels of an activation.
    pub fn rows(&self) -> usize {
        self.shape.elements() / self.shape.last().max(1)
    }

    /// Whether rows follow each other without gaps.
    pub fn is_dense(&self) -> bool {
        self.stride == self.shape.last()
    }
}

/// One op to execute.
#[derive(Clone, Debug)]
pub struct Step {
    /// The node of the graph.
    pub node: NodeId,
    /// The op.
    pub op: Op,
    /// What it reads; always dense.
    pub inputs: Vec<View>,
    /// What it writes; only `conv2d` and `max_pool2d` may be given a view with gaps.
    pub output: View,
    /// Floating-point operations.
    pub flops: u64,
}

impl Step {
    /// Values that must move at least: every input read once, the output written once.
    pub fn min_values(&self) -> usize {
        let elements: usize = self.inputs.iter().map(|v| v.shape.elements()).sum();
        elements + self.output.shape.elements()
    }
}

/// A graph at fixed sizes: what runs in which order, and where every value lives.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The graph.
    pub graph: Arc<Graph>,
    /// Ops in order.
    pub steps: Vec<Step>,
    /// Where the caller's inputs go.
    pub inputs: Vec<View>,
    /// Where the outputs are found; always dense.
    pub outputs: Vec<View>,
    /// Elements of the arena.
    pub arena: usize,
}

/// Where a node's value goes: its own allocation, or somebody else's.
enum Home {
    Own,
    /// The same elements as another node's (a flatten).
    Alias(usize),
    /// Channels of a concatenation's output, from this one on.
    Slice(usize, usize),
}

impl Plan {
    /// Plans `graph` for inputs of these shapes.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for shapes that do not fit.
    pub fn new(graph: Arc<Graph>, inputs: &[Shape]) -> Result<Plan> {
        let shapes = graph.shapes(inputs)?;
        let homes = homes(&graph, &shapes);
        let root = |mut i: usize| loop {
            match homes[i] {
                Home::Own => return i,
                Home::Alias(to) | Home::Slice(to, _) => i = to,
            }
        };
        let arena_nodes: Vec<usize> =
            (0..shapes.len()).filter(|&i| !matches!(graph.nodes[i].source, Source::Param(_))).collect();

        // A home lives from the first node that writes into it to the last that reads from it.
        let mut first = vec![usize::MAX; shapes.len()];
        let mut last = vec![0; shapes.len()];
        for &i in &arena_nodes {
            // Inputs are all there before the first step.
            let born = if matches!(graph.nodes[i].source, Source::Input(_)) { 0 } else { i };
            first[root(i)] = first[root(i)].min(born);
            last[root(i)] = last[root(i)].max(i);
            if let Source::Op(_, from) = &graph.nodes[i].source {
                for id in from {
                    last[root(id.0)] = last[root(id.0)].max(i);
                }
            }
        }
        for id in &graph.outputs {
            last[root(id.0)] = usize::MAX;
        }
        let (offsets, arena) = place(&arena_nodes, &shapes, &homes, &first, &last);

        let view = |id: NodeId| {
            let shape = shapes[id.0].clone();
            if matches!(graph.nodes[id.0].source, Source::Param(_)) {
                return View { region: Region::Param(id), offset: 0, stride: shape.last(), shape };
            }
            let (mut at, mut channel, mut stride) = (id.0, 0, shape.last());
            loop {
                match homes[at] {
                    Home::Own => break,
                    Home::Alias(to) => at = to,
                    Home::Slice(to, from) => {
                        (at, channel, stride) = (to, channel + from, shapes[to].last());
                    }
                }
            }
            View { region: Region::Arena, offset: offsets[at] + channel, stride, shape }
        };
        let mut steps = Vec::new();
        for &i in &arena_nodes {
            let Source::Op(op, from) = &graph.nodes[i].source else { continue };
            let nothing_to_do = match op {
                Op::Flatten(_) => matches!(homes[i], Home::Alias(_)),
                Op::Concat(_) => from.iter().all(|id| matches!(homes[id.0], Home::Slice(to, _) if to == i)),
                _ => false,
            };
            if nothing_to_do {
                continue;
            }
            let of: Vec<&Shape> = from.iter().map(|id| &shapes[id.0]).collect();
            steps.push(Step {
                node: NodeId(i),
                op: op.clone(),
                inputs: from.iter().map(|&id| view(id)).collect(),
                output: view(NodeId(i)),
                flops: op.flops(&of, &shapes[i]),
            });
        }
        let inputs = graph.inputs.iter().map(|&id| view(id)).collect();
        let outputs = graph.outputs.iter().map(|&id| view(id)).collect();
        Ok(Plan { graph, steps, inputs, outputs, arena })
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|step| step.flops).sum()
    }
}

/// Decides which values need no memory of their own.
fn homes(graph: &Graph, shapes: &[Shape]) -> Vec<Home> {
    let mut readers = vec![0; shapes.len()];
    for node in &graph.nodes {
        if let Source::Op(_, from) = &node.source {
            from.iter().for_each(|id| readers[id.0] += 1);
        }
    }
    graph.outputs.iter().for_each(|id| readers[id.0] += 1);
    let mut homes: Vec<Home> = shapes.iter().map(|_| Home::Own).collect();
    for (i, node) in graph.nodes.iter().enumerate() {
        let Source::Op(op, from) = &node.source else { continue };
        match op {
            Op::Flatten(_) if !matches!(graph.nodes[from[0].0].source, Source::Param(_)) => {
                homes[i] = Home::Alias(from[0].0);
            }
            Op::Concat(_) => {
                // Either every part is written in place by its producer, or all are copied.
                let in_place = from.iter().all(|id| {
                    let writes_with_gaps =
                        matches!(graph.nodes[id.0].source, Source::Op(Op::Conv2d(_) | Op::MaxPool2d(_), _));
                    writes_with_gaps && readers[id.0] == 1
                });
                if in_place {
                    let mut channel = 0;
                    for id in from {
                        homes[id.0] = Home::Slice(i, channel);
                        channel += shapes[id.0].last();
                    }
                }
            }
            _ => {}
        }
    }
    homes
}

/// Gives every home an offset: the largest first, each at the lowest place free during its whole life.
fn place(nodes: &[usize], shapes: &[Shape], homes: &[Home], first: &[usize], last: &[usize]) -> (Vec<usize>, usize) {
    let mut owners: Vec<usize> = nodes.iter().copied().filter(|&i| matches!(homes[i], Home::Own)).collect();
    owners.sort_by_key(|&i| (std::cmp::Reverse(shapes[i].elements()), i));
    let mut offsets = vec![0; shapes.len()];
    let mut placed: Vec<(usize, usize, usize)> = Vec::new(); // (offset, end, node), by offset
    let mut arena = 0;
    for i in owners {
        let size = shapes[i].elements().next_multiple_of(ALIGN);
        let mut offset = 0;
        for &(from, to, other) in &placed {
            let lives_meanwhile = first[i] <= last[other] && first[other] <= last[i];
            if lives_meanwhile && offset < to {
                if offset + size <= from {
                    break;
                }
                offset = to;
            }
        }
        offsets[i] = offset;
        arena = arena.max(offset + size);
        let at = placed.partition_point(|&(from, ..)| from <= offset);
        placed.insert(at, (offset, offset + size, i));
    }
    (offsets, arena)
}
