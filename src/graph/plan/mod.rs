//! Where every value of a graph lives: liveness, greedy offsets in one arena, concatenations without copies.

mod homes;
mod keep_f32;
mod place;
mod view;

pub use view::{Region, Step, View};

use std::sync::Arc;

use super::{Graph, NodeId, Source};
#[cfg(doc)]
use crate::Error;
use crate::ops::{Op, Port};
use crate::{Precision, Result, Shape};
use homes::{Home, Homes};
use place::Lives;

/// Offsets are multiples of this many bytes, the strictest alignment a device asks for: of 64 elements at least.
const ALIGN: usize = 256;

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
        let keep_f32 = keep_f32::find(&graph, precision)?;
        let homes = Homes::new(&graph, &shapes, &keep_f32, precision)?;
        let is_value = |i: &usize| !matches!(graph.nodes[*i].source, Source::Param(_) | Source::State(..));
        let values: Vec<usize> = (0..shapes.len()).filter(is_value).collect();
        let units = |i: usize| if keep_f32[i] { 4 / precision.bytes() } else { 1 };
        let sizes: Vec<usize> = (0..shapes.len()).map(|i| shapes[i].elements() * units(i)).collect();
        let lives = Lives::new(&graph, &homes, &values);
        let (mut offsets, arena) = lives.place(&homes, &values, &sizes, ALIGN / precision.bytes());
        offsets.iter_mut().enumerate().for_each(|(i, offset)| *offset /= units(i));
        let places = Places { graph: &graph, shapes: &shapes, keep_f32: &keep_f32, homes: &homes, offsets: &offsets };
        let steps = values.iter().filter_map(|&i| places.step(i)).collect();
        let inputs = graph.inputs.iter().map(|&id| places.view(id)).collect();
        let outputs = graph.outputs.iter().map(|&id| places.view(id)).collect();
        Ok(Plan { steps, inputs, outputs, arena, graph })
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|step| step.flops).sum()
    }
}

impl Graph {
    /// Which nodes' values are f32 in every precision.
    ///
    /// # Errors
    /// [`Error::Shape`] for an op that would read f32 and 16 bits together.
    pub(crate) fn keep_f32(&self, precision: Precision) -> Result<Vec<bool>> {
        keep_f32::find(self, precision)
    }
}

/// What steps and views are made of, by node.
struct Places<'a> {
    graph: &'a Graph,
    shapes: &'a [Shape],
    keep_f32: &'a [bool],
    homes: &'a Homes,
    /// Of those with memory of their own, in values as they are stored.
    offsets: &'a [usize],
}

impl Places<'_> {
    /// Where a node's value lives.
    fn view(&self, id: NodeId) -> View {
        let (shape, keep_f32) = (self.shapes[id.0].clone(), self.keep_f32[id.0]);
        let (mut at, mut offset, mut stride) = (id.0, 0, shape.last());
        if self.graph.is_param(id) {
            return View { region: Region::Param(id), offset, stride, shape, keep_f32 };
        }
        loop {
            match self.homes.of(at) {
                Home::Own => break,
                Home::State(slot, from) => {
                    return View { region: Region::State(slot), offset: from + offset, stride, shape, keep_f32: true };
                }
                Home::Alias(to) => at = to,
                Home::Slice(to, from) => (at, offset, stride) = (to, offset + from, self.shapes[to].last()),
                Home::Within(to, from) => (at, offset) = (to, offset + from),
            }
        }
        View { region: Region::Arena, offset: self.offsets[at] + offset, stride, shape, keep_f32 }
    }

    /// The step of a node; `None` where there is nothing to do.
    fn step(&self, i: usize) -> Option<Step> {
        let Source::Op(op, from) = &self.graph.nodes[i].source else { return None };
        let is_in_place = match op {
            // In its source's memory; in another's it must be brought there.
            Op::Flatten(_) | Op::Part(_) | Op::Cast(_) => {
                matches!(self.homes.of(i), Home::Alias(to) | Home::Within(to, _) if to == from[0].0)
            }
            Op::Concat(_) => from.iter().all(|id| matches!(self.homes.of(id.0), Home::Slice(to, _) if to == i)),
            _ => false,
        };
        if is_in_place {
            return None;
        }
        let of: Vec<&Shape> = from.iter().map(|id| &self.shapes[id.0]).collect();
        let cast = matches!(op, Op::Cast(_)).then(|| self.keep_f32[i] && self.keep_f32[from[0].0]);
        let value = (0..from.len()).find(|&port| op.port(port) == Port::Value && !self.graph.is_param(from[port]));
        Some(Step {
            node: NodeId(i),
            op: op.clone(),
            inputs: from.iter().map(|&id| self.view(id)).collect(),
            output: self.view(NodeId(i)),
            flops: op.flops(&of, &self.shapes[i]),
            keep_f32: cast.unwrap_or_else(|| value.map_or(self.keep_f32[i], |port| self.keep_f32[from[port].0])),
        })
    }
}
