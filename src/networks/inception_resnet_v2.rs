//! Inception-ResNet-v2 (Szegedy et al. 2016, figures 3 and 16 to 19) as davidsandberg/facenet builds it
//! (`src/models/inception_resnet_v2.py`).

use super::builder::{Builder, Map};
use super::{Layers, NetworkSpec};
use crate::Result;
use crate::graph::NodeId;
use crate::ops::AvgPool2d;
use crate::ops::Padding::{Same, Valid};

/// From standardized RGB crops `[n, h, w, 3]` to prelogits; sizes in comments are those of crops of 160 pixels.
pub(super) fn prelogits(spec: &NetworkSpec, layers: &mut impl Layers, x: NodeId) -> Result<NodeId> {
    let mut b = Builder { layers, width: spec.width };
    let x = b.stem(Map { node: x, c: 3 })?;
    let x = b.max_pool("MaxPool_5a_3x3", x, 3, Valid);
    b.layers.end_block();
    let mut x = mixed_5b(&mut b, x)?;
    // 17x17 by 320 channels.
    for i in 1..=10 {
        let branches: [&[_]; 3] = [
            &[("Conv2d_1x1", 32)],
            &[("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32)],
            &[("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 48), ("Conv2d_0c_3x3", 64)],
        ];
        x = b.residual(&format!("Repeat/block35_{i}"), x, &branches, 0.17, true)?;
    }
    let branches: [&[_]; 2] =
        [&[("Conv2d_1a_3x3", 384)], &[("Conv2d_0a_1x1", 256), ("Conv2d_0b_3x3", 256), ("Conv2d_1a_3x3", 384)]];
    x = b.reduction("Mixed_6a", x, &branches)?;
    // 8x8 by 1,088 channels.
    for i in 1..=20 {
        let branches: [&[_]; 2] =
            [&[("Conv2d_1x1", 192)], &[("Conv2d_0a_1x1", 128), ("Conv2d_0b_1x7", 160), ("Conv2d_0c_7x1", 192)]];
        x = b.residual(&format!("Repeat_1/block17_{i}"), x, &branches, 0.10, true)?;
    }
    let branches: [&[_]; 3] = [
        &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 384)],
        &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 288)],
        &[("Conv2d_0a_1x1", 256), ("Conv2d_0b_3x3", 288), ("Conv2d_1a_3x3", 320)],
    ];
    x = b.reduction("Mixed_7a", x, &branches)?;
    // 3x3 by 2,080 channels; the last block has scale 1 and no rectifier.
    for i in 1..=10 {
        let branches: [&[_]; 2] =
            [&[("Conv2d_1x1", 192)], &[("Conv2d_0a_1x1", 192), ("Conv2d_0b_1x3", 224), ("Conv2d_0c_3x1", 256)]];
        x = match i {
            10 => b.residual("Block8", x, &branches, 1.0, false)?,
            _ => b.residual(&format!("Repeat_2/block8_{i}"), x, &branches, 0.20, true)?,
        };
    }
    x = b.named("Conv2d_7b_1x1", x, 1536, 1, Same)?;
    b.layers.end_block();
    b.bottleneck(x, spec.embedding_size)
}

/// 17x17x192 to 17x17x320.
fn mixed_5b<L: Layers>(b: &mut Builder<'_, L>, x: Map) -> Result<Map> {
    let third = [("Conv2d_0a_1x1", 64), ("Conv2d_0b_3x3", 96), ("Conv2d_0c_3x3", 96)];
    let mut branches = vec![
        b.chain("Mixed_5b/Branch_0", x, &[("Conv2d_1x1", 96)])?,
        b.chain("Mixed_5b/Branch_1", x, &[("Conv2d_0a_1x1", 48), ("Conv2d_0b_5x5", 64)])?,
        b.chain("Mixed_5b/Branch_2", x, &third)?,
    ];
    let pool = AvgPool2d { kernel: Some([3; 2]), stride: [1; 2], padding: Same };
    let node = b.layers.graph().op("Mixed_5b/Branch_3/AvgPool_0a_3x3", pool, &[x.node]);
    branches.push(b.chain("Mixed_5b/Branch_3", Map { node, ..x }, &[("Conv2d_0b_1x1", 64)])?);
    let y = b.concat("Mixed_5b/concat", &branches);
    b.layers.end_block();
    Ok(y)
}
