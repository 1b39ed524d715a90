//! Every op that has a gradient against central differences, in f64, away from kinks.

#[path = "common/mod.rs"]
mod common;

use common::Noise;
use warpface::graph::NodeId;
use warpface::ops::*;
use warpface::{Graph, Tensor};

/// An op at a point: its inputs, and which of them it has gradients for.
struct Case {
    op: Op,
    /// Makes the op's inputs of those that are given, where it is not these themselves.
    prepare: fn(&mut Graph, &[NodeId]) -> Vec<NodeId>,
    inputs: Vec<Tensor<f64>>,
    wanted: Vec<usize>,
}

impl Case {
    /// An op with a gradient for each input.
    fn new(op: impl Into<Op>, inputs: Vec<Tensor<f64>>) -> Case {
        let wanted = (0..inputs.len()).collect();
        Case { op: op.into(), prepare: |_, given| given.to_vec(), inputs, wanted }
    }

    /// The same with gradients for these inputs alone.
    fn wanted(self, wanted: &[usize]) -> Case {
        Case { wanted: wanted.to_vec(), ..self }
    }

    /// The same on inputs that earlier ops make of the given ones.
    fn prepared(self, prepare: fn(&mut Graph, &[NodeId]) -> Vec<NodeId>) -> Case {
        Case { prepare, ..self }
    }

    /// Compares the gradients of `sum(y * dy)` for a random `dy`.
    fn check(&self) {
        let stem = self.op.stem();
        let mut graph = Graph::new();
        let ids: Vec<_> = (0..self.inputs.len()).map(|i| graph.input(&format!("input {i}"))).collect();
        let prepared = (self.prepare)(&mut graph, &ids);
        let y = graph.op("y", self.op.clone(), &prepared);
        graph.output(y);
        let forward = graph.clone();
        let run =
            |inputs: &[Tensor<f64>]| forward.reference(inputs).unwrap_or_else(|e| panic!("{stem}: {e}")).remove(0);
        let at = run(&self.inputs);
        let mut noise = Noise::new(7);
        let dy = random(&mut noise, at.dims());

        let given = graph.input("dy");
        let wanted: Vec<_> = self.wanted.iter().map(|&i| ids[i]).collect();
        let gradients = graph.gradients(y, given, &wanted, &[]).unwrap_or_else(|e| panic!("{stem}: {e}"));
        gradients.iter().zip(&self.wanted).for_each(|(gradient, i)| {
            graph.output(gradient.unwrap_or_else(|| panic!("{stem}: no gradient of input {i}")));
        });
        let fed: Vec<Tensor<f64>> = self.inputs.iter().cloned().chain([dy.clone()]).collect();
        let found = graph.reference(&fed).unwrap_or_else(|e| panic!("{stem}: {e}"));

        for (&input, gradient) in self.wanted.iter().zip(&found[1..]) {
            assert_eq!(gradient.shape(), self.inputs[input].shape(), "{stem}: gradient of input {input}");
            for i in 0..gradient.data().len() {
                let value = |offset: f64| {
                    let mut inputs = self.inputs.clone();
                    inputs[input].data_mut()[i] += offset;
                    run(&inputs).data().iter().zip(dy.data()).map(|(y, dy)| y * dy).sum::<f64>()
                };
                let step = 1e-5;
                let difference = (value(step) - value(-step)) / (2.0 * step);
                let got = gradient.data()[i];
                assert!(
                    (got - difference).abs() <= 1e-6 + 1e-5 * difference.abs(),
                    "{stem}: input {input}[{i}]: {got:e}, central difference {difference:e}"
                );
            }
        }
    }
}

fn random(noise: &mut Noise, dims: &[usize]) -> Tensor<f64> {
    let data = (0..dims.iter().product::<usize>()).map(|_| f64::from(2.0 * noise.unit() - 1.0)).collect();
    Tensor::new(dims, data)
}

/// Inputs of these extents, each by its own generator, so that no two are alike.
fn inputs(dims: &[&[usize]]) -> Vec<Tensor<f64>> {
    dims.iter().enumerate().map(|(i, dims)| random(&mut Noise::new(100 + i as u64), dims)).collect()
}

const WINDOWS: [([usize; 2], [usize; 2], Padding); 5] = [
    ([1, 1], [1, 1], Padding::Valid),
    ([3, 3], [1, 1], Padding::Same),
    ([3, 2], [2, 2], Padding::Same),
    ([2, 3], [2, 1], Padding::Valid),
    ([1, 2], [3, 2], Padding::Valid),
];

