//! The convolutions of Inception-ResNet-v1.

/// One convolution of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSpec {
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

/// How wide the network is: the published one's channels, all by the same factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width(usize);

impl Width {
    /// As published: 32 channels in the first layer, 1,792 in the last.
    pub const FULL: Width = Width(STEM);

    /// So many channels in the first layer: an even number up to 32, so that every layer has a whole number.
    pub fn of_stem(channels: usize) -> Option<Width> {
        (channels.is_multiple_of(2) && (2..=STEM).contains(&channels)).then_some(Width(channels))
    }

    /// Channels where the published network has so many.
    pub fn channels(self, published: usize) -> usize {
        published * self.0 / STEM
    }

    /// Channels of the last feature map, which the bottleneck takes averaged.
    pub fn features(self) -> usize {
        self.channels(FEATURES)
    }
}

/// Channels of the first layer, as published.
const STEM: usize = 32;
/// Channels of the last feature map, as published.
const FEATURES: usize = 1792;

/// Every convolution of the published network.
pub fn layers() -> Vec<LayerSpec> {
    layers_of(Width::FULL)
}

/// Every convolution in the order of the network, after tf-slim's `inception_resnet_v1.py` in davidsandberg/facenet.
pub fn layers_of(width: Width) -> Vec<LayerSpec> {
    let mut table = Table { layers: Vec::new(), width };
    table.branch("", 3, &[("Conv2d_1a_3x3", 32), ("Conv2d_2a_3x3", 32), ("Conv2d_2b_3x3", 64)]);
    // A 3×3/2 max-pool stands between these.
    table.branch("", 64, &[("Conv2d_3b_1x1", 80), ("Conv2d_4a_3x3", 192), ("Conv2d_4b_3x3", 256)]);
    for i in 1..=5 {
        let block = format!("Repeat/block35_{i}/");
        table.branch(&format!("{block}Branch_0/"), 256, &[("Conv2d_1x1", 32)]);
        table.branch(&format!("{block}Branch_1/"), 256, &[("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32)]);
        let third = [("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32), ("Conv2d_0c_3x3", 32)];
        table.branch(&format!("{block}Branch_2/"), 256, &third);
        table.up(&block, 96, 256);
    }
    table.branch("Mixed_6a/Branch_0/", 256, &[("Conv2d_1a_3x3", 384)]);
    let second = [("Conv2d_0a_1x1", 192), ("Conv2d_0b_3x3", 192), ("Conv2d_1a_3x3", 256)];
    table.branch("Mixed_6a/Branch_1/", 256, &second);
    for i in 1..=10 {
        let block = format!("Repeat_1/block17_{i}/");
        table.branch(&format!("{block}Branch_0/"), 896, &[("Conv2d_1x1", 128)]);
        let second = [("Conv2d_0a_1x1", 128), ("Conv2d_0b_1x7", 128), ("Conv2d_0c_7x1", 128)];
        table.branch(&format!("{block}Branch_1/"), 896, &second);
        table.up(&block, 256, 896);
    }
    table.branch("Mixed_7a/Branch_0/", 896, &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 384)]);
    table.branch("Mixed_7a/Branch_1/", 896, &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 256)]);
    let third = [("Conv2d_0a_1x1", 256), ("Conv2d_0b_3x3", 256), ("Conv2d_1a_3x3", 256)];
    table.branch("Mixed_7a/Branch_2/", 896, &third);
    for i in 1..=6 {
        let block = if i == 6 { "Block8/".to_owned() } else { format!("Repeat_2/block8_{i}/") };
        table.branch(&format!("{block}Branch_0/"), FEATURES, &[("Conv2d_1x1", 192)]);
        let second = [("Conv2d_0a_1x1", 192), ("Conv2d_0b_1x3", 192), ("Conv2d_0c_3x1", 192)];
        table.branch(&format!("{block}Branch_1/"), FEATURES, &second);
        table.up(&block, 384, FEATURES);
    }
    table.layers
}

struct Table {
    layers: Vec<LayerSpec>,
    width: Width,
}

impl Table {
    /// Convolutions one after another; the filter's extents are the end of its name, `…_3x3`.
    fn branch(&mut self, scope: &str, c_in: usize, convs: &[(&str, usize)]) {
        // The image's channels are what they are.
        let mut c_in = if c_in == 3 { 3 } else { self.width.channels(c_in) };
        for &(conv, c_out) in convs {
            let c_out = self.width.channels(c_out);
            let (k_h, k_w) = match conv.rsplit_once('_').map_or(conv, |(_, extents)| extents) {
                "3x3" => (3, 3),
                "1x7" => (1, 7),
                "7x1" => (7, 1),
                "1x3" => (1, 3),
                "3x1" => (3, 1),
                _ => (1, 1),
            };
            self.layers.push(LayerSpec { name: format!("{scope}{conv}"), c_out, k_h, k_w, c_in, bias_only: false });
            c_in = c_out;
        }
    }

    /// A block's last convolution, back to the residual's channels.
    fn up(&mut self, block: &str, c_in: usize, c_out: usize) {
        let [c_in, c_out] = [c_in, c_out].map(|channels| self.width.channels(channels));
        self.layers.push(LayerSpec {
            name: format!("{block}Conv2d_1x1"),
            c_out,
            k_h: 1,
            k_w: 1,
            c_in,
            bias_only: true,
        });
    }
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
        assert_eq!([0, 1, 3, 34].map(Width::of_stem), [None; 4]);
        assert_eq!(Width::of_stem(8).unwrap().features(), 448);
    }
}
