//! Optimizers, moving averages and centers work on what the device keeps, in place, for several steps.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{Noise, Tolerance, assert_close, devices};
use warpface::ops::{CenterUpdate, IsFinite, MovingAverage, Optimizer, OptimizerKind};
use warpface::{Graph, Precision, Shape, Tensor};

/// Weights, a number that makes rows of the state begin anywhere.
const P: usize = 331;

/// A step of an optimizer on state 0; state 1 follows the gradient, and state 2, seven centers of nine values, the
/// features. All this only if the gradient is finite.
fn graph(kind: OptimizerKind) -> (Graph, Vec<usize>) {
    let mut graph = Graph::new();
    let [gradient, rates, features, labels] = ["gradient", "rates", "features", "labels"].map(|name| graph.input(name));
    let op = Optimizer { kind, decayed: 100, decay: 0.01, average: true };
    let lengths = vec![op.rows() * P, P, 7 * 9];
    let state = graph.state("state", 0, [op.rows(), P]);
    let average = graph.state("average", 1, [P]);
    let centers = graph.state("centers", 2, [7, 9]);
    let finite = graph.op("finite", IsFinite, &[gradient]);
    let next = graph.op("step", op, &[state, gradient, rates, finite]);
    graph.update(state, next);
    let next = graph.op("mean gradient", MovingAverage { decay: 0.75 }, &[average, gradient, finite]);
    graph.update(average, next);
    let next = graph.op("centers", CenterUpdate { alfa: 0.5 }, &[centers, features, labels, finite]);
    graph.update(centers, next);
    graph.output(finite);
    (graph, lengths)
}

#[test]
fn steps_follow_the_reference_in_place() {
    for kind in OptimizerKind::ALL {
        let (graph, lengths) = graph(kind);
        let mut noise = Noise::new(50);
        let mut start: Vec<Vec<f32>> = lengths.iter().map(|&n| noise.tensor(&[n], -1.0, 1.0).into_data()).collect();
        for (slot, &value) in kind.initial().iter().enumerate() {
            start[0][(1 + slot) * P..][..P].fill(value);
        }
        // The third step overflows.
        let steps: Vec<Vec<Tensor>> = (0..4)
            .map(|step| {
                let (mut gradient, mut features) = (noise.tensor(&[P], -4.0, 4.0), noise.signed(&[12, 9]));
                if step == 2 {
                    gradient.data_mut()[P - 1] = f32::INFINITY;
                    features.data_mut().fill(f32::NAN);
                }
                let labels = Tensor::new([12], (0..12).map(|i| (i * i % 7) as f32).collect());
                vec![gradient, Tensor::new([3], vec![0.05, 0.5, 0.9]), features, labels]
            })
            .collect();
        let shapes: Vec<Shape> = graph.states().map(|(_, shape)| shape.clone()).collect();
        let of = |data: &Vec<f32>, shape: &Shape| Tensor::new(shape.clone(), data.clone());
        let mut expected: Vec<Tensor> = start.iter().zip(&shapes).map(|(data, shape)| of(data, shape)).collect();
        let finite: Vec<f32> =
            steps.iter().map(|step| graph.reference_on(step, &mut expected).unwrap()[0].data()[0]).collect();
        assert_eq!(finite, [1.0, 1.0, 0.0, 1.0]);

        devices::each_and_simulated(|device| {
            // States are f32 in every precision.
            for precision in [Precision::F32, Precision::F16] {
                if device.backend().check(precision).is_err() {
                    continue;
                }
                let what = format!("{kind:?} in {precision} on {}", device.info().kind);
                let states = device.backend().states(&lengths).unwrap();
                start.iter().enumerate().for_each(|(i, data)| states.write(i, data).unwrap());
                let module = states.load_in(Arc::new(graph.clone()), precision).unwrap();
                let inputs: Vec<Shape> = steps[0].iter().map(|x| x.shape().clone()).collect();
                let executable = module.plan(&inputs).unwrap();
                // In place: no copy of the state lives in the arena.
                let mut updates = executable.plan().steps.iter().filter(|step| step.output.shape == shapes[0]);
                assert!(updates.all(|step| step.output.region == step.inputs[0].region), "{what}");
                for (step, finite) in steps.iter().zip(&finite) {
                    let bits = || {
                        let values = (0..lengths.len()).flat_map(|i| states.read(i).unwrap());
                        values.map(f32::to_bits).collect::<Vec<_>>()
                    };
                    let before = bits();
                    let got = executable.run(&step.iter().map(Tensor::data).collect::<Vec<_>>()).unwrap();
                    assert_eq!(got[0], [*finite], "{what}");
                    // A select and no product: what overflowed leaves no trace.
                    assert_eq!(before == bits(), *finite == 0.0, "{what}");
                }
                for (i, expected) in expected.iter().enumerate() {
                    let got = states.read(i).unwrap();
                    let tolerance = Tolerance { atol: 2e-6, rtol: 1e-5 };
                    assert_close(&format!("{what}, state {i}"), &got, expected.data(), tolerance);
                }
            }
        });
    }
}
