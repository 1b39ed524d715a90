//! OpenFace's nn4.small2 (Amos, Ludwiczuk and Satyanarayanan 2016): FaceNet's NN4 with fewer and narrower Inceptions, as
//! Keras-OpenFace builds it, and as Torch does (`nn4.small2.def.lua`). Layers have Keras-OpenFace's names.
//!
//! The two differ in their local response normalization: Torch's is over five channels and divides alpha by them; Keras's
//! is over eleven, `tf.nn.lrn`'s depth radius unless told, and does not.

use super::builder::{Builder, Conv, Map, after};
use super::{Follows, Layers, ModelDef, NetworkSpec};
use crate::Result;
use crate::graph::NodeId;
use crate::ops::{Activation, Lrn, Padding};

use Padding::{Around, Valid};

/// How a block's pool takes its window of 3x3 together.
#[derive(Clone, Copy)]
enum Pool {
    /// The maximum, in steps of two.
    Max,
    /// The Euclidean norm, in steps of three.
    Norm,
}

/// An Inception, by published channels.
struct Block {
    name: &'static str,
    /// Between and after the convolutions of 3x3 and of 5x5.
    three: [usize; 2],
    five: Option<[usize; 2]>,
    pool: (Pool, Option<usize>),
    one: Option<usize>,
    stride: usize,
}

const BLOCKS: [Block; 7] = [
    block("inception_3a", [96, 128], Some([16, 32]), (Pool::Max, Some(32)), Some(64), 1),
    block("inception_3b", [96, 128], Some([32, 64]), (Pool::Norm, Some(64)), Some(64), 1),
    block("inception_3c", [128, 256], Some([32, 64]), (Pool::Max, None), None, 2),
    block("inception_4a", [96, 192], Some([32, 64]), (Pool::Norm, Some(128)), Some(256), 1),
    block("inception_4e", [160, 256], Some([64, 128]), (Pool::Max, None), None, 2),
    block("inception_5a", [96, 384], None, (Pool::Norm, Some(96)), Some(256), 1),
    block("inception_5b", [96, 384], None, (Pool::Max, Some(96)), Some(256), 1),
];

const fn block(
    name: &'static str,
    three: [usize; 2],
    five: Option<[usize; 2]>,
    pool: (Pool, Option<usize>),
    one: Option<usize>,
    stride: usize,
) -> Block {
    Block { name, three, five, pool, one, stride }
}

/// From RGB crops `[n, side, side, 3]` to prelogits; sizes in comments are those of crops of 96 pixels.
pub(super) fn prelogits(spec: &NetworkSpec, layers: &mut impl Layers, x: NodeId) -> Result<NodeId> {
    let mut b = Builder { layers, width: spec.width };
    let response = match spec.def {
        ModelDef::Nn4Small2Torch => Lrn { radius: 2, bias: 1.0, alpha: 1e-4 / 5.0, beta: 0.75 },
        _ => Lrn { radius: 5, bias: 1.0, alpha: 1e-4, beta: 0.75 },
    };
    let x = b.conv("conv1", Map { node: x, c: 3 }, 64, conv(7).stride(2).padding(Around(3)))?;
    let x = b.max_pool("pool_1", x, 3, Around(1));
    let x = b.response("lrn_1", x, response.clone());
    b.layers.end_block();
    // 24x24 by 64 channels.
    let x = b.conv("conv2", x, 64, conv(1))?;
    let x = b.conv("conv3", x, 192, conv(3))?;
    let x = b.response("lrn_2", x, response);
    let mut x = b.max_pool("pool_2", x, 3, Around(1));
    b.layers.end_block();
    // 12x12 by 192 channels, in the end 3x3 by 736.
    let mut side = spec.side;
    for (kernel, padding) in [(7, Around(3)), (3, Around(1)), (3, Around(1))] {
        side = after(ModelDef::Nn4Small2, side, kernel, 2, padding)?;
    }
    for block in &BLOCKS {
        (x, side) = inception(&mut b, block, (x, side))?;
    }
    let x = b.mean("average", x);
    b.layers.end_block();
    let node = b.layers.graph().op("features", crate::ops::Flatten, &[x.node]);
    b.dense("dense_layer", node, [spec.embedding_size, x.c], Follows::Bias, Activation::None)
}

/// A convolution with as much padding as keeps extents, a bias, a batch norm and a rectifier.
fn conv(kernel: usize) -> Conv {
    let conv = Conv::of([kernel; 2]);
    Conv { follows: Follows::BiasAndNorm, ..conv }.padding(if kernel == 1 { Valid } else { Around(kernel / 2) })
}

/// A block, and its map's side: branches side by side, the pool's with zeros around it.
fn inception<L: Layers>(b: &mut Builder<'_, L>, block: &Block, (x, side): (Map, usize)) -> Result<(Map, usize)> {
    let &Block { name, three, five, pool: (pool, pooled), one, stride } = block;
    let out = after(ModelDef::Nn4Small2, side, 3, stride, Around(1))?;
    let mut branches = Vec::new();
    for (kernel, channels) in [(3, Some(three)), (5, five)] {
        let Some([between, last]) = channels else { continue };
        let y = b.conv(&format!("{name}_{kernel}x{kernel}_conv1"), x, between, conv(1))?;
        branches.push(b.conv(&format!("{name}_{kernel}x{kernel}_conv2"), y, last, conv(kernel).stride(stride))?);
    }
    let (y, pooled_side) = match pool {
        Pool::Max => (b.max_pool(&format!("{name}_pool"), x, 3, Valid), after(ModelDef::Nn4Small2, side, 3, 2, Valid)?),
        Pool::Norm => (b.norm_pool(&format!("{name}_pool"), x, 3), after(ModelDef::Nn4Small2, side, 3, 3, Valid)?),
    };
    let y = match pooled {
        Some(c) => b.conv(&format!("{name}_pool_conv"), y, c, conv(1))?,
        None => y,
    };
    let borders = out - pooled_side;
    branches.push(b.pad(&format!("{name}_pool_pad"), y, [borders / 2, borders - borders / 2]));
    if let Some(c) = one {
        branches.push(b.conv(&format!("{name}_1x1_conv"), x, c, conv(1))?);
    }
    let y = b.concat(name, &branches);
    b.layers.end_block();
    Ok((y, out))
}
