//! Every op that has a gradient against central differences, in f64, away from kinks.

#[path = "common/mod.rs"]
mod common;

use common::Noise;
use warpface::ops::*;
use warpface::{Graph, Tensor};

/// An op at a point: its inputs, and which of them it has gradients for.
struct Case {
    op: Op,
    inputs: Vec<Tensor<f64>>,
    wanted: Vec<usize>,
}

impl Case {
    /// An op with a gradient for each input.
    fn new(op: impl Into<Op>, inputs: Vec<Tensor<f64>>) -> Case {
        let wanted = (0..inputs.len()).collect();
        Case { op: op.into(), inputs, wanted }
    }

    /// The same with gradients for these inputs alone.
    fn wanted(self, wanted: &[usize]) -> Case {
        Case { wanted: wanted.to_vec(), ..self }
    }

    /// Compares the gradients of `sum(y * dy)` for a random `dy`.
    fn check(&self) {
        let stem = self.op.stem();
        let mut graph = Graph::new();
        let ids: Vec<_> = (0..self.inputs.len()).map(|i| graph.input(&format!("input {i}"))).collect();
        let y = graph.op("y", self.op.clone(), &ids);
        graph.output(y);
        let forward = graph.clone();
        let run =
            |inputs: &[Tensor<f64>]| forward.reference(inputs).unwrap_or_else(|e| panic!("{stem}: {e}")).remove(0);
        let at = run(&self.inputs);
        let mut noise = Noise::new(7);
        let dy = random(&mut noise, at.dims());

        let given = graph.input("dy");
        let wanted: Vec<_> = self.wanted.iter().map(|&i| ids[i]).collect();
        let gradients = graph.gradients(y, given, &wanted).unwrap_or_else(|e| panic!("{stem}: {e}"));
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
