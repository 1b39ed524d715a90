//! A graph on its way into a format: the steps that its ops become, under names that a reader of the file knows.

use std::collections::BTreeSet;

use super::message::Message;
use crate::error::{Error, Result};
use crate::graph::{Constant, Graph, NodeId, Source};
use crate::ops::Op;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The names of a file's input and output: davidsandberg/facenet's.
pub(super) const INPUT: &str = "input";
pub(super) const OUTPUT: &str = "embeddings";

/// A node of the file, named as the value that it makes.
pub(super) struct Step {
    pub name: String,
    /// The format's name of what it does.
    pub kind: &'static str,
    /// The values that it takes, by their names.
    pub inputs: Vec<String>,
    /// As the format has them.
    pub attributes: Vec<Message>,
}

/// A constant of the file.
pub(super) struct Held {
    pub name: String,
    /// Its extents in the file.
    pub dims: Vec<usize>,
    pub value: Value,
}

/// What a constant is.
pub(super) enum Value {
    /// Weights, their axes in this order.
    Weights(Constant, &'static [usize]),
    Ints(Vec<i64>),
    Float(f32),
}

/// Nodes and constants, in order.
pub(super) struct Draft {
    pub constants: Vec<Held>,
    pub steps: Vec<Step>,
    /// Extents of the input and of the output, of one image.
    pub input: Shape,
    pub output: Shape,
    names: BTreeSet<String>,
}

impl Draft {
    /// Turns every op of a graph into steps by `lower`, for images of these extents. `scope` stands before all names.
    ///
    /// # Errors
    /// [`Error::Invalid`] names an op that the format, called `format`, does not have; [`Error::Shape`] where the images do not
    /// fit.
    pub fn new(
        graph: &Graph,
        image: Shape,
        scope: &str,
        format: &str,
        lower: impl Fn(&mut At<'_>, &Op) -> Lowered,
    ) -> Result<Draft> {
        let shapes = graph.shapes(std::slice::from_ref(&image))?;
        let [output] = *graph.outputs() else {
            return Err(Error::invalid("embedding network", "expected one output [n, d]"));
        };
        let (constants, steps, names) = Default::default();
        let mut draft = Draft { constants, steps, input: image, output: shapes[output.index()].clone(), names };
        // Of each node the name of its value.
        let mut values: Vec<String> = Vec::new();
        for (i, node) in graph.nodes().iter().enumerate() {
            let value = match &node.source {
                Source::Input(_) => INPUT.to_owned(),
                Source::Param(_) => format!("{scope}{}", stored_name(&node.name)),
                Source::State(..) => {
                    return Err(Error::invalid("embedding network", format!("`{}` is a state of training", node.name)));
                }
                Source::Op(op, inputs) => {
                    let is_output = i == output.index();
                    let name = if is_output { OUTPUT.to_owned() } else { format!("{scope}{}", node.name) };
                    let mut at =
                        At { draft: &mut draft, graph, shapes: &shapes, values: &values, name, inputs, node: i };
                    let made = lower(&mut at, op).map_err(|what| {
                        let problem = format!("`{}`: {format} has no counterpart of {what}", node.name);
                        Error::invalid("the network", problem)
                    })?;
                    draft.named(made, is_output)
                }
            };
            values.push(value);
        }
        Ok(draft)
    }

    /// The name of an op's value; the output has its own.
    fn named(&mut self, made: String, is_output: bool) -> String {
        match self.steps.last_mut() {
            Some(last) if is_output => {
                last.name = OUTPUT.to_owned();
                OUTPUT.to_owned()
            }
            _ => made,
        }
    }

    fn hold(&mut self, name: String, dims: Vec<usize>, value: Value) -> String {
        // Layers may share a constant.
        if self.names.insert(name.clone()) {
            self.constants.push(Held { name: name.clone(), dims, value });
        }
        name
    }
}

/// A constant's name in files, where a graph has it as `LAYER/w` and `LAYER/b`.
fn stored_name(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((layer, "w")) => format!("{layer}/weights"),
        Some((layer, "b")) => format!("{layer}/biases"),
        _ => name.to_owned(),
    }
}

/// The name of the value that an op has become; or what of the op the format does not have.
pub(super) type Lowered = std::result::Result<String, String>;

/// One op on its way into steps.
pub(super) struct At<'a> {
    draft: &'a mut Draft,
    graph: &'a Graph,
    shapes: &'a [Shape],
    values: &'a [String],
    name: String,
    inputs: &'a [NodeId],
    node: usize,
}

impl At<'_> {
    /// The name of an input's value.
    pub fn input(&self, i: usize) -> String {
        self.values[self.inputs[i].index()].clone()
    }

    /// The names of all inputs' values.
    pub fn all_inputs(&self) -> Vec<String> {
        (0..self.inputs.len()).map(|i| self.input(i)).collect()
    }

    /// An input's extents, of one image.
    pub fn dims(&self, i: usize) -> &[usize] {
        self.shapes[self.inputs[i].index()].dims()
    }

    /// The output's extents, of one image.
    pub fn out(&self) -> &[usize] {
        self.shapes[self.node].dims()
    }

    /// An input that is weights, their axes in this order, some of them perhaps as one; by its name.
    pub fn weights(&mut self, i: usize, axes: &'static [usize], dims: &[usize]) -> Lowered {
        let node = &self.graph.nodes()[self.inputs[i].index()];
        let Source::Param(constant) = &node.source else { return Err("weights that are computed".into()) };
        let name = self.input(i);
        Ok(self.draft.hold(name, dims.to_vec(), Value::Weights(constant.clone(), axes)))
    }

    /// A list of whole numbers of the op's own, by its name.
    pub fn ints(&mut self, name: &str, values: &[i64]) -> String {
        self.table(name, &[values.len()], values.to_vec())
    }

    /// Whole numbers of these extents.
    pub fn table(&mut self, name: &str, dims: &[usize], values: Vec<i64>) -> String {
        self.draft.hold(format!("{}/{name}", self.name), dims.to_vec(), Value::Ints(values))
    }

    /// A float of the op's own, by its name.
    pub fn float(&mut self, name: &str, x: f32) -> String {
        self.draft.hold(format!("{}/{name}", self.name), Vec::new(), Value::Float(x))
    }

    /// Floats of the op's own, by their name.
    pub fn tensor(&mut self, name: &str, values: Tensor) -> String {
        let dims = values.dims().to_vec();
        self.draft.hold(format!("{}/{name}", self.name), dims, Value::Weights(values.into(), &[]))
    }

    /// Adds a step of this name within the op; returns the name of its value.
    pub fn step(&mut self, name: &str, kind: &'static str, inputs: &[&str], attributes: Vec<Message>) -> String {
        let name = format!("{}/{name}", self.name);
        let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
        self.draft.steps.push(Step { name: name.clone(), kind, inputs, attributes });
        name
    }
}
