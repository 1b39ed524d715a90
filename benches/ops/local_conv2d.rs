use crate::{Bench, Input, op, w, x};
use warpface::ops::Activation::Relu as WithRelu;
use warpface::ops::LocalConv2d;

/// A layer of DeepFace's.
pub struct Layer {
    pub name: String,
    pub stride: [usize; 2],
    pub x: Input,
    pub w: Input,
    pub b: Input,
    pub dy: Input,
}

impl Layer {
    fn new(n: usize, name: &str, side: usize, kernel: usize, stride: usize) -> Layer {
        let out = (side - kernel) / stride + 1;
        Layer {
            name: format!("{name} {kernel}x{kernel}, {n} images"),
            stride: [stride; 2],
            x: x([n, side, side, 16]),
            w: w([out, out, 16, kernel, kernel, 16]),
            b: w([out, out, 16]),
            dy: x([n, out, out, 16]),
        }
    }

    /// All three, for one image and for a batch; where nobody would wait, the small ones.
    pub fn all(bench: &Bench) -> Vec<Layer> {
        let batches = if bench.is_slow() { vec![1] } else { vec![1, 32] };
        let layers = [("L4", 63, 9, 1), ("L5", 55, 7, 2), ("L6", 25, 5, 1)];
        let first = usize::from(bench.is_slow());
        let of = |n| {
            layers[first..].iter().map(move |&(name, side, kernel, stride)| Layer::new(n, name, side, kernel, stride))
        };
        batches.into_iter().flat_map(of).collect()
    }
}

pub fn cases(bench: &mut Bench) {
    for Layer { name, stride, x, w, b, .. } in Layer::all(bench) {
        op(bench, &name, LocalConv2d { stride, activation: WithRelu }, vec![x, w, b]);
    }
}
