//! Gradients against central differences, in f64, away from kinks: what the tests of ops that have one share.

use warpface::graph::NodeId;
use warpface::ops::{Op, Padding};
use warpface::{Graph, Tensor};

use crate::common::Noise;

/// An op at a point: its inputs, and which of them it has gradients for.
pub struct Gradient {
    op: Op,
    /// Makes the op's inputs of those that are given, where it is not these themselves.
    prepare: fn(&mut Graph, &[NodeId]) -> Vec<NodeId>,
    inputs: Vec<Tensor<f64>>,
    wanted: Vec<usize>,
}

impl Gradient {
    /// An op with a gradient for each input.
    pub fn new(op: impl Into<Op>, inputs: Vec<Tensor<f64>>) -> Gradient {
        let wanted = (0..inputs.len()).collect();
        Gradient { op: op.into(), prepare: |_, given| given.to_vec(), inputs, wanted }
    }

    /// The same with gradients for these inputs alone.
    pub fn wanted(self, wanted: &[usize]) -> Gradient {
        Gradient { wanted: wanted.to_vec(), ..self }
    }

    /// The same on inputs that earlier ops make of the given ones.
    pub fn prepared(self, prepare: fn(&mut Graph, &[NodeId]) -> Vec<NodeId>) -> Gradient {
        Gradient { prepare, ..self }
    }

    /// Compares the gradients of `sum(y * dy)` for a random `dy`.
    pub fn check(&self) {
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

/// Values between -1 and 1.
fn random(noise: &mut Noise, dims: &[usize]) -> Tensor<f64> {
    let data = (0..dims.iter().product::<usize>()).map(|_| f64::from(2.0 * noise.unit() - 1.0)).collect();
    Tensor::new(dims, data)
}

/// Inputs of these extents, each by its own generator, so that no two are alike.
pub fn inputs(dims: &[&[usize]]) -> Vec<Tensor<f64>> {
    dims.iter().enumerate().map(|(i, dims)| random(&mut Noise::new(100 + i as u64), dims)).collect()
}

/// Windows: extents, steps and padding.
pub const WINDOWS: [([usize; 2], [usize; 2], Padding); 7] = [
    ([1, 1], [1, 1], Padding::Valid),
    ([3, 3], [1, 1], Padding::Same),
    ([3, 2], [2, 2], Padding::Same),
    ([2, 3], [2, 1], Padding::Valid),
    ([1, 2], [3, 2], Padding::Valid),
    ([3, 3], [2, 2], Padding::Around(1)),
    ([4, 3], [1, 2], Padding::Around(2)),
];

/// Values of their own seed.
pub fn noise(seed: u64, dims: &[usize]) -> Tensor<f64> {
    random(&mut Noise::new(seed), dims)
}

/// Values given one by one.
pub fn given(dims: &[usize], values: &[f64]) -> Tensor<f64> {
    Tensor::new(dims, values.to_vec())
}

/// An op that gets a gradient gets its case, in the file of its stem.
#[test]
fn every_gradient_is_checked() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: String| std::fs::read_to_string(root.join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    for stem in Op::STEMS {
        let has_gradient = read(format!("src/ops/{stem}.rs")).contains("fn vjp");
        let is_checked = read(format!("tests/ops/{stem}.rs")).contains("fn gradient()");
        assert_eq!(is_checked, has_gradient, "{stem}: a gradient and its case, or neither");
    }
}
