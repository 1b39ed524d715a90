//! One step of training: its parts, and the gradient of all weights.

use std::sync::Arc;

use warpface::graph::{NodeId, Source};
use warpface::train::network::{self, NetworkOptions, Output, slot};
use warpface::train::parameters::{Parameters, Place, Values};
use warpface::{Device, Graph, Precision, Shape};

/// What a step says, and the gradient, as the weights lie.
pub struct Step {
    pub outputs: Vec<(Output, Vec<f32>)>,
    pub gradient: Vec<f32>,
}

/// The first step of a network with these values, on pictures of its side; nothing is learned.
pub fn first(
    device: &Device,
    parameters: &Parameters,
    values: &Values,
    options: &NetworkOptions,
    (pixels, labels): (&[f32], &[u32]),
    precision: Precision,
) -> Step {
    let mut step = network::step(parameters, options).unwrap();
    let gradient = gradient(&step.graph);
    step.graph.output(gradient);
    let network = &parameters.spec().network;
    let centers = parameters.spec().classes.unwrap_or(1) * network.embedding_size;
    let lengths = [options.rows() * parameters.weights_len(), parameters.norms_len(), centers];
    let states = device.backend().states(&lengths).unwrap();
    let mut weights = values.weights.clone();
    weights.resize(lengths[0], 0.0);
    states.write(slot::WEIGHTS, &weights).unwrap();
    states.write(slot::NORMS, &values.norms).unwrap();

    let labels: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
    let mut shapes = vec![Shape::from([options.batch, network.side, network.side, 3])];
    let mut inputs: Vec<&[f32]> = vec![pixels];
    if options.loss.is_classifier() {
        shapes.push([options.batch].into());
        inputs.push(&labels);
    }
    shapes.extend([[1], [1], [3]].map(Shape::from));
    inputs.extend([&[0.0][..], &[1.0], &[0.0, 1.0, 0.0]]);
    let module = states.load_in(Arc::new(step.graph), precision).unwrap();
    let mut outputs = module.plan(&shapes).unwrap().run(&inputs).unwrap();
    let gradient = outputs.pop().expect("the gradient");
    Step { outputs: step.outputs.into_iter().zip(outputs).collect(), gradient }
}

/// The gradient of all weights in a step's graph: what is asked to be finite.
fn gradient(graph: &Graph) -> NodeId {
    let asks = graph.nodes().iter().find(|node| node.name == "finite");
    match asks.map(|node| &node.source) {
        Some(Source::Op(_, inputs)) => inputs[0],
        _ => panic!("a step asks whether its gradient is finite"),
    }
}

/// A tensor's elements.
pub fn of<'a>(values: &'a [f32], place: &Place) -> &'a [f32] {
    &values[place.offset..][..place.shape.elements()]
}

/// The Euclidean norm.
pub fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// In f64.
pub fn wide(values: &[f32]) -> impl Iterator<Item = f64> {
    values.iter().map(|&x| f64::from(x))
}

/// The norm of the difference.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(wide(a).zip(wide(b)).map(|(a, b)| a - b))
}

/// The tensor whose gradient is the farthest from what is expected, by the norm of the difference as a part of its own; of
/// what comes before a batch norm's mean only the rounding is left, which a part of the whole gradient's covers.
pub fn farthest<'a>(parameters: &'a Parameters, got: &[f32], expected: impl Fn(&Place) -> &'a [f32]) -> (f64, &'a str) {
    let whole = norm(parameters.weights().iter().flat_map(|place| wide(expected(place))));
    let mut worst = (0.0, "");
    for place in parameters.weights() {
        let expected = expected(place);
        let exact = norm(wide(expected));
        // A bias that a batch norm takes away has none: a rounding for each pixel is left.
        let part = if exact < 1e-9 * whole { 1e-3 } else { 1e-4 };
        let apart = distance(of(got, place), expected) / (exact + part * whole);
        if apart.is_nan() || apart > worst.0 {
            worst = (apart, &place.name);
        }
    }
    worst
}
