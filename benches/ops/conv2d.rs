use crate::{Bench, op, w, x};
use warpface::ops::Activation::Relu as WithRelu;
use warpface::ops::Padding::{Same, Valid};
use warpface::ops::{Activation, Conv2d};

/// `name` says where the layer stands; `x` is without the batch, `w` is `[c_out, k_h, k_w, c_in]`.
fn conv(bench: &mut Bench, name: &str, conv: Conv2d, image: [usize; 3], filters: [usize; 4]) {
    let [height, width, channels] = image;
    let [c_out, k_h, k_w, _] = filters;
    let mut inputs = vec![x([bench.batch(), height, width, channels]), w(filters), w([c_out])];
    if conv.activation == Activation::PRelu {
        inputs.push(w([c_out]));
    }
    if conv.residual_scale.is_some() {
        inputs.push(x([bench.batch(), height, width, c_out]));
    }
    let name = format!("{name}, {k_h}x{k_w} {channels} to {c_out} on {height}x{width}");
    op(bench, &name, conv, inputs);
}

pub fn cases(bench: &mut Bench) {
    let same = || Conv2d::new(Same).activation(WithRelu);
    let valid = || Conv2d::new(Valid).activation(WithRelu);
    let prelu = || Conv2d::new(Valid).activation(Activation::PRelu);
    // MTCNN.
    conv(bench, "pnet conv1", prelu(), [150, 150, 3], [10, 3, 3, 3]);
    conv(bench, "pnet conv3", prelu(), [72, 72, 16], [32, 3, 3, 16]);
    conv(bench, "rnet conv2", prelu(), [11, 11, 28], [48, 3, 3, 28]);
    conv(bench, "onet conv2", prelu(), [23, 23, 32], [64, 3, 3, 32]);
    // Inception-ResNet-v1, from its beginning to its end: nine tenths of its operations.
    conv(bench, "Conv2d_2a", valid(), [79, 79, 32], [32, 3, 3, 32]);
    conv(bench, "Conv2d_2b", same(), [77, 77, 32], [64, 3, 3, 32]);
    conv(bench, "Conv2d_4a", valid(), [38, 38, 80], [192, 3, 3, 80]);
    conv(bench, "Conv2d_4b", valid().stride([2, 2]), [36, 36, 192], [256, 3, 3, 192]);
    conv(bench, "block35 3x3", same(), [17, 17, 32], [32, 3, 3, 32]);
    conv(bench, "block35 up", same().residual(0.17), [17, 17, 96], [256, 1, 1, 96]);
    conv(bench, "Mixed_6a", same(), [17, 17, 192], [192, 3, 3, 192]);
    conv(bench, "block17 down", same(), [8, 8, 896], [128, 1, 1, 896]);
    conv(bench, "block17 1x7", same(), [8, 8, 128], [128, 1, 7, 128]);
    conv(bench, "block17 7x1", same(), [8, 8, 128], [128, 7, 1, 128]);
    conv(bench, "block17 up", same().residual(0.1), [8, 8, 256], [896, 1, 1, 256]);
    conv(bench, "block8 down", same(), [3, 3, 1792], [192, 1, 1, 1792]);
    conv(bench, "block8 up", same().residual(0.2), [3, 3, 384], [1792, 1, 1, 384]);
}
