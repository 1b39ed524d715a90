//! The layers of a graph that is a chain.

use std::sync::Arc;

use super::conv::Filters;
use crate::backend::cpu::simd::Isa;
use crate::graph::{NodeId, Source};
use crate::ops::{Activation, MaxPool2d, Op, Padding};
use crate::{Error, Graph, Result, Tensor};

/// What is done to planes.
pub(super) enum Layer {
    /// A convolution of stride 1 without padding: the window's extents `[y, x]`, and its filters.
    Convolution { kernel: [usize; 2], filters: Filters },
    /// The maximum of two by two, a step of two; a border that is left over stands alone.
    Halving,
}

impl Layer {
    /// Rows that stay for the next windows, at most.
    pub fn kept(&self) -> usize {
        match self {
            Layer::Convolution { kernel, .. } => kernel[0] - 1,
            Layer::Halving => 1,
        }
    }
}

/// Channels of the input, and the layers up to `outputs`, which are one layer.
pub(super) fn of(isa: Isa, graph: &Graph, outputs: &[NodeId]) -> Result<(usize, Vec<Layer>)> {
    let heads = outputs.iter().map(|&id| Convolution::of(graph, id)).collect::<Result<Vec<_>>>()?;
    let (mut node, mut w) = match heads.first() {
        Some(head) if heads.iter().all(|other| other.reads_as(head)) => (head.x, head.w.clone()),
        _ => return Err(unfit("the outputs", "are not convolutions of the same values, of one size")),
    };
    let mut layers = vec![packed(isa, &heads)];
    while !graph.inputs().contains(&node) {
        node = match &graph.nodes()[node.index()].source {
            Source::Op(Op::MaxPool2d(pool), inputs) if is_halving(pool) => {
                layers.push(Layer::Halving);
                inputs[0]
            }
            _ => {
                let convolution = Convolution::of(graph, node)?;
                w = convolution.w.clone();
                layers.push(packed(isa, std::slice::from_ref(&convolution)));
                convolution.x
            }
        };
    }
    layers.reverse();
    Ok((w.shape().last(), layers))
}

fn unfit(what: &str, problem: &str) -> Error {
    Error::invalid("chain of layers", format!("{what} {problem}"))
}

fn is_halving(pool: &MaxPool2d) -> bool {
    (pool.kernel, pool.stride, pool.padding) == ([2; 2], [2; 2], Padding::Same)
}

/// A convolution with its constants.
struct Convolution {
    x: NodeId,
    w: Arc<Tensor>,
    bias: Arc<Tensor>,
    activation: Activation,
    alpha: Option<Arc<Tensor>>,
}

impl Convolution {
    /// The convolution that a node is, of the kind that planes run.
    fn of(graph: &Graph, id: NodeId) -> Result<Self> {
        let node = &graph.nodes()[id.index()];
        let misfit = || {
            let problem =
                "is neither a convolution of stride 1 with a bias, without padding, nor a maximum of two by two";
            unfit(&format!("node `{}`", node.name), problem)
        };
        let Source::Op(Op::Conv2d(op), inputs) = &node.source else { return Err(misfit()) };
        let [bias, alpha, residual] = op.optional_inputs();
        let (Some(bias), None, [1, 1], Padding::Valid) = (bias, residual, op.stride, op.padding) else {
            return Err(misfit());
        };
        let constant = |i: usize| match &graph.nodes()[inputs[i].index()].source {
            Source::Param(constant) => constant.value(),
            _ => Err(misfit()),
        };
        let (w, bias) = (constant(1)?, constant(bias)?);
        let alpha = alpha.map(constant).transpose()?;
        let of_channels = |values: &Arc<Tensor>| values.data().len() == bias.data().len();
        if w.shape().rank() != 4 || w.dims()[0] != bias.data().len() || !alpha.iter().all(of_channels) {
            return Err(misfit());
        }
        Ok(Convolution { x: inputs[0], w, bias, activation: op.activation, alpha })
    }

    /// Whether both can be one layer.
    fn reads_as(&self, other: &Self) -> bool {
        self.x == other.x && self.w.dims()[1..] == other.w.dims()[1..] && self.activation == other.activation
    }
}

/// The layer of convolutions that read the same values, one's channels after the other's.
fn packed(isa: Isa, convolutions: &[Convolution]) -> Layer {
    let joined = |of: fn(&Convolution) -> &[f32]| convolutions.iter().flat_map(of).copied().collect::<Vec<f32>>();
    let (w, bias) = (joined(|c| c.w.data()), joined(|c| c.bias.data()));
    let alpha = joined(|c| c.alpha.as_ref().map_or(&[], |alpha| alpha.data()));
    let dims = convolutions[0].w.dims();
    let k = dims[1..].iter().product();
    let filters = Filters::new(isa, k, &w, bias, convolutions[0].activation, alpha);
    Layer::Convolution { kernel: [dims[1], dims[2]], filters }
}