#[test]
fn conv2d() {
    for ([k_h, k_w], stride, padding) in WINDOWS {
        let op = Conv2d::new(padding).stride(stride);
        let (x, w, b): ([usize; 4], _, _) = ([2, 5, 6, 2], [3, k_h, k_w, 2], [3]);
        Case::new(op.clone(), inputs(&[&x, &w, &b])).check();
        Case::new(op.clone().activation(Activation::Relu), inputs(&[&x, &w, &b])).check();
        Case::new(Conv2d { bias: false, ..op.clone() }, inputs(&[&x, &w])).check();
        let y: Vec<usize> = {
            let shapes = [x.into(), w.into(), b.into()];
            Op::from(op.clone()).shape(&shapes.iter().collect::<Vec<_>>()).unwrap().dims().to_vec()
        };
        for scale in [0.17, 1.0] {
            Case::new(op.clone().activation(Activation::Relu).residual(scale), inputs(&[&x, &w, &b, &y])).check();
        }
    }
}

#[test]
fn a_fused_prelu_says_what_to_do() {
    let mut graph = Graph::new();
    let ids: Vec<NodeId> = (0..4).map(|i| graph.input(&i.to_string())).collect();
    let y = graph.op("y", Conv2d::new(Padding::Valid).activation(Activation::PRelu), &ids);
    let error = graph.gradients(y, ids[0], &ids, &[]).unwrap_err().to_string();
    assert!(error.contains("make it an op of its own"), "{error}");
}

#[test]
fn dense() {
    for activation in [Activation::None, Activation::Relu] {
        Case::new(Dense { bias: true, activation }, inputs(&[&[3, 2, 2], &[5, 4], &[5]])).check();
        Case::new(Dense { bias: false, activation }, inputs(&[&[1, 7], &[1, 7]])).check();
    }
}

#[test]
fn local_conv2d() {
    for activation in [Activation::None, Activation::Relu] {
        let dims: [&[usize]; 3] = [&[2, 5, 4, 2], &[2, 2, 3, 3, 2, 2], &[2, 2, 3]];
        Case::new(LocalConv2d { stride: [2, 2], activation }, inputs(&dims)).check();
    }
}

#[test]
fn rectifiers() {
    Case::new(Relu, inputs(&[&[3, 5]])).check();
    Case::new(PRelu, inputs(&[&[2, 3, 3, 2], &[2]])).check();
}

#[test]
fn pools() {
    for (kernel, stride, padding) in WINDOWS {
        Case::new(MaxPool2d { kernel, stride, padding }, inputs(&[&[2, 5, 6, 2]])).check();
        Case::new(AvgPool2d { kernel: Some(kernel), stride, padding }, inputs(&[&[2, 5, 6, 2]])).check();
    }
    Case::new(AvgPool2d::global(), inputs(&[&[2, 3, 4, 2]])).check();
}

#[test]
fn of_equal_maxima_the_first_has_the_gradient() {
    let op = MaxPool2dBwd { kernel: [2, 2], stride: [1, 1], padding: Padding::Valid };
    let x = Tensor::new([1, 2, 3, 1], vec![1.0, 2.0, 2.0, 0.0, 2.0, 2.0]);
    let (y, dy) = (Tensor::new([1, 1, 2, 1], vec![2.0; 2]), Tensor::new([1, 1, 2, 1], vec![3.0, 5.0]));
    let dx = Op::from(op).reference::<f64>(&[&x, &y, &dy]);
    assert_eq!(dx.data(), [0.0, 8.0, 0.0, 0.0, 0.0, 0.0]);
}

/// `x`, its moments, then the rest.
fn with_moments(graph: &mut Graph, given: &[NodeId]) -> Vec<NodeId> {
    let moments = graph.op("moments", BatchMoments, &given[..1]);
    [&given[..1], &[moments], &given[1..]].concat()
}

#[test]
fn batch_norm_train() {
    for activation in [Activation::None, Activation::Relu] {
        for dims in [&[4, 3, 2, 3][..], &[5, 1]] {
            let c = &dims[dims.len() - 1..];
            let op = BatchNormTrain { epsilon: 1e-3, activation, scale: true };
            Case::new(op, inputs(&[dims, c, c])).prepared(with_moments).check();
            let op = BatchNormTrain { epsilon: 1e-3, activation, scale: false };
            Case::new(op, inputs(&[dims, c])).prepared(with_moments).check();
        }
    }
}

#[test]
fn batch_norm() {
    let mut inputs = inputs(&[&[2, 3, 4], &[4], &[4], &[4], &[4]]);
    inputs[4].data_mut().iter_mut().for_each(|variance| *variance = variance.abs() + 0.1);
    Case::new(BatchNorm { epsilon: 1e-3 }, inputs).wanted(&[0]).check();
}

