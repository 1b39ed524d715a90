//! What a plan consists of: steps, and where their values live.

use crate::Shape;
use crate::ops::{NodeId, Op};

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
    pub keep_f32: bool,
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
    /// What it writes; only an op that says so may be given a view with gaps
    /// ([`crate::ops::Operator::STRIDED_OUTPUT`]).
    pub output: View,
    /// Floating-point operations.
    pub flops: u64,
    /// Whether the op works on f32 values whatever the precision.
    pub keep_f32: bool,
}

impl Step {
    /// Values that must move at least: every input read once, the output written once.
    pub fn min_values(&self) -> usize {
        let elements: usize = self.inputs.iter().map(|v| v.shape.elements()).sum();
        elements + self.output.shape.elements()
    }
}
