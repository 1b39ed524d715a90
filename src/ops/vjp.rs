//! Gradients by rewriting: what the gradient of an op is made with.

use super::Op;

/// A value in a graph: the result of one of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The node's place in [`Graph::nodes`](crate::Graph::nodes).
    pub fn index(self) -> usize {
        self.0
    }
}

/// What ops can be appended to.
pub(crate) trait Append {
    /// Appends an op on earlier values.
    fn append(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> NodeId;
}

/// One op of a graph whose gradients are being appended to it.
pub struct Vjp<'a> {
    pub(crate) graph: &'a mut dyn Append,
    pub(crate) name: String,
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) wanted: Vec<bool>,
    pub(crate) gradients: Vec<Option<NodeId>>,
    pub(crate) y: NodeId,
    pub(crate) dy: NodeId,
}

impl Vjp<'_> {
    /// The op's input `i`.
    pub fn input(&self, i: usize) -> NodeId {
        self.inputs[i]
    }

    /// How many inputs the op has.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The op's output.
    pub fn y(&self) -> NodeId {
        self.y
    }

    /// The gradient of the output.
    pub fn dy(&self) -> NodeId {
        self.dy
    }

    /// Whether anybody wants the gradient of input `i`.
    pub fn wanted(&self, i: usize) -> bool {
        self.wanted[i]
    }

    /// Appends an op, named after the one whose gradient it serves.
    pub fn op(&mut self, name: &str, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.append(&format!("{}/{name}", self.name), op.into(), inputs)
    }

    /// The gradient of input `i` is this.
    pub fn set(&mut self, i: usize, gradient: NodeId) {
        self.gradients[i] = Some(gradient);
    }

    /// Appends an op whose result is the gradient of input `i`, if anybody wants it.
    pub fn gradient(&mut self, i: usize, name: &str, op: impl Into<Op>, inputs: &[NodeId]) {
        if self.wanted(i) {
            let gradient = self.op(name, op, inputs);
            self.set(i, gradient);
        }
    }
}
