//! Every op at the shapes that the networks use; convolutions at those that take most of their operations.

mod common;

use std::sync::Arc;

use common::Bench;
use warpface::Precision;
use warpface::backend::values;
use warpface::ops::*;
use warpface::{Graph, Shape, Tensor};

use Activation::Relu as WithRelu;
use Padding::{Same, Valid};

fn main() {
    common::main("ops", |bench| {
        convolutions(bench);
        layers(bench);
        gradients(bench);
        // The other ops are of detection and of results, which are f32 always.
        if bench.precision() == Precision::F32 {
            pixels(bench);
            boxes(bench);
            embeddings(bench);
            losses(bench);
            mining(bench);
            updates(bench);
        }
    });
}

/// An input of an op: given with each run, or a weight.
enum Input {
    Given(Shape, Vec<f32>),
    Weight(Shape),
}

fn x(shape: impl Into<Shape>) -> Input {
    let shape = shape.into();
    let data = values(shape.elements());
    Input::Given(shape, data)
}

fn w(shape: impl Into<Shape>) -> Input {
    Input::Weight(shape.into())
}

/// Times an op by itself, on the device's clock.
fn op(bench: &mut Bench, name: &str, op: impl Into<Op>, inputs: Vec<Input>) {
    let op = op.into();
    let name = format!("{}: {name}", op.stem());
    let mut graph = Graph::new();
    let (mut ids, mut shapes, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for (i, input) in inputs.into_iter().enumerate() {
        ids.push(match input {
            Input::Given(shape, values) => {
                shapes.push(shape);
                data.push(values);
                graph.input(&format!("input {i}"))
            }
            Input::Weight(shape) => {
                // Positive, for there are variances among them.
                let values = values(shape.elements()).iter().map(|x| x.abs() + 0.01).collect();
                graph.param(&format!("weight {i}"), Tensor::new(shape, values))
            }
        });
    }
    let y = graph.op(&name, op, &ids);
    graph.output(y);
    let planned = bench.load(Arc::new(graph)).and_then(|module| module.plan(&shapes));
    let executable = match planned {
        Ok(executable) => executable,
        Err(error) => return bench.skip(&name, error),
    };
    if executable.plan().steps.is_empty() {
        return bench.skip(&name, "the planner needs no step for it");
    }
    let data: Vec<&[f32]> = data.iter().map(Vec::as_slice).collect();
    if let Err(error) = executable.profile(&data) {
        return bench.skip(&name, error);
    }
    let work = bench.work(executable.plan());
    bench.case(&name, 1, Some(work), || executable.profile(&data).expect("it ran before").iter().sum());
}

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

fn convolutions(bench: &mut Bench) {
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

fn layers(bench: &mut Bench) {
    let n = bench.batch();
    // As DeepFace has them.
    let local = LocalConv2d { stride: [1, 1], activation: WithRelu };
    op(bench, "9x9 16 to 16 on 25x25", local, vec![x([n, 25, 25, 16]), w([17, 17, 16, 9, 9, 16]), w([17, 17, 16])]);
    let plain = Dense { bias: true, activation: Activation::None };
    op(bench, "bottleneck 1792 to 512", plain.clone(), vec![x([n, 1792]), w([512, 1792]), w([512])]);
    op(bench, "onet 1152 to 256", plain, vec![x([n, 1152]), w([256, 1152]), w([256])]);
    op(bench, "onet conv2", PRelu, vec![x([n, 21, 21, 64]), w([64])]);
    op(bench, "block35", Relu, vec![x([n, 17, 17, 256])]);
    let pool = |kernel: usize, padding: Padding| MaxPool2d { kernel: [kernel; 2], stride: [2; 2], padding };
    op(bench, "pnet 2x2 on 148x148", pool(2, Same), vec![x([n, 148, 148, 10])]);
    op(bench, "onet 3x3 on 46x46", pool(3, Same), vec![x([n, 46, 46, 32])]);
    op(bench, "MaxPool_3a 3x3 on 77x77", pool(3, Valid), vec![x([n, 77, 77, 64])]);
    op(bench, "AvgPool_1a", AvgPool2d::global(), vec![x([n, 3, 3, 1792])]);
    let statistics = || [w([256]), w([256]), w([256]), w([256])];
    let inputs = std::iter::once(x([n, 17, 17, 256])).chain(statistics()).collect();
    op(bench, "block35", BatchNorm { epsilon: 0.001 }, inputs);
    op(bench, "pnet", Softmax, vec![x([n, 70, 70, 2])]);
    op(bench, "the last filters", Part::At(64, Shape::from([1 << 20])), vec![w([1 << 21])]);
    op(bench, "a network's gradients", Join, vec![x([1 << 20]), x([100]), x([1 << 20])]);
    op(bench, "logits", Cast { exact: true }, vec![w([n, 10_000])]);
    op(bench, "Mixed_6a", Concat, vec![x([n, 8, 8, 384]), x([n, 8, 8, 256]), x([n, 8, 8, 256])]);
    op(bench, "block17", ScaledAdd { scale: 0.1 }, vec![x([n, 8, 8, 896]), x([n, 8, 8, 896])]);
    op(bench, "onet 3x3x128", Flatten, vec![x([n, 3, 3, 128])]);
}

/// The gradients of a convolution's input and filters; names as in [`conv`].
fn conv_bwd(bench: &mut Bench, name: &str, conv: Conv2d, image: [usize; 3], filters: [usize; 4]) {
    let Conv2d { stride, padding, .. } = conv;
    let ([h, width, c_in], [c_out, k_h, k_w, _]) = (image, filters);
    let [ay, ax] = window::axes([h, width], [k_h, k_w], stride, padding).expect("a layer of the network");
    let n = bench.batch();
    let (input, dy) = (|| x([n, h, width, c_in]), || x([n, ay.out, ax.out, c_out]));
    let name = format!("{name}, {k_h}x{k_w} {c_in} to {c_out} on {h}x{width}");
    op(bench, &name, Conv2dBwdData { stride, padding }, vec![dy(), w(filters), input()]);
    op(bench, &name, Conv2dBwdFilter { stride, padding }, vec![input(), dy(), w(filters)]);
}

/// The gradients of the layers, as training the network asks for them.
fn gradients(bench: &mut Bench) {
    let n = bench.batch();
    conv_bwd(bench, "Conv2d_2b", Conv2d::new(Same), [77, 77, 32], [64, 3, 3, 32]);
    conv_bwd(bench, "Conv2d_4b", Conv2d::new(Valid).stride([2, 2]), [36, 36, 192], [256, 3, 3, 192]);
    conv_bwd(bench, "block35 3x3", Conv2d::new(Same), [17, 17, 32], [32, 3, 3, 32]);
    conv_bwd(bench, "block17 1x7", Conv2d::new(Same), [8, 8, 128], [128, 1, 7, 128]);
    conv_bwd(bench, "block17 up", Conv2d::new(Same), [8, 8, 256], [896, 1, 1, 256]);
    conv_bwd(bench, "block8 down", Conv2d::new(Same), [3, 3, 1792], [192, 1, 1, 1792]);
    op(bench, "bottleneck 1792 to 512", DenseBwdData, vec![x([n, 512]), w([512, 1792]), x([n, 1792])]);
    op(bench, "bottleneck 1792 to 512", DenseBwdFilter, vec![x([n, 1792]), x([n, 512]), w([512, 1792])]);
    let stride = [1, 1];
    let (image, filters, outputs) = ([n, 25, 25, 16], [17, 17, 16, 9, 9, 16], [n, 17, 17, 16]);
    op(bench, "9x9 16 to 16", LocalConv2dBwdData { stride }, vec![x(outputs), w(filters), x(image)]);
    op(bench, "9x9 16 to 16", LocalConv2dBwdFilter { stride }, vec![x(image), x(outputs), w(filters)]);
    op(bench, "9x9 16 to 16", LocalConv2dBwdBias, vec![x(outputs)]);
    let block35 = || x([n, 17, 17, 256]);
    op(bench, "block35", ChannelSum, vec![block35()]);
    op(bench, "block35", ReluBwd, vec![block35(), block35()]);
    op(bench, "block35", PReluBwdData, vec![block35(), w([256]), block35()]);
    op(bench, "block35", PReluBwdAlpha, vec![block35(), block35()]);
    op(bench, "block35", Scale { factor: 0.17 }, vec![block35()]);
    op(bench, "block35", BatchMoments, vec![block35()]);
    let layer = BatchNormTrain { epsilon: 0.001, activation: WithRelu, scale: false };
    let statistics = || [w([3, 256]), w([256])];
    let with = |rest: Vec<Input>| std::iter::once(block35()).chain(statistics()).chain(rest).collect();
    op(bench, "block35", layer.clone(), with(vec![]));
    op(bench, "block35", BatchNormBwdSums(layer.clone()), with(vec![block35()]));
    op(bench, "block35", BatchNormBwdData(layer), with(vec![w([2, 256]), block35()]));
    let (kernel, stride, padding) = ([3; 2], [2; 2], Valid);
    let pooled = || x([n, 38, 38, 64]);
    let pool = MaxPool2dBwd { kernel, stride, padding };
    op(bench, "MaxPool_3a 3x3 on 77x77", pool, vec![x([n, 77, 77, 64]), pooled(), pooled()]);
    let pool = AvgPool2dBwd { kernel: None, stride: [1; 2], padding };
    op(bench, "AvgPool_1a", pool, vec![x([n, 1, 1, 1792]), x([n, 3, 3, 1792])]);
    op(bench, "Mixed_6a", Slice, vec![x([n, 8, 8, 896]), x([n, 8, 8, 384]), x([n, 8, 8, 256])]);
}

fn pixels(bench: &mut Bench) {
    let n = bench.batch();
    let bytes = |shape: [usize; 4]| {
        let shape = Shape::from(shape);
        let data = (0..shape.elements()).map(|i| (i * 7 % 256) as f32).collect();
        Input::Given(shape, data)
    };
    op(bench, "pyramid 250 to 150", ResizeArea { h: 150, w: 150, bytes: true }, vec![bytes([1, 250, 250, 3])]);
    op(bench, "crop 90 to 48", ResizeArea { h: 48, w: 48, bytes: false }, vec![bytes([n, 90, 90, 3])]);
    op(bench, "crop 13 to 24", ResizeArea { h: 24, w: 24, bytes: false }, vec![bytes([n, 13, 13, 3])]);
    op(bench, "face 190 to 160", ResizeBilinear { h: 160, w: 160 }, vec![bytes([1, 190, 190, 3])]);
    op(bench, "fixed 160", Standardize::Fixed, vec![bytes([n, 160, 160, 3])]);
    op(bench, "prewhiten 160", Standardize::Prewhiten, vec![bytes([n, 160, 160, 3])]);
    op(bench, "190 of 250", Crop { y: 30, x: 30, h: 190, w: 190 }, vec![bytes([1, 250, 250, 3])]);
}

fn boxes(bench: &mut Bench) {
    // Squares on a photograph of 250 pixels, many of them overlapping, as P-Net proposes them.
    let rows = |n: usize, scored: bool| {
        let row = |i: usize| {
            let (x, y, side) = ((i * 37 % 200) as f32, (i * 53 % 200) as f32, 20.0 + (i * 11 % 40) as f32);
            let score = 0.6 + (i * 7919 % 4096) as f32 / 10_240.0;
            [x, y, x + side, y + side, score].into_iter().take(if scored { 5 } else { 4 })
        };
        Input::Given([n, if scored { 5 } else { 4 }].into(), (0..n).flat_map(row).collect())
    };
    op(bench, "256 boxes", BoxRegression { inclusive: true }, vec![rows(256, false), x([256, 4])]);
    op(bench, "256 boxes", Rerec, vec![rows(256, false)]);
    op(bench, "256 boxes", BoxPad { width: 250, height: 250 }, vec![rows(256, false)]);
    op(bench, "256 boxes, union", Nms { threshold: 0.7, overlap: Overlap::Union }, vec![rows(256, true)]);
    op(bench, "32 boxes, min", Nms { threshold: 0.7, overlap: Overlap::Min }, vec![rows(32, true)]);
}

fn embeddings(bench: &mut Bench) {
    let n = bench.batch();
    op(bench, "512", L2Normalize { epsilon: 1e-10 }, vec![x([n, 512])]);
    let squared = PairwiseDistance { metric: Metric::Euclidean };
    op(bench, "euclidean 256 by 256, 512", squared, vec![x([256, 512]), x([256, 512])]);
    let cosine = PairwiseDistance { metric: Metric::Cosine };
    op(bench, "cosine 256 by 256, 512", cosine, vec![x([256, 512]), x([256, 512])]);
    op(bench, "30 triplets, 128", TripletLoss { margin: 0.2 }, vec![x([30, 128]), x([30, 128]), x([30, 128])]);
}

/// Labels or indices: whole numbers below `count`, in no order.
fn labels(n: usize, count: usize) -> Input {
    Input::Given([n].into(), (0..n).map(|i| (i * 7919 % count) as f32).collect())
}

/// One number.
fn one(value: f32) -> Input {
    Input::Given([1].into(), vec![value])
}

fn losses(bench: &mut Bench) {
    // A batch of FaceNet's: 90 photographs; the classes of MS-Celeb-1M; the weights of Inception-ResNet-v1.
    let (n, d, classes, weights) = (90, 512, 100_000, 23_000_000);
    op(bench, "90 rows, 512", L2NormalizeBwd { epsilon: 1e-10 }, vec![x([n, d]), x([n, d])]);
    op(bench, "90 rows, 512", SoftmaxBwd, vec![x([n, d]), x([n, d])]);
    op(bench, "100,000 classes", SoftmaxCrossEntropy, vec![x([n, classes]), labels(n, classes)]);
    op(bench, "100,000 classes", SoftmaxCrossEntropyBwd, vec![x([n, classes]), labels(n, classes), x([n])]);
    op(bench, "100,000 classes", Accuracy, vec![x([n, classes]), labels(n, classes)]);
    op(bench, "90 losses", Mean, vec![x([n])]);
    op(bench, "90 losses", MeanBwd, vec![one(1.0), x([n])]);
    op(bench, "23 million weights", L2Loss, vec![x([weights])]);
    op(bench, "23 million weights", L2LossBwd, vec![x([weights]), one(1.0)]);
    op(bench, "23 million gradients", IsFinite, vec![x([weights])]);
    let triplets = || vec![x([1800, 128]), x([1800, 128]), x([1800, 128]), one(1.0)];
    for wrt in [Triplet::Anchor, Triplet::Positive, Triplet::Negative] {
        op(bench, &format!("{wrt:?}, 1,800 of 128"), TripletLossBwd { margin: 0.2, wrt }, triplets());
    }
    op(bench, "5,000 of 1,800, 128", GatherRows, vec![x([1800, 128]), labels(5000, 1800)]);
    op(bench, "5,000 of 1,800, 128", GatherRowsBwd, vec![x([5000, 128]), labels(5000, 1800), x([1800, 128])]);
    let centered = || vec![x([n, d]), w([10_000, d]), labels(n, 10_000)];
    op(bench, "90 rows, 10,000 classes", CenterLoss, centered());
    op(bench, "90 rows, 10,000 classes", CenterLossBwd, centered().into_iter().chain([one(1.0)]).collect());
    op(bench, "90 rows, 512", NormLoss { p: 1.0, epsilon: 1e-4 }, vec![x([n, d])]);
    op(bench, "90 rows, 512", NormLossBwd { p: 1.0, epsilon: 1e-4 }, vec![x([n, d]), one(1.0)]);
    op(bench, "90 rows, 1792", Dropout { keep: 0.8, seed: 1, stream: 256 }, vec![x([n, 1792]), one(1.0)]);
}

fn mining(bench: &mut Bench) {
    // 45 people with 40 photographs each, as train_tripletloss.py samples them.
    for mode in [Mining::Random, Mining::SemiHard, Mining::Hard, Mining::Vgg] {
        let inputs = vec![x([1800, 1800]), labels(1800, 45), one(1.0)];
        op(bench, &format!("{mode:?}, 1,800"), MineTriplets { mode, margin: 0.2, seed: 1 }, inputs);
    }
    let inputs = vec![x([256, 128]), labels(256, 1000), x([20_000, 128]), labels(20_000, 1000)];
    op(bench, "16 of 20,000 for 256, 128", NearestOther { k: 16 }, inputs);
}

fn updates(bench: &mut Bench) {
    // What is measured has a copy of the state in it, for the state is an input here.
    let p = 4_000_000;
    for kind in OptimizerKind::ALL {
        let op_of = Optimizer { kind, decayed: p, decay: 5e-4, average: true };
        let inputs = vec![x([op_of.rows(), p]), x([p]), x([3]), one(1.0)];
        op(bench, &format!("{kind:?}, 4 million weights"), op_of, inputs);
    }
    op(bench, "4 million", MovingAverage { decay: 0.995 }, vec![x([p]), x([p]), one(1.0)]);
    let inputs = vec![x([10_000, 512]), x([90, 512]), labels(90, 10_000), one(1.0)];
    op(bench, "90 rows, 10,000 classes", CenterUpdate { alfa: 0.95 }, inputs);
}
