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

pub(crate) mod inception_resnet_v1;
mod mtcnn;

pub use inception_resnet_v1::{LARGEST_CROP, SMALLEST_CROP, USUAL_CROP, classifier, inception_resnet_v1};
pub use mtcnn::{Mtcnn, onet, pnet, rnet};

use crate::graph::{Graph, NodeId};
use crate::ops::{Activation, Conv2d, Dense};
use crate::weights::{ConvWeights, DenseWeights};

/// Adds a convolution with its weights; a PReLU where the weights have slopes. `residual` is added after scaling.
fn conv(
    graph: &mut Graph,
    name: &str,
    attributes: Conv2d,
    x: NodeId,
    weights: &ConvWeights,
    residual: Option<NodeId>,
) -> NodeId {
    let mut inputs = vec![x, graph.param(&format!("{name}/w"), weights.w.clone())];
    inputs.push(graph.param(&format!("{name}/b"), weights.b.clone()));
    let mut attributes = attributes;
    if let Some(alpha) = &weights.alpha {
        attributes.activation = Activation::PRelu;
        inputs.push(graph.param(&format!("{name}/alpha"), alpha.clone()));
    }
    inputs.extend(residual);
    graph.op(name, attributes, &inputs)
}

/// Adds a dense layer with its weights; a PReLU where the weights have slopes.
fn dense(graph: &mut Graph, name: &str, x: NodeId, weights: &DenseWeights) -> NodeId {
    let mut inputs = vec![x, graph.param(&format!("{name}/w"), weights.w.clone())];
    inputs.push(graph.param(&format!("{name}/b"), weights.b.clone()));
    let mut activation = Activation::None;
    if let Some(alpha) = &weights.alpha {
        activation = Activation::PRelu;
        inputs.push(graph.param(&format!("{name}/alpha"), alpha.clone()));
    }
    graph.op(name, Dense { bias: true, activation }, &inputs)
}
