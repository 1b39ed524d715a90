//! Every op that has a gradient against central differences, in f64, away from kinks.

#![allow(dead_code)]

#[path = "common/mod.rs"]
mod common;

use common::Noise;
use warpface::ops::Op;
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
    #[allow(dead_code)]
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
