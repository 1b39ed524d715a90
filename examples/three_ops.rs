//! A graph of three ops, planned and run on any device: `cargo run --example three_ops -- cpu`.

use std::sync::Arc;

use warpface::ops::{Activation, Conv2d, L2Normalize, MaxPool2d, Padding};
use warpface::{Device, DeviceKind, Graph, Plan, Precision, Shape, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kind: DeviceKind = std::env::args().nth(1).unwrap_or_else(|| "auto".to_owned()).parse()?;

    // x: [n, h, w, 2] -> 3x3 convolution to 4 channels, rectified -> 2x2 maxima -> unit vectors along the channels.
    let mut graph = Graph::new();
    let x = graph.input("x");
    let filters = (0..4 * 3 * 3 * 2).map(|i| (i % 7) as f32 / 7.0 - 0.4).collect();
    let w = graph.param("w", Tensor::new([4, 3, 3, 2], filters));
    let b = graph.param("b", Tensor::new([4], vec![0.1; 4]));
    let y = graph.op("conv", Conv2d::new(Padding::Same).activation(Activation::Relu), &[x, w, b]);
    let y = graph.op("pool", MaxPool2d { kernel: [2, 2], stride: [2, 2], padding: Padding::Valid }, &[y]);
    let y = graph.op("norm", L2Normalize { epsilon: 1e-10 }, &[y]);
    graph.output(y);

    let shape = Shape::from([1, 6, 6, 2]);
    let graph = Arc::new(graph);
    let plan = Plan::new(graph.clone(), std::slice::from_ref(&shape))?;
    println!(
        "{} steps, {} operations, {} bytes of activations",
        plan.steps.len(),
        plan.flops(),
        Precision::F32.stored(plan.arena)
    );

    let device = Device::open(kind, 0)?;
    let executable = device.backend().load(graph.clone())?.plan(std::slice::from_ref(&shape))?;
    let input: Vec<f32> = (0..shape.elements()).map(|i| (i as f32).sin()).collect();
    let output = executable.run(&[&input])?.remove(0);

    let reference = graph.reference(&[Tensor::new(shape, input)])?.remove(0);
    let error = output.iter().zip(reference.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("on {device}: {} values, at most {error:e} from the reference", output.len());
    Ok(())
}
