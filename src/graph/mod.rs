//! What runs: a flat list of nodes in order, and the plan that says where each value lives.
//!
//! A [`Graph`] fixes ops and parameters but not the sizes of its inputs: the same P-Net serves every level of every
//! pyramid. A [`Plan`] fixes the sizes, and with them every shape, every byte and every operation, before anything runs.

mod constant;
mod grad;
mod plan;

pub use crate::ops::{NodeId, Vjp};
pub use constant::Constant;
pub use plan::{Plan, Region, Step, View};

use crate::ops::{Op, Real};
use crate::{Error, Result, Shape, Tensor};

/// Where a node's value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The caller; which of the inputs.
    Input(usize),
    /// A constant: a weight.
    Param(Constant),
    /// What the device keeps between runs, f32 in every precision: which of the states, and its extents.
    State(usize, Shape),
    /// An op on earlier nodes.
    Op(Op, Vec<NodeId>),
}

/// One value and where it comes from.
#[derive(Clone, Debug)]
pub struct Node {
    /// For messages, tables and golden dumps; a layer's name as its paper or its weights file has it.
    pub name: String,
    /// Where the value comes from.
    pub source: Source,
}

/// Nodes in an order in which each stands after what it reads.
///
/// ```
/// use warpface::{Graph, Shape, Tensor, ops};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x");
/// let y = graph.op("relu", ops::Relu, &[x]);
/// graph.output(y);
/// let out = graph.reference(&[Tensor::new([3], vec![-1.0f32, 0.0, 2.0])])?;
/// assert_eq!(out[0].data(), [0.0, 0.0, 2.0]);
/// # Ok::<(), warpface::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
    updates: Vec<(NodeId, NodeId)>,
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Graph::default()
    }

    /// Adds an input, the caller's next one.
    pub fn input(&mut self, name: &str) -> NodeId {
        let id = self.push(name, Source::Input(self.inputs.len()));
        self.inputs.push(id);
        id
    }

    /// Adds a constant.
    pub fn param(&mut self, name: &str, value: impl Into<Constant>) -> NodeId {
        self.push(name, Source::Param(value.into()))
    }

    /// Adds what the device keeps between runs. Graphs that run on the same states number them alike.
    pub fn state(&mut self, name: &str, slot: usize, shape: impl Into<Shape>) -> NodeId {
        self.push(name, Source::State(slot, shape.into()))
    }

    /// A run ends with `state` taking this value: the result of an op that can work in place on it
    /// ([`crate::ops::Operator::in_place`]), after everything that reads the state.
    pub fn update(&mut self, state: NodeId, value: NodeId) {
        self.updates.push((state, value));
    }

    /// Adds an op on earlier nodes. Whether the shapes fit is known, and said, when the graph is planned.
    pub fn op(&mut self, name: &str, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.push(name, Source::Op(op.into(), inputs.to_vec()))
    }

    /// Names a node as the graph's next output.
    pub fn output(&mut self, node: NodeId) {
        self.outputs.push(node);
    }

    fn push(&mut self, name: &str, source: Source) -> NodeId {
        self.nodes.push(Node { name: name.to_owned(), source });
        NodeId(self.nodes.len() - 1)
    }

    /// Whether a node is a constant.
    fn is_param(&self, id: NodeId) -> bool {
        matches!(self.nodes[id.0].source, Source::Param(_))
    }

    /// All nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The inputs, in the order the caller gives them.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The outputs, in the order the caller gets them.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// Which states a run changes, and to which value.
    pub fn updates(&self) -> &[(NodeId, NodeId)] {
        &self.updates
    }

    /// The extents of the states that the graph has, by their number.
    pub fn states(&self) -> impl Iterator<Item = (usize, &Shape)> {
        self.nodes.iter().filter_map(|node| match &node.source {
            Source::State(slot, shape) => Some((*slot, shape)),
            _ => None,
        })
    }

    /// The same graph with every op's result as an output, in order: for comparing layer by layer.
    pub fn with_all_outputs(&self) -> Graph {
        let ops = self.nodes.iter().enumerate().filter(|(_, node)| matches!(node.source, Source::Op(..)));
        let outputs = ops.map(|(i, _)| NodeId(i)).collect();
        Graph { outputs, ..self.clone() }
    }

    /// How many values all parameters hold.
    pub fn parameters(&self) -> usize {
        let sizes = self.nodes.iter().map(|node| match &node.source {
            Source::Param(value) => value.shape().elements(),
            _ => 0,
        });
        sizes.sum()
    }

    /// Every node's shape, given the inputs' shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] names the first node whose inputs do not fit; [`Error::Invalid`] a wrong number of inputs.
    pub fn shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        if inputs.len() != self.inputs.len() {
            let problem = format!("the graph has {} inputs, {} were given", self.inputs.len(), inputs.len());
            return Err(Error::invalid("graph inputs", problem));
        }
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let shape = match &node.source {
                Source::Input(i) => inputs[*i].clone(),
                Source::Param(value) => value.shape().clone(),
                Source::State(_, shape) => shape.clone(),
                Source::Op(op, from) => {
                    let from: Vec<&Shape> = from.iter().map(|id| &shapes[id.0]).collect();
                    op.shape(&from).map_err(|problem| Error::Shape {
                        op: op.stem(),
                        node: node.name.clone(),
                        problem,
                    })?
                }
            };
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// The outputs by the CPU reference, in `T` arithmetic; the graph has no states.
    ///
    /// # Errors
    /// As [`Graph::shapes`] and [`Constant::value`].
    pub fn reference<T: Real>(&self, inputs: &[Tensor<T>]) -> Result<Vec<Tensor<T>>> {
        self.reference_on(inputs, &mut [])
    }

    /// As [`Graph::reference`], on states, by their number, which take their new values.
    ///
    /// # Errors
    /// As [`Graph::reference`]; [`Error::Invalid`] if the graph has a state that is not among these, or of other extents.
    pub fn reference_on<T: Real>(&self, inputs: &[Tensor<T>], states: &mut [Tensor<T>]) -> Result<Vec<Tensor<T>>> {
        for (slot, shape) in self.states() {
            if states.get(slot).is_none_or(|state| state.shape() != shape) {
                return Err(Error::invalid("graph states", format!("state {slot} is not there as {shape}")));
            }
        }
        self.shapes(&inputs.iter().map(|x| x.shape().clone()).collect::<Vec<_>>())?;
        let mut values: Vec<Tensor<T>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = match &node.source {
                Source::Input(i) => inputs[*i].clone(),
                Source::Param(value) => {
                    let data = value.value()?.data().iter().map(|&x| T::of(x.into())).collect();
                    Tensor::new(value.shape().clone(), data)
                }
                Source::State(slot, _) => states[*slot].clone(),
                Source::Op(op, from) => op.reference(&from.iter().map(|id| &values[id.0]).collect::<Vec<_>>()),
            };
            values.push(value);
        }
        for (state, value) in &self.updates {
            let Source::State(slot, _) = self.nodes[state.0].source else {
                return Err(Error::invalid("graph", format!("`{}` is no state", self.nodes[state.0].name)));
            };
            states[slot] = values[value.0].clone();
        }
        Ok(self.outputs.iter().map(|id| values[id.0].clone()).collect())
    }
}
