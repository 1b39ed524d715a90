//! Steps of training as graphs: a small network learns its batch, the same bits each time.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use common::Noise;
use warpface::backend::{Backend, States};
use warpface::networks::{ModelDef, NetworkSpec, Width};
use warpface::ops::OptimizerKind;
use warpface::train::network::{self, Loss, NetworkOptions, Output, Step, slot};
use warpface::train::parameters::{Parameters, Spec};
use warpface::{Device, Precision, Shape, Tensor};

const SIDE: usize = 80;

fn parameters(classes: Option<usize>) -> Parameters {
    Parameters::new(Spec {
        network: NetworkSpec::new(ModelDef::InceptionResnetV1).width(Width::of_stem(2).unwrap()).embedding_size(8),
        classes,
        gamma: false,
    })
    .unwrap()
}

fn softmax() -> NetworkOptions {
    NetworkOptions {
        loss: Loss::Softmax { center_factor: 0.01, center_alfa: 0.9, norm_factor: 1e-3, norm_p: 1.0 },
        optimizer: OptimizerKind::Momentum,
        average: true,
        weight_decay: 5e-5,
        keep_probability: 0.8,
        seed: 3,
        batch: 6,
        recompute: Vec::new(),
    }
}

fn triplets() -> NetworkOptions {
    NetworkOptions { loss: Loss::Triplet { alpha: 0.2 }, ..softmax() }
}

/// The rows of the state of the weights before the first step.
fn beginning(weights: &[f32], options: &NetworkOptions) -> Vec<f32> {
    let mut rows = weights.to_vec();
    options.optimizer.initial().iter().for_each(|&start| rows.resize(rows.len() + weights.len(), start));
    if options.average {
        rows.extend(weights);
    }
    rows
}

/// Fresh states of a run.
fn states(backend: &dyn Backend, parameters: &Parameters, options: &NetworkOptions) -> Arc<dyn States> {
    let n = parameters.weights_len();
    let centers = parameters.spec().classes.unwrap_or(0) * parameters.spec().network.embedding_size;
    let states = backend.states(&[options.rows() * n, parameters.norms_len(), centers]).unwrap();
    let values = parameters.initial(options.seed);
    states.write(slot::WEIGHTS, &beginning(&values.weights, options)).unwrap();
    states.write(slot::NORMS, &values.norms).unwrap();
    states
}

/// What training gave: the step, each step's outputs, and the state of the weights.
type Trained = (Step, Vec<Vec<Vec<f32>>>, Vec<f32>);

/// Steps on one batch, in f32.
fn train(device: &Device, classes: Option<usize>, options: &NetworkOptions, steps: usize) -> Trained {
    train_in(device, classes, options, steps, Precision::F32)
}

