//! Where every value of a graph lives: liveness, greedy offsets in one arena, concatenations without copies.

use std::sync::Arc;

use super::{Graph, NodeId, Source};
use crate::ops::{Join, Op, Port};
use crate::{Error, Precision, Result, Shape};

/// Offsets are multiples of this many bytes, the strictest alignment a device asks for: of 64 elements at least.
const ALIGN: usize = 256;

/// Which memory a value lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// A constant: node `.0` of the graph.
    Param(NodeId),
    /// The arena that activations share.
    Arena,
    /// What the device keeps between runs: the state with this number.
    State(usize),
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
    /// Whether the values are f32 in every precision; offset, stride and extents count values as they are stored.
    pub exact: bool,
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
    /// What it reads; dense, but for the parts of a concatenation that are in their places already, and values whose
    /// extents alone are read.
    pub inputs: Vec<View>,
    /// What it writes; only an op that says so may be given a view with gaps ([`crate::ops::Operator::STRIDED_OUTPUT`]).
    pub output: View,
    /// Floating-point operations.
    pub flops: u64,
    /// Whether the op works on f32 values whatever the precision.
    pub exact: bool,
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
    /// Elements of the arena, as the precision stores them.
    pub arena: usize,
}

/// Where a node's value goes: its own allocation, or somebody else's.
#[derive(Clone, Copy, PartialEq)]
enum Home {
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

impl Plan {
    /// Plans `graph` for inputs of these shapes, in f32.
    ///
    /// # Errors
    /// [`Error::Shape`] for shapes that do not fit; [`Error::Invalid`] for a state that cannot be updated in place.
    pub fn new(graph: Arc<Graph>, inputs: &[Shape]) -> Result<Plan> {
        Plan::in_precision(graph, inputs, Precision::F32)
    }

