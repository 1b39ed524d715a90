//! Winograd's minimal filtering against the definition in f64, at odd sizes, and its promises: the batch and the threads do
//! not show.

mod common;

use std::sync::Arc;

use common::Noise;
use half::bf16;
use warpface::backend::cpu::{ConvAlgorithm, Cpu, Isa};
use warpface::ops::{Activation, Conv2d, Operator, Padding};
use warpface::{Device, Graph, Precision, Shape, Tensor};

fn noise(shape: &[usize], seed: u64) -> Tensor {
    Noise::new(seed).signed(shape)
}

/// A convolution with all that an epilogue has.
struct Case {
    x: Tensor,
    op: Conv2d,
    params: Vec<Tensor>,
    residual: Tensor,
}

impl Case {
    fn new([n, h, w, c_in]: [usize; 4], [c_out, k_h, k_w]: [usize; 3], padding: Padding) -> Self {
        let op = Conv2d::new(padding).activation(Activation::PRelu).residual(0.25);
        let filters = noise(&[c_out, k_h, k_w, c_in], 1);
        let out = Conv2d::new(padding).shape(&[&[n, h, w, c_in].into(), filters.shape(), &[c_out].into()]).unwrap();
        let residual = noise(out.dims(), 5);
        let params = vec![filters, noise(&[c_out], 2), noise(&[c_out], 3)];
        Case { x: noise(&[n, h, w, c_in], 4), op, params, residual }
    }

    /// Whose input and residual bf16 holds.
    fn narrow(self) -> Self {
        let narrow = |t: &Tensor| t.data().iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
        let x = Tensor::new(self.x.shape().clone(), narrow(&self.x));
        let residual = Tensor::new(self.residual.shape().clone(), narrow(&self.residual));
        Case { x, residual, ..self }
    }

    fn graph(&self) -> Arc<Graph> {
        let mut graph = Graph::new();
        let (x, residual) = (graph.input("x"), graph.input("residual"));
        let [w, b, alpha] = [0, 1, 2].map(|i| graph.param(["w", "b", "alpha"][i], self.params[i].clone()));
        let y = graph.op("conv", self.op.clone(), &[x, w, b, alpha, residual]);
        graph.output(y);
        Arc::new(graph)
    }

    fn run(&self, cpu: &Cpu, parallel: bool) -> Vec<f32> {
        let shapes = [self.x.shape().clone(), self.residual.shape().clone()];
        let run = cpu.module(self.graph()).unwrap().executable(&shapes, parallel).unwrap();
        warpface::backend::Executable::run(&run, &[self.x.data(), self.residual.data()]).unwrap().remove(0)
    }

    /// In bf16, each image alone or all together.
    fn run_in_bf16(&self, cpu: &Cpu, alone: bool) -> Vec<f32> {
        let device = Device::from_backend(cpu.clone());
        let module = device.backend().load_in(self.graph(), Precision::Bf16).unwrap();
        let runs = if alone { self.x.dims()[0] } else { 1 };
        let inputs = [&self.x, &self.residual];
        let part = |tensor: &Tensor| Shape::new([&[tensor.dims()[0] / runs], &tensor.dims()[1..]].concat());
        let plan = module.plan(&inputs.map(part)).unwrap();
        let run = |i: usize| {
            let of = inputs.map(|tensor| tensor.data().chunks(tensor.data().len() / runs).nth(i).unwrap());
            plan.run(&of).unwrap().remove(0)
        };
        (0..runs).flat_map(run).collect()
    }

    /// The definition, in f64.
    fn expected(&self) -> Vec<f64> {
        let all = [&self.x, &self.params[0], &self.params[1], &self.params[2], &self.residual];
        let all = all.map(|tensor| {
            Tensor::<f64>::new(tensor.shape().clone(), tensor.data().iter().map(|&x| x.into()).collect())
        });
        self.op.reference(&all.iter().collect::<Vec<_>>()).data().to_vec()
    }
}

fn isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

const SAME: Padding = Padding::Same;
const VALID: Padding = Padding::Valid;

#[test]
fn it_agrees_with_the_definition() {
    for (x, w, padding) in [
        ([1, 3, 3, 32], [32, 3, 3], VALID),
        ([2, 9, 7, 32], [40, 3, 3], SAME),
        ([3, 1, 1, 32], [33, 3, 3], SAME),
        ([1, 38, 38, 80], [192, 3, 3], VALID),
        ([5, 17, 17, 48], [100, 3, 3], SAME),
        ([3, 8, 8, 128], [128, 1, 7], SAME),
        ([3, 8, 8, 128], [128, 7, 1], SAME),
        ([2, 9, 11, 32], [49, 1, 7], VALID),
        ([2, 11, 5, 32], [64, 7, 1], VALID),
        ([1, 5, 6, 32], [32, 3, 3], Padding::Around(2)),
    ] {
        let case = Case::new(x, w, padding);
        let expected = case.expected();
        let size = (expected.iter().map(|y| y * y).sum::<f64>() / expected.len() as f64).sqrt();
        for isa in isas() {
            for algorithm in ConvAlgorithm::ALL {
                let cpu = Cpu::with_isa(2, isa).unwrap().conv(algorithm);
                for parallel in [false, true] {
                    let got = case.run(&cpu, parallel);
                    let worst = got.iter().zip(&expected).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
                    // Winograd's error is a few times the definition's, which grows with the sum's length; the worst of all
                    // values tells patches of 4 from those of 4 x 4.
                    let bound = if w[1..] == [3, 3] { 2e-5 } else { 6e-5 };
                    assert!(worst <= bound * size.max(1.0), "{isa}, {algorithm}, {x:?} by {w:?}: {worst:e} of {size}");
                }
            }
        }
    }
}