fn train_in(
    device: &Device,
    classes: Option<usize>,
    options: &NetworkOptions,
    steps: usize,
    precision: Precision,
) -> Trained {
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
    let executable = states.load_in(Arc::new(step.graph.clone()), precision).unwrap().plan(&shapes).unwrap();
    let run = |at: usize| {
        // f16 loses small gradients without a loss scale.
        let factor = if precision == Precision::F16 { 1024.0 } else { 1.0 };
        let (at, scale, rates) = ([at as f32], [factor], [0.02, 1.0 / factor, 0.9]);
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
    for (classes, options) in [(Some(3), softmax()), (None, triplets())] {
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

/// The first step in f64 by the reference: outputs, and the state of the weights.
fn reference(classes: Option<usize>, options: &NetworkOptions) -> (Vec<Vec<f64>>, Vec<f64>) {
    let parameters = parameters(classes);
    let step = network::step(&parameters, options).unwrap();
    let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let vector = |values: Vec<f64>| Tensor::new([values.len()], values);
    let (n, values) = (parameters.weights_len(), parameters.initial(options.seed));
    let centers = classes.unwrap_or(0);
    let mut states = vec![
        Tensor::new([options.rows(), n], wide(&beginning(&values.weights, options))),
        vector(wide(&values.norms)),
        Tensor::new([centers, 8], vec![0.0; centers * 8]),
    ];
    let images = Noise::new(5).signed(&[options.batch, SIDE, SIDE, 3]);
    let mut inputs = vec![Tensor::new(images.shape().clone(), wide(images.data()))];
    if classes.is_some() {
        inputs.push(vector((0..options.batch).map(|i| (i % 3) as f64).collect()));
    }
    inputs.extend([vector(vec![0.0]), vector(vec![1.0]), vector(wide(&[0.02, 1.0, 0.9]))]);
    let outputs = step.graph.reference_on(&inputs, &mut states).unwrap();
    (outputs.into_iter().map(Tensor::into_data).collect(), states.swap_remove(0).into_data())
}

/// A step of the small network, the classifier's and the triplets', beside the reference's in f64: outputs, and each
/// tensor with what the optimizer remembers of it. Later steps grow apart, as rectifiers turn on or off by a rounding.
fn steps_as_the_reference(device: &Device, precision: Precision, tolerance: f64) {
    for (classes, options) in [(Some(3), softmax()), (None, triplets())] {
        let (expected, weights) = reference(classes, &options);
        let (step, got, same) = train_in(device, classes, &options, 1, precision);
        let what = format!("{}, {precision}", device.info().name);
        // Embeddings that sixty roundings to 8 bits have gone through are far from where they should be, all the same.
        let told = |((output, _), _): &((&Output, &Vec<f32>), &Vec<f64>)| {
            precision != Precision::Bf16 || **output != Output::Embeddings
        };
        for ((output, got), expected) in step.outputs.iter().zip(&got[0]).zip(&expected).filter(told) {
            for (&got, expected) in got.iter().zip(expected) {
                let allowed = tolerance * expected.abs().max(0.1);
                assert!((f64::from(got) - expected).abs() <= allowed, "{what}, {output:?}: {got}, expected {expected}");
            }
        }
        let parameters = parameters(classes);
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let mut worst = (0.0, String::new());
        let n = parameters.weights_len();
        let mut farther = |name: String, range: std::ops::Range<usize>| {
            let pairs = weights[range.clone()].iter().zip(&same[range.clone()]);
            let apart =
                norm(&mut pairs.map(|(a, b)| a - f64::from(*b))) / norm(&mut weights[range].iter().copied()).max(1e-9);
            if apart > worst.0 {
                worst = (apart, name);
            }
        };
        for row in 0..options.rows() {
            if precision != Precision::F32 {
                // Of 16 bits one cannot ask that offsets whose gradients nearly cancel are right, each for itself.
                farther(format!("row {row}"), row * n..(row + 1) * n);
                continue;
            }
            for place in parameters.weights() {
                let from = row * n + place.offset;
                farther(format!("row {row} of {}", place.name), from..from + place.shape.elements());
            }
        }
        println!("{what}: {} is the farthest, by {:e} of its norm", worst.1, worst.0);
        assert!(worst.0 <= tolerance, "{what}: {worst:?}");
    }
}

#[test]
fn cpu_steps_as_the_reference() {
    steps_as_the_reference(&Device::cpu(2).unwrap(), Precision::F32, 1e-3);
}

#[test]
fn wgpu_steps_as_the_reference() {
    if let Some(device) = common::device(warpface::DeviceKind::Wgpu) {
        steps_as_the_reference(&device, Precision::F32, 1e-3);
    }
}

#[test]
fn cuda_steps_as_the_reference() {
    if let Some(device) = common::device(warpface::DeviceKind::Cuda) {
        steps_as_the_reference(&device, Precision::F32, 1e-3);
    }
}

#[test]
fn ptxsim_f32_steps_as_the_reference() {
    steps_as_the_reference(&common::simulated::device((7, 5)), Precision::F32, 1e-3);
}

#[test]
fn ptxsim_f16_steps_as_the_reference() {
    steps_as_the_reference(&common::simulated::device((8, 0)), Precision::F16, 0.25);
}

#[test]
fn ptxsim_bf16_steps_as_the_reference() {
    steps_as_the_reference(&common::simulated::device((8, 0)), Precision::Bf16, 0.8);
}

#[test]
fn ptxsim_hopper_f16_steps_as_the_reference() {
    steps_as_the_reference(&common::simulated::device((9, 0)), Precision::F16, 0.25);
}

#[test]
fn ptxsim_hopper_bf16_steps_as_the_reference() {
    steps_as_the_reference(&common::simulated::device((9, 0)), Precision::Bf16, 0.8);
}

#[test]
fn what_is_computed_again_changes_nothing() {
    let device = Device::cpu(2).unwrap();
    let kept = train(&device, Some(3), &softmax(), 2);
    for blocks in [0..1, 0..5, 7..9, 0..24] {
        let again = train(&device, Some(3), &NetworkOptions { recompute: blocks.clone().collect(), ..softmax() }, 2);
        assert_eq!((&kept.1, &kept.2), (&again.1, &again.2), "blocks {blocks:?}");
        assert!(again.0.graph.nodes().len() > kept.0.graph.nodes().len());
    }
}
