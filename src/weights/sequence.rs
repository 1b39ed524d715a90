//! The layers of a network that a file has as a graph, in the order that data goes through them.
//!
//! Exporters to ONNX and TFLite fold batch norms, share constants and name them by numbers, so that a name tells little.
//! Where a constant stands in the graph tells all. A walk from the outputs back, inputs in their order, comes to the
//! layers in one order whatever the exporter's: the branches of a block as its concatenation lists them, then what
//! follows. The readers bring their nodes to [`Op`]; what a layer is called is [`super::facenet`]'s and
//! [`super::mtcnn`]'s to find out.

use std::collections::{BTreeMap, HashMap};

use super::{Parsed, TensorView};

/// What a node does, as far as weights go.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    /// A convolution: data, filters, maybe biases.
    Conv,
    /// A product with a matrix: data, weights, maybe biases. Whether the weights' rows are outputs.
    Dense {
        outputs_first: bool,
    },
    Add,
    Mul,
    /// A batch norm: data, scale, offset, mean, variance.
    Norm {
        epsilon: f64,
    },
    /// A PReLU: data, slopes.
    Slope,
    /// What moves values, by this order of axes where they change places.
    Move(Option<Vec<usize>>),
    Other,
}

/// A node of the graph.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub op: Op,
    /// What it takes, in order; nameless where an input is left out.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
}

/// Whether a layer slides over its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Conv,
    /// Whether the weights' rows are outputs.
    Dense {
        outputs_first: bool,
    },
}

/// A layer, by the names of its tensors.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub kind: Kind,
    pub weights: String,
    pub bias: Option<String>,
    pub norm: Option<Norm>,
    pub slope: Option<String>,
    /// What its result is multiplied by.
    pub factor: Option<f32>,
    /// In which order the axes of a feature map stood when it was flattened for this layer, where they changed places.
    pub flattened: Option<Vec<usize>>,
}

/// A batch norm, by the names of its tensors.
#[derive(Clone, Debug)]
pub(super) enum Norm {
    Whole {
        scale: String,
        offset: String,
        mean: String,
        variance: String,
        epsilon: f64,
    },
    /// What an exporter has made of one: factors, and what is added.
    Affine {
        scale: String,
        offset: Option<String>,
    },
}

/// A graph on the way to its layers.
struct Walk<'a> {
    nodes: &'a [Node],
    constants: &'a BTreeMap<String, TensorView>,
    /// Of each value the node that makes it.
    made_by: HashMap<&'a str, usize>,
    layers: Vec<Layer>,
    /// Of each value the layer whose result it is, but for what follows a product.
    owner: HashMap<&'a str, usize>,
    /// Of each value the axes that changed places on its way.
    moved: HashMap<&'a str, &'a [usize]>,
    /// Of values that are constants by way of nodes that move: the constant, and whether a matrix was turned.
    aliases: HashMap<&'a str, (&'a str, bool)>,
    /// How many more bytes of names the layers may hold.
    names: usize,
}

/// Bytes of names that any graph may have in its layers.
const NAMES: usize = 1 << 20;

/// The layers of a graph with these outputs.
pub(super) fn layers(
    nodes: &[Node],
    outputs: &[String],
    constants: &BTreeMap<String, TensorView>,
) -> Parsed<Vec<Layer>> {
    let made_by = nodes.iter().enumerate().flat_map(|(i, node)| node.outputs.iter().map(move |y| (y.as_str(), i)));
    let mut walk = Walk {
        nodes,
        constants,
        made_by: made_by.filter(|(name, _)| !name.is_empty()).collect(),
        layers: Vec::new(),
        owner: HashMap::new(),
        moved: HashMap::new(),
        aliases: HashMap::new(),
        // Layers share few constants.
        names: NAMES + 4 * constants.keys().map(String::len).sum::<usize>(),
    };
    for i in walk.order(outputs)? {
        walk.visit(&nodes[i])?;
    }
    Ok(walk.layers)
}

