//! Steps of training as graphs: a small network learns its batch, the same bits each time.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{Noise, Tolerance, assert_close, devices};
use warpface::backend::{Backend, States};
use warpface::ops::OptimizerKind;
use warpface::train::network::{self, Loss, Options, Output, Step, slot};
use warpface::train::parameters::{Parameters, Spec};
use warpface::weights::facenet::Width;
use warpface::{Device, Precision, Shape};

const SIDE: usize = 80;

fn parameters(classes: Option<usize>) -> Parameters {
    Parameters::new(Spec { width: Width::of_stem(2).unwrap(), embedding_size: 8, classes, gamma: false })
}

fn softmax() -> Options {
    Options {
        loss: Loss::Softmax { center_factor: 0.01, center_alfa: 0.9, norm_factor: 1e-3, norm_p: 1.0 },
        optimizer: OptimizerKind::Momentum,
        average: true,
        weight_decay: 5e-5,
        keep_probability: 0.8,
        seed: 3,
        batch: 6,
        recompute: 0,
    }
}

/// Fresh states of a run.
fn states(backend: &dyn Backend, parameters: &Parameters, options: &Options) -> Arc<dyn States> {
    let n = parameters.weights_len();
    let centers = parameters.spec().classes.unwrap_or(0) * parameters.spec().embedding_size;
    let states = backend.states(&[options.rows() * n, parameters.norms_len(), centers]).unwrap();
    let values = parameters.initial(options.seed);
    let mut weights = values.weights.clone();
    options.optimizer.initial().iter().for_each(|&start| weights.extend(std::iter::repeat_n(start, n)));
    if options.average {
        weights.extend(&values.weights);
    }
    states.write(slot::WEIGHTS, &weights).unwrap();
    states.write(slot::NORMS, &values.norms).unwrap();
    states
}

/// So many steps on one batch: each step's outputs.
fn train(
    device: &Device,
    classes: Option<usize>,
    options: &Options,
    steps: usize,
) -> (Step, Vec<Vec<Vec<f32>>>, Vec<f32>) {
    let parameters = parameters(classes);
    let states = states(device.backend(), &parameters, options);
    let step = network::step(&parameters, options).unwrap();
    let images = Noise::new(5).signed(&[options.batch, SIDE, SIDE, 3]);
    let labels: Vec<f32> = (0..options.batch).map(|i| (i % 3) as f32).collect();
    let mut shapes = vec![images.shape().clone()];
    if classes.is_some() {
        shapes.push(Shape::from([options.batch]));
    }
    shapes.extend([[1], [1], [3]].map(Shape::from));
    let executable = states.load_in(Arc::new(step.graph.clone()), Precision::F32).unwrap().plan(&shapes).unwrap();
    let run = |at: usize| {
        let (at, scale, rates) = ([at as f32], [1.0], [0.02, 1.0, 0.9]);
        let mut inputs: Vec<&[f32]> = vec![images.data()];
        if classes.is_some() {
            inputs.push(&labels);
        }
        inputs.extend([&at[..], &scale, &rates]);
        executable.run(&inputs).unwrap()
    };
    let outputs = (0..steps).map(run).collect();
    let weights = states.read(slot::WEIGHTS).unwrap();
    (step, outputs, weights)
}

#[test]
fn a_small_network_learns_its_batch() {
    let device = Device::cpu(2).unwrap();
    for (classes, options) in
        [(Some(3), softmax()), (None, Options { loss: Loss::Triplet { alpha: 0.2 }, ..softmax() })]
    {
        let (step, outputs, weights) = train(&device, classes, &options, 12);
        let at = |output: Output| step.outputs.iter().position(|o| *o == output).unwrap();
        let losses: Vec<f32> = outputs.iter().map(|o| o[at(Output::Loss)][0]).collect();
        println!("{losses:?}");
        assert!(losses[11] < 0.7 * losses[0], "{losses:?}");
        assert!(outputs.iter().all(|o| o[at(Output::Finite)] == [1.0]));
        let (_, again, same) = train(&device, classes, &options, 12);
        assert_eq!((outputs, weights), (again, same), "a second run differs");
    }
}

#[test]
fn every_device_follows_the_cpu() {
    for (classes, options) in
        [(Some(3), softmax()), (None, Options { loss: Loss::Triplet { alpha: 0.2 }, ..softmax() })]
    {
        let (step, expected, _) = train(&Device::cpu(2).unwrap(), classes, &options, 2);
        devices::each_and_simulated(|device| {
            let (_, got, _) = train(device, classes, &options, 2);
            // Losses, norms and flags; embeddings of so few images differ more.
            let outputs = step.outputs.iter().enumerate().filter(|(i, _)| expected[0][*i].len() == 1);
            for (i, output) in outputs {
                let of = |steps: &[Vec<Vec<f32>>]| steps.iter().map(|step| step[i][0]).collect::<Vec<f32>>();
                let what = format!("{output:?} on {}", device.info().kind);
                assert_close(&what, &of(&got), &of(&expected), Tolerance { atol: 1e-4, rtol: 2e-3 });
            }
        });
    }
}
