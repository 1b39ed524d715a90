//! Every op at the shapes that the networks use, an op a file; convolutions at those that take most operations.

#[path = "../common/mod.rs"]
mod common;
mod layer;
#[path = "../../src/ops/list.rs"]
mod list;

use std::sync::Arc;

use common::Bench;
use layer::Layer;
use warpface::Precision;
use warpface::ops::Op;
use warpface::{Graph, Shape, Tensor};

macro_rules! cases {
    ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
        $(mod $stem;)+

        fn main() {
            common::main("ops", |bench| {
                $($stem::cases(bench);)+
            });
        }
    };
}

list::for_each_op!(cases);

/// A batch of FaceNet's: 90 photographs.
const ROWS: usize = 90;
const DIMENSIONS: usize = 512;
/// The classes of MS-Celeb-1M.
const CLASSES: usize = 100_000;
/// The weights of Inception-ResNet-v1.
const WEIGHTS: usize = 23_000_000;
/// Weights of an update.
const UPDATED: usize = 4_000_000;

/// An input of an op: given with each run, or a weight.
enum Input {
    Given(Shape, Vec<f32>),
    Weight(Shape),
}

fn x(shape: impl Into<Shape>) -> Input {
    let shape = shape.into();
    let data = Tensor::filler(shape.clone()).into_data();
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
                let values = Tensor::filler(shape.clone()).data().iter().map(|x| x.abs() + 0.01).collect();
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

/// As [`op`], for what is f32 in every precision: detection, results, losses, updates.
fn op_in_f32(bench: &mut Bench, name: &str, op: impl Into<Op>, inputs: Vec<Input>) {
    if bench.precision() == Precision::F32 {
        self::op(bench, name, op, inputs);
    }
}

/// What flows through the blocks of the first kind.
fn block35(bench: &Bench) -> Input {
    x([bench.batch(), 17, 17, 256])
}

/// Whole numbers 0 to 255.
fn pixels(shape: [usize; 4]) -> Input {
    let shape = Shape::from(shape);
    let data = (0..shape.elements()).map(|i| (i * 7 % 256) as f32).collect();
    Input::Given(shape, data)
}

/// Squares on a photograph of 250 pixels, many of them overlapping, as P-Net proposes them; with scores or without.
fn boxes(n: usize, scored: bool) -> Input {
    let row = |i: usize| {
        let (x, y, side) = ((i * 37 % 200) as f32, (i * 53 % 200) as f32, 20.0 + (i * 11 % 40) as f32);
        let score = 0.6 + (i * 7919 % 4096) as f32 / 10_240.0;
        [x, y, x + side, y + side, score].into_iter().take(if scored { 5 } else { 4 })
    };
    Input::Given([n, if scored { 5 } else { 4 }].into(), (0..n).flat_map(row).collect())
}

/// Labels or indices: whole numbers below `count`, in no order.
fn labels(n: usize, count: usize) -> Input {
    Input::Given([n].into(), (0..n).map(|i| (i * 7919 % count) as f32).collect())
}

/// One number.
fn one(value: f32) -> Input {
    Input::Given([1].into(), vec![value])
}