#[test]
fn sums_and_joins() {
    Case::new(Concat, inputs(&[&[2, 3, 1], &[2, 3, 4], &[2, 3, 2]])).check();
    Case::new(ScaledAdd { scale: 0.17 }, inputs(&[&[2, 3], &[2, 3]])).check();
    Case::new(ScaledAdd { scale: 1.0 }, inputs(&[&[2, 3], &[2, 3]])).check();
    Case::new(Flatten, inputs(&[&[2, 3, 2]])).check();
    Case::new(Scale { factor: -0.3 }, inputs(&[&[2, 3]])).check();
    [true, false].into_iter().for_each(|exact| Case::new(Cast { exact }, inputs(&[&[2, 3]])).check());
    Case::new(Part::Like, inputs(&[&[2, 3], &[3, 2]])).wanted(&[0]).check();
}

/// An op that gets a gradient gets its case here.
#[test]
fn every_gradient_is_checked() {
    let ops = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let cases = include_str!("gradients.rs");
    for stem in Op::STEMS {
        let source = std::fs::read_to_string(ops.join(format!("{stem}.rs"))).unwrap();
        let (Some(_), Some((_, after))) = (source.find("fn vjp"), source.split_once("impl Operator for ")) else {
            continue;
        };
        let name = after.split(' ').next().unwrap_or_default();
        let has = [" {", ",", "::", "(", " "].iter().any(|next| cases.contains(&format!("{name}{next}")));
        assert!(has, "{name} ({stem}) has a gradient and no case");
    }
}

fn noise(seed: u64, dims: &[usize]) -> Tensor<f64> {
    random(&mut Noise::new(seed), dims)
}

/// Values given one by one.
fn given(dims: &[usize], values: &[f64]) -> Tensor<f64> {
    Tensor::new(dims, values.to_vec())
}

#[test]
fn l2_normalize() {
    let op = L2Normalize { epsilon: 0.5 };
    // The first row's norm is what it is divided by, the second's is too small.
    let x = given(&[2, 3], &[1.0, -0.7, 0.4, 0.1, -0.2, 0.3]);
    Case::new(op, vec![x]).check();
    Case::new(L2Normalize { epsilon: 1e-10 }, vec![noise(1, &[2, 3, 7])]).check();
}

#[test]
fn softmax() {
    Case::new(Softmax, vec![noise(2, &[3, 5])]).check();
    Case::new(Softmax, vec![noise(2, &[2, 1])]).check();
}

#[test]
fn softmax_cross_entropy() {
    let labels = given(&[4], &[2.0, 0.0, 4.0, 2.0]);
    Case::new(SoftmaxCrossEntropy, vec![noise(3, &[4, 5]), labels]).wanted(&[0]).check();
}

#[test]
fn mean() {
    Case::new(Mean, vec![noise(4, &[3, 4])]).check();
}

#[test]
fn triplet_loss() {
    let (inputs, margin) = ((5..8).map(|seed| noise(seed, &[6, 4])).collect::<Vec<_>>(), 0.4);
    let row = |x: usize, i: usize| &inputs[x].data()[4 * i..][..4];
    let distance = |i: usize, x: usize| Metric::Euclidean.distance(row(0, i), row(x, i));
    let active = (0..6).filter(|&i| distance(i, 1) - distance(i, 2) + f64::from(margin) > 0.0).count();
    assert!((1..6).contains(&active), "{active}");
    Case::new(TripletLoss { margin }, inputs).check();
}

#[test]
fn gather_rows() {
    let indices = given(&[5], &[2.0, 0.0, 2.0, 2.0, 3.0]);
    Case::new(GatherRows, vec![noise(8, &[5, 3]), indices]).wanted(&[0]).check();
}

#[test]
fn center_loss() {
    let labels = given(&[4], &[1.0, 2.0, 1.0, 0.0]);
    Case::new(CenterLoss, vec![noise(9, &[4, 3]), noise(10, &[3, 3]), labels]).wanted(&[0]).check();
}

#[test]
fn dropout() {
    let op = Dropout { keep: 0.6, seed: 0x1234_5678_9abc, stream: 256 };
    Case::new(op, vec![noise(11, &[3, 11]), given(&[1], &[5.0])]).wanted(&[0]).check();
}

#[test]
fn norm_loss() {
    for p in [1.0, 2.0, 3.5] {
        Case::new(NormLoss { p, epsilon: 1e-4 }, vec![noise(12, &[3, 5])]).check();
    }
}

#[test]
fn l2_loss() {
    Case::new(L2Loss, vec![noise(13, &[2, 3, 2])]).check();
}
