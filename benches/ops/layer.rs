//! Convolutions of the network, whose gradients training asks for.

use crate::{Bench, Input, w, x};
use warpface::ops::{Padding, window};

use Padding::{Same, Valid};

/// A convolution's input, filters and gradient of the output.
pub struct Layer {
    pub name: String,
    pub stride: [usize; 2],
    pub padding: Padding,
    pub x: Input,
    pub w: Input,
    pub dy: Input,
}

impl Layer {
    /// `name` says where the layer stands; `image` is without the batch, `filters` are `[c_out, k_h, k_w, c_in]`.
    fn new(n: usize, name: &str, (stride, padding): (usize, Padding), image: [usize; 3], filters: [usize; 4]) -> Layer {
        let ([h, width, c_in], [c_out, k_h, k_w, _]) = (image, filters);
        let stride = [stride; 2];
        let [ay, ax] = window::axes([h, width], [k_h, k_w], stride, padding).expect("a layer of the network");
        let name = format!("{name}, {k_h}x{k_w} {c_in} to {c_out} on {h}x{width}");
        let (x, dy) = (x([n, h, width, c_in]), x([n, ay.out, ax.out, c_out]));
        Layer { name, stride, padding, x, w: w(filters), dy }
    }

    pub fn all(bench: &Bench) -> [Layer; 6] {
        let n = bench.batch();
        [
            Layer::new(n, "Conv2d_2b", (1, Same), [77, 77, 32], [64, 3, 3, 32]),
            Layer::new(n, "Conv2d_4b", (2, Valid), [36, 36, 192], [256, 3, 3, 192]),
            Layer::new(n, "block35 3x3", (1, Same), [17, 17, 32], [32, 3, 3, 32]),
            Layer::new(n, "block17 1x7", (1, Same), [8, 8, 128], [128, 1, 7, 128]),
            Layer::new(n, "block17 up", (1, Same), [8, 8, 256], [896, 1, 1, 256]),
            Layer::new(n, "block8 down", (1, Same), [3, 3, 1792], [192, 1, 1, 1792]),
        ]
    }
}