#[test]
fn between_values_in_bf16_it_keeps_filters_and_products_in_f32() {
    if !Isa::Avx512Bf16.is_available() {
        return eprintln!("SKIPPED: this machine has no AVX512-BF16");
    }
    for (x, w) in [([3, 17, 19, 48], [100, 3, 3]), ([3, 8, 8, 128], [128, 1, 7]), ([3, 8, 8, 128], [70, 7, 1])] {
        let case = Case::new(x, w, SAME).narrow();
        let expected = case.expected();
        // What rounding the output to 8 bits explains, and minimal filtering in f32; filters of 8 bits would be further off.
        let off = |got: &[f32]| {
            let far = |(&got, expected): (&f32, f64)| (f64::from(got) - expected).abs() - expected.abs() / 256.0;
            got.iter().zip(expected.iter().copied()).map(far).fold(0.0, f64::max)
        };
        let run = |threads: usize, conv: ConvAlgorithm, alone: bool| {
            case.run_in_bf16(&Cpu::new(threads).unwrap().conv(conv), alone)
        };
        let together = run(1, ConvAlgorithm::Auto, false);
        assert!(off(&together) < 1e-3, "{x:?} by {w:?}: {:e}", off(&together));
        assert!(off(&run(1, ConvAlgorithm::Direct, false)) > 3e-3, "{x:?} by {w:?}: direct");
        for threads in [1, 2, 3, 8] {
            for alone in [false, true] {
                assert!(run(threads, ConvAlgorithm::Auto, alone) == together, "{x:?} by {w:?}, {threads}, {alone}");
            }
        }
    }
}

#[test]
fn bf16_multiplies_by_the_definition_where_that_is_faster() {
    if !Isa::Avx512Bf16.is_available() {
        return eprintln!("SKIPPED: this machine has no AVX512-BF16");
    }
    for (c_in, c_out, differs) in [(64, 64, true), (64, 48, false), (32, 64, true), (192, 192, true), (256, 256, false)]
    {
        let case = Case::new([1, 7, 7, c_in], [c_out, 3, 3], SAME).narrow();
        let run = |conv| case.run_in_bf16(&Cpu::new(1).unwrap().conv(conv), false);
        let [direct, auto] = ConvAlgorithm::ALL.map(run);
        assert_eq!(direct != auto, differs, "{c_in} to {c_out}");
    }
}

#[test]
fn auto_is_another_arithmetic_where_there_are_channels_enough_and_only_there() {
    for (x, w, differs) in [
        ([1, 12, 12, 64], [64, 3, 3], true),
        ([1, 12, 12, 64], [64, 1, 7], true),
        ([1, 12, 12, 16], [64, 3, 3], false),
        ([1, 12, 12, 40], [64, 3, 3], false),
        ([1, 12, 12, 64], [16, 3, 3], false),
        ([1, 12, 12, 64], [64, 1, 1], false),
        ([1, 12, 12, 64], [64, 5, 5], false),
    ] {
        let case = Case::new(x, w, SAME);
        let [direct, auto] = ConvAlgorithm::ALL.map(|conv| case.run(&Cpu::new(1).unwrap().conv(conv), false));
        assert_eq!(direct != auto, differs, "{x:?} by {w:?}");
    }
}

#[test]
fn images_and_threads_do_not_show() {
    for (kernel, size) in [([3, 3], [17, 17]), ([3, 3], [38, 38]), ([1, 7], [8, 8]), ([7, 1], [8, 8])] {
        let n = 7;
        let case = Case::new([n, size[0], size[1], 64], [96, kernel[0], kernel[1]], SAME);
        for isa in isas() {
            let together = case.run(&Cpu::with_isa(1, isa).unwrap(), false);
            for threads in [2, 3, 8] {
                let cpu = Cpu::with_isa(threads, isa).unwrap();
                assert!(case.run(&cpu, true) == together, "{isa}, {kernel:?}, {threads} threads");
                let device = Device::from_backend(cpu);
                let module = device.backend().load(case.graph()).unwrap();
                let image = |tensor: &Tensor| Shape::new([&[1], &tensor.dims()[1..]].concat());
                let alone = module.plan(&[image(&case.x), image(&case.residual)]).unwrap();
                let parts = [&case.x, &case.residual].map(|tensor| tensor.data().chunks(tensor.data().len() / n));
                let [xs, residuals] = parts;
                for ((x, residual), expected) in xs.zip(residuals).zip(together.chunks(together.len() / n)) {
                    assert!(alone.run(&[x, residual]).unwrap()[0] == expected, "{isa}, {kernel:?}, alone");
                }
            }
        }
    }
}
