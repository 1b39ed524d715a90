//! SqueezeNet (Iandola et al. 2016, table 1) as davidsandberg/facenet builds it (`src/models/squeezenet.py`): batch norms
//! after its convolutions, and a bottleneck after its 1,000 "classes".

use super::builder::{Builder, Conv, Map};
use super::{Follows, Layers, NetworkSpec};
use crate::Result;
use crate::graph::NodeId;
use crate::ops::Activation;
use crate::ops::Padding::Valid;

/// From standardized RGB crops `[n, h, w, 3]` to prelogits.
pub(super) fn prelogits(spec: &NetworkSpec, layers: &mut impl Layers, x: NodeId) -> Result<NodeId> {
    let mut b = Builder { layers, width: spec.width };
    let x = b.conv("conv1", Map { node: x, c: 3 }, 96, Conv::of([7, 7]).stride(2))?;
    let mut x = b.max_pool("maxpool1", x, 3, Valid);
    b.layers.end_block();
    for (name, squeeze, expand) in [("fire2", 16, 64), ("fire3", 16, 64), ("fire4", 32, 128)] {
        x = fire(&mut b, name, x, squeeze, expand)?;
    }
    x = b.max_pool("maxpool4", x, 2, Valid);
    for (name, squeeze, expand) in [("fire5", 32, 128), ("fire6", 48, 192), ("fire7", 48, 192), ("fire8", 64, 256)] {
        x = fire(&mut b, name, x, squeeze, expand)?;
    }
    x = b.max_pool("maxpool8", x, 3, Valid);
    x = fire(&mut b, "fire9", x, 64, 256)?;
    x.node = b.layers.dropout(x.node);
    let x = b.conv("conv10", x, 1000, Conv::of([1, 1]).biased().linear())?;
    let x = b.mean("avgpool10", x);
    b.layers.end_block();
    let node = b.layers.graph().op("logits", crate::ops::Flatten, &[x.node]);
    b.dense("Bottleneck", node, [spec.embedding_size, x.c], Follows::Norm, Activation::None)
}

/// A fire module: few channels, and from these many by one pixel and by nine.
fn fire<L: Layers>(b: &mut Builder<'_, L>, scope: &str, x: Map, squeeze: usize, expand: usize) -> Result<Map> {
    let x = b.conv(&format!("{scope}/squeeze"), x, squeeze, Conv::of([1, 1]))?;
    let one = b.conv(&format!("{scope}/expand/1x1"), x, expand, Conv::of([1, 1]))?;
    let nine = b.conv(&format!("{scope}/expand/3x3"), x, expand, Conv::of([3, 3]))?;
    let y = b.concat(&format!("{scope}/concat"), &[one, nine]);
    b.layers.end_block();
    Ok(y)
}
