//! What both Inception-ResNets are made of (Szegedy et al. 2016).

use super::Layers;
use super::builder::{Builder, Conv, Map};
use crate::Result;
use crate::ops::Padding;

use Padding::{Same, Valid};

/// What tf-slim's names end with.
fn kernel(name: &str) -> [usize; 2] {
    match name.rsplit_once('_').map_or(name, |(_, extents)| extents) {
        "3x3" => [3, 3],
        "5x5" => [5, 5],
        "1x7" => [1, 7],
        "7x1" => [7, 1],
        "1x3" => [1, 3],
        "3x1" => [3, 1],
        _ => [1, 1],
    }
}

impl<L: Layers> Builder<'_, L> {
    /// A convolution whose extents are the end of its name, `.._3x3`.
    pub fn named(&mut self, name: &str, x: Map, c: usize, stride: usize, padding: Padding) -> Result<Map> {
        self.conv(name, x, c, Conv::of(kernel(name)).stride(stride).padding(padding))
    }

    /// A chain of stride-1 SAME convolutions.
    pub fn chain(&mut self, scope: &str, x: Map, convs: &[(&str, usize)]) -> Result<Map> {
        convs.iter().try_fold(x, |x, (name, c)| self.named(&format!("{scope}/{name}"), x, *c, 1, Same))
    }

    /// A residual block: branches, from left to right, joined, brought back to the trunk's channels, and added to it, scaled.
    pub fn residual(
        &mut self,
        scope: &str,
        x: Map,
        branches: &[&[(&str, usize)]],
        scale: f32,
        relu: bool,
    ) -> Result<Map> {
        let branch = |(i, convs): (usize, &&[(&str, usize)])| self.chain(&format!("{scope}/Branch_{i}"), x, convs);
        let branches = branches.iter().enumerate().map(branch).collect::<Result<Vec<_>>>()?;
        let mixed = self.concat(&format!("{scope}/concat"), &branches);
        let y = self.up(&format!("{scope}/Conv2d_1x1"), mixed, x, scale, relu)?;
        self.layers.end_block();
        Ok(y)
    }

    /// A block that halves the map: chains whose last convolution takes steps of two, and a pool.
    pub fn reduction(&mut self, scope: &str, x: Map, branches: &[&[(&str, usize)]]) -> Result<Map> {
        let mut joined = Vec::new();
        for (i, convs) in branches.iter().enumerate() {
            let branch = format!("{scope}/Branch_{i}");
            let Some((&(last, c), before)) = convs.split_last() else { continue };
            let y = self.chain(&branch, x, before)?;
            joined.push(self.named(&format!("{branch}/{last}"), y, c, 2, Valid)?);
        }
        let pool = format!("{scope}/Branch_{}/MaxPool_1a_3x3", branches.len());
        joined.push(self.max_pool(&pool, x, 3, Valid));
        let y = self.concat(&format!("{scope}/concat"), &joined);
        self.layers.end_block();
        Ok(y)
    }

    /// The first four layers.
    pub fn stem(&mut self, x: Map) -> Result<Map> {
        let x = self.named("Conv2d_1a_3x3", x, 32, 2, Valid)?;
        let x = self.named("Conv2d_2a_3x3", x, 32, 1, Valid)?;
        let x = self.named("Conv2d_2b_3x3", x, 64, 1, Same)?;
        let x = self.max_pool("MaxPool_3a_3x3", x, 3, Valid);
        self.layers.end_block();
        let x = self.named("Conv2d_3b_1x1", x, 80, 1, Valid)?;
        self.named("Conv2d_4a_3x3", x, 192, 1, Valid)
    }
}