impl<'a> Walk<'a> {
    /// The nodes that the outputs depend on, each after what it takes; inputs in order. Without recursion: graphs are as
    /// deep as files say.
    fn order(&self, outputs: &[String]) -> Parsed<Vec<usize>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.nodes.len()];
        let mut order = Vec::new();
        for output in outputs {
            let mut stack: Vec<(usize, usize)> =
                self.made_by.get(output.as_str()).map(|&i| (i, 0)).into_iter().collect();
            while let Some((i, next)) = stack.pop() {
                if marks[i] == Mark::Done {
                    continue;
                }
                marks[i] = Mark::Open;
                let Some(input) = self.nodes[i].inputs.get(next) else {
                    marks[i] = Mark::Done;
                    order.push(i);
                    continue;
                };
                stack.push((i, next + 1));
                match self.made_by.get(input.as_str()) {
                    Some(&j) if marks[j] == Mark::Open => return Err("is damaged: its graph has a circle".into()),
                    Some(&j) if marks[j] == Mark::New => stack.push((j, 0)),
                    _ => {}
                }
            }
        }
        Ok(order)
    }

    /// The constant that a value is.
    fn constant(&self, name: &'a str) -> Option<&'a str> {
        let name = self.aliases.get(name).map_or(name, |(constant, _)| constant);
        self.constants.contains_key(name).then_some(name)
    }

    /// As [`Self::constant`], for a layer to keep. A long name may come to many layers by a short one.
    fn kept(&mut self, name: &'a str) -> Parsed<Option<String>> {
        let Some(constant) = self.constant(name) else { return Ok(None) };
        let left =
            self.names.checked_sub(constant.len()).ok_or("is damaged: it describes far more data than it holds")?;
        self.names = left;
        Ok(Some(constant.to_owned()))
    }

    fn visit(&mut self, node: &'a Node) -> Parsed<()> {
        let Some(y) = node.outputs.first().map(String::as_str) else { return Ok(()) };
        let input = |i: usize| node.inputs.get(i).map_or("", String::as_str);
        match &node.op {
            Op::Conv => self.layer(node, Kind::Conv, y)?,
            &Op::Dense { outputs_first } => self.layer(node, Kind::Dense { outputs_first }, y)?,
            Op::Add | Op::Mul => self.combine(node, y)?,
            &Op::Norm { epsilon } => {
                let names = (1..5).filter_map(|i| self.kept(input(i)).transpose()).collect::<Parsed<Vec<String>>>()?;
                if let (Ok([scale, offset, mean, variance]), Some(&i)) =
                    (<[String; 4]>::try_from(names), self.owner.get(input(0)))
                {
                    self.layers[i].norm = Some(Norm::Whole { scale, offset, mean, variance, epsilon });
                    self.owner.insert(y, i);
                }
            }
            Op::Slope => {
                let slope = self.kept(input(1))?;
                if let Some(&i) = self.owner.get(input(0)) {
                    self.layers[i].slope = slope;
                }
            }
            Op::Move(axes) => self.pass(input(0), axes.as_deref(), y),
            Op::Other => {}
        }
        Ok(())
    }

    /// A product with constant weights; others are none of a layer's.
    fn layer(&mut self, node: &'a Node, kind: Kind, y: &'a str) -> Parsed<()> {
        let input = |i: usize| node.inputs.get(i).map_or("", String::as_str);
        let Some(weights) = self.kept(input(1))? else { return Ok(()) };
        let bias = self.kept(input(2))?;
        let turned = self.aliases.get(input(1)).is_some_and(|(_, turned)| *turned);
        let kind = match kind {
            // A matrix that came by way of a transposition.
            Kind::Dense { outputs_first } if turned => Kind::Dense { outputs_first: !outputs_first },
            kind => kind,
        };
        self.owner.insert(y, self.layers.len());
        self.layers.push(Layer {
            kind,
            weights,
            bias,
            norm: None,
            slope: None,
            factor: None,
            // What a convolution takes is no vector.
            flattened: self.moved.get(input(0)).filter(|_| kind != Kind::Conv).map(|axes| axes.to_vec()),
        });
        Ok(())
    }

    /// A sum or a product of a layer's result and a constant.
    fn combine(&mut self, node: &'a Node, y: &'a str) -> Parsed<()> {
        let [a, b] = node.inputs.as_slice() else { return Ok(()) };
        let found = match (self.owner.get(a.as_str()), self.owner.get(b.as_str())) {
            (Some(&i), None) => self.kept(b)?.map(|constant| (i, constant)),
            (None, Some(&i)) => self.kept(a)?.map(|constant| (i, constant)),
            _ => None,
        };
        let Some((i, constant)) = found else { return Ok(()) };
        let layer = &mut self.layers[i];
        let scalar = self.constants[&constant].shape().elements() == 1;
        match (&node.op, &mut layer.norm, layer.factor) {
            (Op::Add, None, None) if layer.bias.is_none() => layer.bias = Some(constant),
            (Op::Add, Some(Norm::Affine { offset: offset @ None, .. }), None) => *offset = Some(constant),
            (Op::Mul, _, None) if scalar => layer.factor = self.constants[&constant].decode()?.data().first().copied(),
            (Op::Mul, norm @ None, None) => *norm = Some(Norm::Affine { scale: constant, offset: None }),
            _ => {
                return Err(format!(
                    "holds arithmetic on the result of `{}` that is no layer's of these networks (with `{constant}`): \
                     export it again without optimizing the graph",
                    layer.weights
                ));
            }
        }
        self.owner.insert(y, i);
        Ok(())
    }

    fn pass(&mut self, x: &'a str, axes: Option<&'a [usize]>, y: &'a str) {
        if let Some(constant) = self.constant(x) {
            let before = self.aliases.get(x).is_some_and(|(_, turned)| *turned);
            self.aliases.insert(y, (constant, before != (axes == Some(&[1, 0]))));
            return;
        }
        if let Some(&i) = self.owner.get(x) {
            self.owner.insert(y, i);
        }
        if let Some(axes) = axes.or_else(|| self.moved.get(x).copied()) {
            self.moved.insert(y, axes);
        }
    }
}
