//! Inception-ResNet-v1 (Szegedy et al. 2016, figures 14 to 19) as davidsandberg/facenet builds it
//! (`src/models/inception_resnet_v1.py`).

use super::builder::{Builder, Map};
use super::{Layers, NetworkSpec};
use crate::Result;
use crate::graph::NodeId;
use crate::ops::Padding::Valid;

/// From standardized RGB crops `[n, h, w, 3]` to prelogits; sizes in comments are those of crops of 160 pixels.
pub(super) fn prelogits(spec: &NetworkSpec, layers: &mut impl Layers, x: NodeId) -> Result<NodeId> {
    let mut b = Builder { layers, width: spec.width };
    let x = b.stem(Map { node: x, c: 3 })?;
    let mut x = b.named("Conv2d_4b_3x3", x, 256, 2, Valid)?;
    b.layers.end_block();
    // 17x17 by 256 channels.
    for i in 1..=5 {
        let branches: [&[_]; 3] = [
            &[("Conv2d_1x1", 32)],
            &[("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32)],
            &[("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32), ("Conv2d_0c_3x3", 32)],
        ];
        x = b.residual(&format!("Repeat/block35_{i}"), x, &branches, 0.17, true)?;
    }
    let branches: [&[_]; 2] =
        [&[("Conv2d_1a_3x3", 384)], &[("Conv2d_0a_1x1", 192), ("Conv2d_0b_3x3", 192), ("Conv2d_1a_3x3", 256)]];
    x = b.reduction("Mixed_6a", x, &branches)?;
    // 8x8 by 896 channels.
    for i in 1..=10 {
        let branches: [&[_]; 2] =
            [&[("Conv2d_1x1", 128)], &[("Conv2d_0a_1x1", 128), ("Conv2d_0b_1x7", 128), ("Conv2d_0c_7x1", 128)]];
        x = b.residual(&format!("Repeat_1/block17_{i}"), x, &branches, 0.10, true)?;
    }
    let branches: [&[_]; 3] = [
        &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 384)],
        &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 256)],
        &[("Conv2d_0a_1x1", 256), ("Conv2d_0b_3x3", 256), ("Conv2d_1a_3x3", 256)],
    ];
    x = b.reduction("Mixed_7a", x, &branches)?;
    // 3x3 by 1,792 channels; the last block has scale 1 and no rectifier.
    for i in 1..=6 {
        let branches: [&[_]; 2] =
            [&[("Conv2d_1x1", 192)], &[("Conv2d_0a_1x1", 192), ("Conv2d_0b_1x3", 192), ("Conv2d_0c_3x1", 192)]];
        x = match i {
            6 => b.residual("Block8", x, &branches, 1.0, false)?,
            _ => b.residual(&format!("Repeat_2/block8_{i}"), x, &branches, 0.20, true)?,
        };
    }
    b.bottleneck(x, spec.embedding_size)
}
