//! The convolutions of Inception-ResNet-v1, which its publishers name each in their own way.

use crate::networks::{Follows, LayerSpec, ModelDef, NetworkSpec, Width};

/// One convolution of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// TensorFlow's scope below `InceptionResnetV1/`, such as `Repeat/block35_1/Branch_1/Conv2d_0b_3x3`.
    pub name: String,
    /// Output channels.
    pub c_out: usize,
    /// Filter height.
    pub k_h: usize,
    /// Filter width.
    pub k_w: usize,
    /// Input channels.
    pub c_in: usize,
    /// A residual's up-projection, which has a bias and neither batch norm nor ReLU of its own.
    pub bias_only: bool,
}

/// Channels of the last feature map, which the bottleneck takes averaged, as published.
pub(super) const FEATURES: usize = 1792;

/// Every convolution of the published network.
pub fn layers() -> Vec<ConvSpec> {
    layers_of(Width::FULL)
}

/// Every convolution in the order of the network.
pub fn layers_of(width: Width) -> Vec<ConvSpec> {
    let all = NetworkSpec::new(ModelDef::InceptionResnetV1).width(width).layers().unwrap_or_default();
    all.into_iter().filter_map(conv).collect()
}

/// A convolution; the bottleneck is none.
fn conv(layer: LayerSpec) -> Option<ConvSpec> {
    let LayerSpec { name, w, follows } = layer;
    let [c_out, k_h, k_w, c_in] = w.try_into().ok()?;
    Some(ConvSpec { name, c_out, k_h, k_w, c_in, bias_only: follows == Follows::Bias })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_networks() {
        let layers = layers();
        assert_eq!(layers.len(), 132);
        assert_eq!(layers.iter().filter(|layer| layer.bias_only).count(), 21);
        let weights: usize = layers.iter().map(|l| l.c_out * l.k_h * l.k_w * l.c_in).sum();
        assert_eq!(weights, 22_514_528);
    }

    #[test]
    fn every_width_has_whole_channels() {
        for stem in (2..=32).step_by(2) {
            let width = Width::of_stem(stem).unwrap();
            for (wide, narrow) in layers().iter().zip(layers_of(width)) {
                assert_eq!(narrow.c_out * 32, wide.c_out * stem, "{}", wide.name);
                assert!(narrow.c_in == 3 || narrow.c_in * 32 == wide.c_in * stem, "{}", wide.name);
            }
        }
        assert_eq!(Width::of_stem(8).unwrap().channels(FEATURES), 448);
    }
}
