//! DeepFace (Taigman et al. 2014, figure 2): convolutions whose filters are each position's own, and a layer of 4,096
//! rectified values that are the embedding.
//!
//! The paper leaves open how M2 meets the border and whether the biases of L4 to L6 belong to positions: M2 pads, to 71x71
//! of 152x152 pixels, and they do. That makes 102,412,864 parameters up to F7.

use super::builder::{Builder, Conv, Map, after};
use super::{Follows, LayerSpec, Layers, ModelDef, NetworkSpec, Product};
use crate::Result;
use crate::graph::NodeId;
use crate::ops::Activation;
use crate::ops::Padding::{Same, Valid};

const DEF: ModelDef = ModelDef::DeepFace;

/// From standardized RGB crops `[n, side, side, 3]` to the rectified values of F7.
pub(super) fn prelogits(spec: &NetworkSpec, layers: &mut impl Layers, x: NodeId) -> Result<NodeId> {
    let mut b = Builder { layers, width: spec.width };
    let within = |kernel| Conv::of([kernel; 2]).padding(Valid).biased();
    let x = b.conv("C1", Map { node: x, c: 3 }, 32, within(11))?;
    let x = b.max_pool("M2", x, 3, Same);
    b.layers.end_block();
    let x = b.conv("C3", x, 16, within(9))?;
    b.layers.end_block();
    let side = after(DEF, after(DEF, after(DEF, spec.side, 11, 1, Valid)?, 3, 2, Same)?, 9, 1, Valid)?;
    let (x, side) = local(&mut b, "L4", (x, side), 9, 1)?;
    let (x, side) = local(&mut b, "L5", (x, side), 7, 2)?;
    let (x, side) = local(&mut b, "L6", (x, side), 5, 1)?;
    let node = b.layers.graph().op("features", crate::ops::Flatten, &[x.node]);
    b.dense("F7", node, [spec.embedding_size, side * side * x.c], Follows::Bias, Activation::Relu)
}

/// A locally connected layer of 16 channels, and its map's side.
fn local<L: Layers>(
    b: &mut Builder<'_, L>,
    name: &str,
    (x, side): (Map, usize),
    kernel: usize,
    stride: usize,
) -> Result<(Map, usize)> {
    let (c, side) = (b.width.channels(16), after(DEF, side, kernel, stride, Valid)?);
    let w = vec![side, side, c, kernel, kernel, x.c];
    let spec = LayerSpec { name: name.to_owned(), w, follows: Follows::Bias };
    let node = b.layers.layer(spec, Product::Local { stride: [stride; 2] }, Activation::Relu, x.node)?;
    b.layers.end_block();
    Ok((Map { node, c }, side))
}
