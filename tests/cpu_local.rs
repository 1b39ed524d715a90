//! Locally connected layers on the CPU, on every instruction set at hand: against the reference, and each image as if it
//! were alone, whatever the batch and the threads.

mod common;

use std::sync::Arc;

use warpface::backend::Executable;
use warpface::backend::cpu::{Cpu, Isa};
use warpface::ops::{Activation, LocalConv2d, LocalConv2dBwdBias, LocalConv2dBwdData, LocalConv2dBwdFilter, Op};
use warpface::{Graph, Shape, Tensor};

use common::{Noise, Tolerance, assert_close};

/// A layer: the image's extents, the filters' count and extents, the stride.
#[derive(Clone, Copy, Debug)]
struct Layer {
    image: [usize; 3],
    filters: [usize; 3],
    stride: usize,
}

/// Whole and partial vectors, tiles and blocks; runs of one vector, of several, of less; windows that do not meet.
const LAYERS: [Layer; 6] = [
    Layer { image: [13, 12, 16], filters: [16, 9, 9], stride: 1 },
    Layer { image: [19, 21, 16], filters: [18, 7, 7], stride: 2 },
    Layer { image: [9, 8, 8], filters: [5, 5, 3], stride: 1 },
    Layer { image: [7, 9, 5], filters: [3, 3, 3], stride: 1 },
    Layer { image: [8, 11, 3], filters: [7, 2, 1], stride: 3 },
    Layer { image: [4, 4, 33], filters: [1, 4, 4], stride: 1 },
];
/// A tile and fewer, some tiles; images that are lanes, in one vector and in several, with and without others.
const BATCHES: [usize; 5] = [1, 3, 6, 24, 37];

impl Layer {
    fn w(&self) -> [usize; 6] {
        let ([h, w, c_in], [c_out, k_h, k_w]) = (self.image, self.filters);
        [(h - k_h) / self.stride + 1, (w - k_w) / self.stride + 1, c_out, k_h, k_w, c_in]
    }

    /// Shapes of x, w, b and y.
    fn shapes(&self, n: usize) -> [Vec<usize>; 4] {
        let ([h, w, c], filters) = (self.image, self.w());
        let y = vec![n, filters[0], filters[1], filters[2]];
        [vec![n, h, w, c], filters.to_vec(), filters[..3].to_vec(), y]
    }
}

/// An op on these inputs, all of them given.
fn run(cpu: &Cpu, op: &Op, inputs: &[&Tensor]) -> Vec<f32> {
    let mut graph = Graph::new();
    let ids: Vec<_> = (0..inputs.len()).map(|i| graph.input(&i.to_string())).collect();
    let y = graph.op("y", op.clone(), &ids);
    graph.output(y);
    let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape().clone()).collect();
    let executable = cpu.module(Arc::new(graph)).unwrap().executable(&shapes, true).unwrap();
    executable.run(&inputs.iter().map(|x| x.data()).collect::<Vec<_>>()).unwrap().remove(0)
}

fn expected(op: &Op, inputs: &[&Tensor]) -> Vec<f32> {
    let wide = |x: &&Tensor| Tensor::<f64>::new(x.shape().clone(), x.data().iter().map(|&x| x.into()).collect());
    let inputs: Vec<_> = inputs.iter().map(wide).collect();
    op.reference(&inputs.iter().collect::<Vec<_>>()).data().iter().map(|&y| y as f32).collect()
}

/// The first images of a batch.
fn first(x: &Tensor, n: usize) -> Tensor {
    let image = x.shape().elements() / x.dims()[0];
    let dims = [&[n], &x.dims()[1..]].concat();
    Tensor::new(dims, x.data()[..n * image].to_vec())
}

/// Runs `check` on every instruction set, with one thread and with several.
fn on_every_cpu(check: impl Fn(&Cpu, &str)) {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for threads in [1, 3] {
            check(&Cpu::with_isa(threads, isa).unwrap(), &format!("{isa}, {threads} threads"));
        }
    }
}

/// Compares every batch with the reference, and what is made of an image with what the largest batch made of it.
fn check_by_image(
    op: &Op,
    batch: &[&Tensor],
    given: &[&Tensor],
    what: &str,
    order: fn(Vec<Tensor>, &[&Tensor]) -> Vec<Tensor>,
) {
    let of = |n: usize| order(batch.iter().map(|x| first(x, n)).collect(), given);
    let all = of(*BATCHES.last().unwrap());
    let exact = expected(op, &all.iter().collect::<Vec<_>>());
    on_every_cpu(|cpu, name| {
        let largest = run(cpu, op, &all.iter().collect::<Vec<_>>());
        assert_close(&format!("{what}, {name}"), &largest, &exact, Tolerance { atol: 2e-5, rtol: 1e-5 });
        for n in BATCHES {
            let inputs = of(n);
            let got = run(cpu, op, &inputs.iter().collect::<Vec<_>>());
            assert!(got.iter().zip(&largest).all(|(a, b)| a.to_bits() == b.to_bits()), "{what}, {name}, {n} images");
        }
    });
}

#[test]
fn outputs_do_not_depend_on_the_batch() {
    for layer in LAYERS {
        let mut noise = Noise::new(1);
        let [x, w, b, _] = layer.shapes(37).map(|dims| noise.signed(&dims));
        let op = LocalConv2d { stride: [layer.stride; 2], activation: Activation::Relu }.into();
        check_by_image(&op, &[&x], &[&w, &b], &format!("{layer:?}"), |mut batch, given| {
            vec![batch.remove(0), given[0].clone(), given[1].clone()]
        });
    }
}

#[test]
fn gradients_of_images_do_not_depend_on_the_batch() {
    for layer in LAYERS {
        let mut noise = Noise::new(2);
        let [x, w, _, dy] = layer.shapes(37).map(|dims| noise.signed(&dims));
        let op = LocalConv2dBwdData { stride: [layer.stride; 2] }.into();
        check_by_image(&op, &[&dy, &x], &[&w], &format!("{layer:?}"), |mut batch, given| {
            vec![batch.remove(0), given[0].clone(), batch.remove(0)]
        });
    }
}

#[test]
fn gradients_of_weights_do_not_depend_on_threads() {
    for layer in LAYERS {
        for n in BATCHES {
            let mut noise = Noise::new(3);
            let [x, w, _, dy] = layer.shapes(n).map(|dims| noise.signed(&dims));
            for (op, inputs) in [
                (Op::from(LocalConv2dBwdFilter { stride: [layer.stride; 2] }), vec![&x, &dy, &w]),
                (Op::from(LocalConv2dBwdBias), vec![&dy]),
            ] {
                let exact = expected(&op, &inputs);
                for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                    let what = format!("{} of {layer:?}, {n} images, {isa}", op.stem());
                    let [one, three] = [1, 3].map(|threads| run(&Cpu::with_isa(threads, isa).unwrap(), &op, &inputs));
                    assert_close(&what, &one, &exact, Tolerance { atol: 2e-5, rtol: 1e-5 });
                    assert!(one.iter().zip(&three).all(|(a, b)| a.to_bits() == b.to_bits()), "{what}: threads show");
                }
            }
        }
    }
}
