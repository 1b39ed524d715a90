//! Networks as pure graph builders: weights in, graph out. Nothing here knows a device.
//!
//! ```no_run
//! use warpface::models::Mtcnn;
//! use warpface::{Plan, Shape};
//!
//! // P-Net takes any size: the plan of a photograph tells shapes and memory before anything runs.
//! let networks = Mtcnn::load("weights", false)?;
//! let plan = Plan::new(networks.pnet.clone(), &[Shape::from([1, 150, 150, 3])])?;
//! println!("{} steps, {} values at the peak", plan.steps.len(), plan.arena);
//! # Ok::<(), warpface::Error>(())
//! ```

mod embedding;
mod mtcnn;

pub use embedding::{classifier, embedding_network, embedding_network_of, seeded_network};
pub use mtcnn::{Mtcnn, onet, pnet, rnet};

use crate::graph::{Constant, Graph, NodeId};
use crate::ops::{Activation, Conv2d, Dense};
use crate::weights::{ConvWeights, DenseWeights};

/// A layer's weights as a graph takes them.
struct Layer {
    w: Constant,
    b: Constant,
    /// PReLU slopes, where one follows.
    alpha: Option<Constant>,
}

impl From<&ConvWeights> for Layer {
    fn from(weights: &ConvWeights) -> Self {
        let alpha = weights.alpha.clone().map(Constant::from);
        Layer { w: weights.w.clone().into(), b: weights.b.clone().into(), alpha }
    }
}

impl From<&DenseWeights> for Layer {
    fn from(weights: &DenseWeights) -> Self {
        let alpha = weights.alpha.clone().map(Constant::from);
        Layer { w: weights.w.clone().into(), b: weights.b.clone().into(), alpha }
    }
}

/// Adds a convolution with its weights; a PReLU where the weights have slopes. `residual` is added after scaling.
fn conv(
    graph: &mut Graph,
    name: &str,
    attributes: Conv2d,
    x: NodeId,
    weights: impl Into<Layer>,
    residual: Option<NodeId>,
) -> NodeId {
    let weights = weights.into();
    let mut inputs = vec![x, graph.param(&format!("{name}/w"), weights.w)];
    inputs.push(graph.param(&format!("{name}/b"), weights.b));
    let mut attributes = attributes;
    if let Some(alpha) = weights.alpha {
        attributes.activation = Activation::PRelu;
        inputs.push(graph.param(&format!("{name}/alpha"), alpha));
    }
    inputs.extend(residual);
    graph.op(name, attributes, &inputs)
}

/// Adds a dense layer with its weights; a PReLU where the weights have slopes.
fn dense(graph: &mut Graph, name: &str, x: NodeId, weights: impl Into<Layer>) -> NodeId {
    let weights = weights.into();
    let mut inputs = vec![x, graph.param(&format!("{name}/w"), weights.w)];
    inputs.push(graph.param(&format!("{name}/b"), weights.b));
    let mut activation = Activation::None;
    if let Some(alpha) = weights.alpha {
        activation = Activation::PRelu;
        inputs.push(graph.param(&format!("{name}/alpha"), alpha));
    }
    graph.op(name, Dense { bias: true, activation }, &inputs)
}