    /// Plans `graph` for inputs of these shapes.
    ///
    /// # Errors
    /// As [`Plan::new`]; [`Error::Shape`] also for an op that would read f32 and 16 bits together.
    pub fn in_precision(graph: Arc<Graph>, inputs: &[Shape], precision: Precision) -> Result<Plan> {
        let shapes = graph.shapes(inputs)?;
        let exact = exactness(&graph, precision)?;
        let homes = homes(&graph, &shapes, &exact, precision)?;
        let root = |mut i: usize| loop {
            match homes[i] {
                Home::Own | Home::State(..) => return i,
                Home::Alias(to) | Home::Slice(to, _) | Home::Within(to, _) => i = to,
            }
        };
        let is_value = |i: usize| !matches!(graph.nodes[i].source, Source::Param(_) | Source::State(..));
        let arena_nodes: Vec<usize> = (0..shapes.len()).filter(|&i| is_value(i)).collect();

        // A home lives from the first node that writes into it to the last that reads from it.
        let mut first = vec![usize::MAX; shapes.len()];
        let mut last = vec![0; shapes.len()];
        for &i in &arena_nodes {
            // Inputs are all there before the first step.
            let born = if matches!(graph.nodes[i].source, Source::Input(_)) { 0 } else { i };
            first[root(i)] = first[root(i)].min(born);
            last[root(i)] = last[root(i)].max(i);
            if let Source::Op(op, from) = &graph.nodes[i].source {
                for (_, id) in from.iter().enumerate().filter(|(port, _)| op.port(*port) != Port::Extents) {
                    last[root(id.0)] = last[root(id.0)].max(i);
                }
            }
        }
        for id in &graph.outputs {
            last[root(id.0)] = usize::MAX;
        }
        // Stored values that an element takes.
        let units = |i: usize| if exact[i] { 4 / precision.bytes() } else { 1 };
        let sizes: Vec<usize> = (0..shapes.len()).map(|i| shapes[i].elements() * units(i)).collect();
        let owners = arena_nodes.iter().copied().filter(|&i| homes[i] == Home::Own).collect();
        let (offsets, arena) = place(owners, &sizes, ALIGN / precision.bytes(), &first, &last);

        let view = |id: NodeId| {
            let shape = shapes[id.0].clone();
            let in_region =
                |region, offset, stride, exact| View { region, offset, stride, shape: shape.clone(), exact };
            if let Source::Param(_) = graph.nodes[id.0].source {
                return in_region(Region::Param(id), 0, shape.last(), exact[id.0]);
            }
            let (mut at, mut offset, mut stride) = (id.0, 0, shape.last());
            loop {
                match homes[at] {
                    Home::Own => break,
                    Home::State(slot, from) => return in_region(Region::State(slot), from + offset, stride, true),
                    Home::Alias(to) => at = to,
                    Home::Slice(to, from) => (at, offset, stride) = (to, offset + from, shapes[to].last()),
                    Home::Within(to, from) => (at, offset) = (to, offset + from),
                }
            }
            in_region(Region::Arena, offsets[at] / units(at) + offset, stride, exact[id.0])
        };
        let mut steps = Vec::new();
        for &i in &arena_nodes {
            let Source::Op(op, from) = &graph.nodes[i].source else { continue };
            let nothing_to_do = match op {
                Op::Flatten(_) | Op::Part(_) | Op::Cast(_) => homes[i] != Home::Own,
                Op::Concat(_) => from.iter().all(|id| matches!(homes[id.0], Home::Slice(to, _) if to == i)),
                _ => false,
            };
            if nothing_to_do {
                continue;
            }
            let of: Vec<&Shape> = from.iter().map(|id| &shapes[id.0]).collect();
            let cast = matches!(op, Op::Cast(_)).then(|| exact[i] && exact[from[0].0]);
            let value = (0..from.len()).find(|&port| op.port(port) == Port::Value && !is_param(&graph, from[port]));
            steps.push(Step {
                node: NodeId(i),
                op: op.clone(),
                inputs: from.iter().map(|&id| view(id)).collect(),
                output: view(NodeId(i)),
                flops: op.flops(&of, &shapes[i]),
                exact: cast.unwrap_or_else(|| value.map_or(exact[i], |port| exact[from[port].0])),
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

fn is_param(graph: &Graph, id: NodeId) -> bool {
    matches!(graph.nodes[id.0].source, Source::Param(_))
}

/// Which values are f32 in every precision: states, what an op says is, what an op asks of an input, and what ops make
/// of such values.
fn exactness(graph: &Graph, precision: Precision) -> Result<Vec<bool>> {
    let mut exact = vec![false; graph.nodes.len()];
    for node in &graph.nodes {
        let Source::Op(op, from) = &node.source else { continue };
        for (_, id) in from.iter().enumerate().filter(|(port, _)| op.port(*port) == Port::Exact) {
            exact[id.0] |= matches!(graph.nodes[id.0].source, Source::Input(_));
        }
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        match &node.source {
            Source::Input(_) | Source::Param(_) => {}
            Source::State(..) => exact[i] = true,
            Source::Op(op, from) => {
                let mut kinds = Vec::new();
                for (port, id) in from.iter().enumerate().filter(|(_, id)| !is_param(graph, **id)) {
                    match op.port(port) {
                        Port::Value => kinds.push((exact[id.0], *id)),
                        Port::Exact if !exact[id.0] && precision.bytes() < 4 => {
                            let problem = format!(
                                "input {port}, `{}`, is stored in {precision}; cast it to f32",
                                graph.nodes[id.0].name
                            );
                            return Err(Error::Shape { op: op.stem(), node: node.name.clone(), problem });
                        }
                        Port::Exact | Port::Any | Port::Extents => {}
                    }
                }
                let differs = kinds.iter().find(|(kind, _)| *kind != kinds[0].0);
                if let Some((_, other)) = differs.filter(|_| precision.bytes() < 4) {
                    let names = [kinds[0].1, *other].map(|id| graph.nodes[id.0].name.clone());
                    let problem =
                        format!("`{}` and `{}` are stored differently in {precision}; cast one", names[0], names[1]);
                    return Err(Error::Shape { op: op.stem(), node: node.name.clone(), problem });
                }
                exact[i] = op.exact_output() || kinds.first().is_some_and(|(kind, _)| *kind);
            }
        }
    }
    Ok(exact)
}

/// Decides which values need no memory of their own.
fn homes(graph: &Graph, shapes: &[Shape], exact: &[bool], precision: Precision) -> Result<Vec<Home>> {
    let mut readers = vec![0; shapes.len()];
    for node in &graph.nodes {
        if let Source::Op(op, from) = &node.source {
            let read = from.iter().enumerate().filter(|(port, _)| op.port(*port) != Port::Extents);
            read.for_each(|(_, id)| readers[id.0] += 1);
        }
    }
    graph.outputs.iter().for_each(|id| readers[id.0] += 1);
    let mut homes: Vec<Home> = vec![Home::Own; shapes.len()];
    let alike = |a: NodeId, b: usize| exact[a.0] == exact[b] || precision.bytes() == 4;
    for (i, node) in graph.nodes.iter().enumerate() {
        let (op, from) = match &node.source {
            Source::State(slot, _) => {
                homes[i] = Home::State(*slot, 0);
                continue;
            }
            Source::Op(op, from) => (op, from),
            _ => continue,
        };
        match op {
            Op::Flatten(_) if !is_param(graph, from[0]) => homes[i] = Home::Alias(from[0].0),
            Op::Cast(_) if !is_param(graph, from[0]) && alike(from[0], i) => homes[i] = Home::Alias(from[0].0),
            Op::Part(part) if !is_param(graph, from[0]) => {
                let offset = part.offset(&shapes[from[0].0]);
                // Where a device can bind it.
                if offset.is_multiple_of(64) {
                    homes[i] = Home::Within(from[0].0, offset);
                }
            }
            Op::Join(_) => {
                let (starts, _) = Join::layout(from.iter().map(|id| &shapes[id.0]));
                for (id, start) in from.iter().zip(starts) {
                    if homes[id.0] == Home::Own && matches!(graph.nodes[id.0].source, Source::Op(..)) {
                        homes[id.0] = Home::Within(i, start);
                    }
                }
            }
            Op::Concat(_) => {
                // Parts that nobody else reads are written in place by their producers, the others copied.
                let mut channel = 0;
                for id in from {
                    let writes_with_gaps =
                        matches!(&graph.nodes[id.0].source, Source::Op(op, _) if op.strided_output());
                    if writes_with_gaps && readers[id.0] == 1 {
                        homes[id.0] = Home::Slice(i, channel);
                    }
                    channel += shapes[id.0].last();
                }
            }
            _ => {}
        }
    }
    for (state, value) in &graph.updates {
        let Source::State(slot, _) = graph.nodes[state.0].source else {
            return Err(Error::invalid("graph", format!("`{}` is no state", graph.nodes[state.0].name)));
        };
        let Source::Op(op, from) = &graph.nodes[value.0].source else {
            return Err(Error::invalid("graph", format!("`{}` is no op's result", graph.nodes[value.0].name)));
        };
        let later = |node: &super::Node| matches!(&node.source, Source::Op(_, from) if from.contains(state));
        if op.in_place().is_none_or(|i| from[i] != *state) || graph.nodes[value.0 + 1..].iter().any(later) {
            let (value, state) = (&graph.nodes[value.0].name, &graph.nodes[state.0].name);
            return Err(Error::invalid("graph", format!("`{value}` cannot take the place of the state `{state}`")));
        }
        homes[value.0] = Home::State(slot, 0);
        // Parts of the state are its memory: who reads one later reads what has changed.
        let of_state = |mut i: usize| loop {
            match homes[i] {
                Home::State(of, _) => return of == slot && i != value.0,
                Home::Alias(to) | Home::Within(to, _) => i = to,
                Home::Own | Home::Slice(..) => return false,
            }
        };
        let mut after = graph.nodes[value.0 + 1..].iter();
        let reads_part =
            |node: &super::Node| matches!(&node.source, Source::Op(_, from) if from.iter().any(|id| of_state(id.0)));
        if let Some(node) = after.find(|node| reads_part(node)) {
            let problem = format!("`{}` reads a state that `{}` has changed", node.name, graph.nodes[value.0].name);
            return Err(Error::invalid("graph", problem));
        }
    }
    Ok(homes)
}

/// Gives every owner an offset: the largest first, each at the lowest place free during its whole life.
fn place(
    mut owners: Vec<usize>,
    sizes: &[usize],
    align: usize,
    first: &[usize],
    last: &[usize],
) -> (Vec<usize>, usize) {
    owners.sort_by_key(|&i| (std::cmp::Reverse(sizes[i]), i));
    let mut offsets = vec![0; sizes.len()];
    let mut placed: Vec<(usize, usize, usize)> = Vec::new(); // (offset, end, node), by offset
    let mut arena = 0;
    for i in owners {
        let size = sizes[i].next_multiple_of(align);
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
