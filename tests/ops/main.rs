//! Every op on every backend against the reference, at ordinary, odd, tail and size-1 shapes: one file for each op.
//!
//! `backend_test!` makes a test of each backend from an op's cases. A missing device skips loudly.

#[path = "../common/mod.rs"]
mod common;
mod gradient;
#[path = "../../src/ops/list.rs"]
mod list;
mod windows;
// Here, so that one executable is all that a short visit to a card needs.
#[path = "../seeded/mod.rs"]
mod seeded;

use std::sync::Arc;

use common::{Tolerance, assert_close};
use warpface::ops::{Cast, Op, Port};
use warpface::{Device, DeviceKind, Graph, Precision, Shape, Tensor};

/// One op on one set of inputs.
struct Case {
    name: String,
    op: Op,
    inputs: Vec<Tensor>,
    /// Which inputs a network would hold as constants.
    constants: std::ops::Range<usize>,
    /// Whether they can be nothing else.
    fixed: bool,
    /// An absolute tolerance where the op's own cannot be held.
    atol: f32,
}

/// What is fed with each run; the rest are constants.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Feeding {
    /// What is no constant of the case.
    Values,
    /// Weights too, in f32, as training keeps them.
    Weights,
    /// Everything.
    All,
}

impl Case {
    /// A case whose inputs are all computed.
    fn new(name: impl Into<String>, op: impl Into<Op>, inputs: Vec<Tensor>) -> Case {
        Case { name: name.into(), op: op.into(), inputs, constants: 0..0, fixed: false, atol: 0.0 }
    }

    /// The case with these inputs as constants.
    fn constants(self, constants: std::ops::Range<usize>) -> Case {
        Case { constants, ..self }
    }

    /// The case with inputs that only constants can be.
    fn fixed(self, constants: std::ops::Range<usize>) -> Case {
        Case { constants, fixed: true, ..self }
    }

    /// The case with an absolute tolerance of its own.
    fn atol(self, atol: f32) -> Case {
        Case { atol, ..self }
    }

    /// The graph of the op alone, and what to feed it.
    fn graph(&self, feeding: Feeding) -> (Graph, Vec<Tensor>) {
        let (mut graph, mut fed) = (Graph::new(), Vec::new());
        let mut ids = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let name = format!("input {i}");
            let is_weight = self.op.port(i) == Port::Any;
            let is_given = match feeding {
                Feeding::Values => !self.constants.contains(&i),
                Feeding::Weights => is_weight || !self.constants.contains(&i),
                Feeding::All => true,
            };
            if !is_given {
                ids.push(graph.param(&name, input.clone()));
                continue;
            }
            fed.push(input.clone());
            let id = graph.input(&name);
            let is_cast = is_weight && feeding == Feeding::Weights;
            ids.push(if is_cast { graph.op("f32", Cast { keep_f32: true }, &[id]) } else { id });
        }
        let y = graph.op(&self.name, self.op.clone(), &ids);
        graph.output(y);
        (graph, fed)
    }
}

/// How far a backend may be from the exact result of a case. In other precisions the inputs are rounded first: what is
/// left is the rounding of the result, twice for safety.
fn tolerance(case: &Case, precision: Precision) -> Tolerance {
    let Tolerance { atol, rtol } = case.op.tolerance().at_least(case.atol);
    let rounding = match precision {
        Precision::F32 | Precision::Tf32 => 0.0,
        Precision::F16 => 1.0 / 1024.0,
        Precision::Bf16 => 1.0 / 128.0,
    };
    // The smallest f16 above zero is 2^-24.
    Tolerance { atol: atol + rounding * 1e-4, rtol: rtol + rounding }
}

/// What a backend is compared with: the reference in f64, or, where values must be equal, in f32.
fn expected(op: &Op, graph: &Graph, fed: &[Tensor]) -> Result<Tensor, warpface::Error> {
    if op.tolerance() == Tolerance::EXACT {
        return Ok(graph.reference(fed)?.remove(0));
    }
    let wide = |x: &Tensor| Tensor::<f64>::new(x.shape().clone(), x.data().iter().map(|&x| x.into()).collect());
    let y = graph.reference(&fed.iter().map(wide).collect::<Vec<_>>())?.remove(0);
    Ok(Tensor::new(y.shape().clone(), y.data().iter().map(|&y| y as f32).collect()))
}

/// A value as a precision stores or multiplies it.
fn rounded(x: f32, precision: Precision) -> f32 {
    match precision {
        Precision::F32 => x,
        Precision::Tf32 => f32::from_bits((x.to_bits() + 0x1000) & !0x1fff),
        Precision::F16 => half::f16::from_f32(x).to_f32(),
        Precision::Bf16 => half::bf16::from_f32(x).to_f32(),
    }
}

/// Runs every case on a device, constants given and, in f32, constants fed, and compares with the reference.
fn check(device: Option<Device>, precision: Precision, cases: Vec<Case>) {
    let Some(device) = device else { return };
    assert!(!cases.is_empty());
    for mut case in cases {
        for input in &mut case.inputs {
            let values = input.data().iter().map(|&x| rounded(x, precision)).collect();
            *input = Tensor::new(input.shape().clone(), values);
        }
        let has_weights = case.constants.clone().any(|i| case.op.port(i) == Port::Any);
        for feeding in [Feeding::Values, Feeding::Weights, Feeding::All] {
            let is_of_case = match feeding {
                Feeding::Values => true,
                Feeding::Weights => has_weights,
                Feeding::All => !case.fixed && !case.constants.is_empty() && precision == Precision::F32,
            };
            if !is_of_case {
                continue;
            }
            let (graph, fed) = case.graph(feeding);
            let expected = expected(&case.op, &graph, &fed).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let shapes: Vec<Shape> = fed.iter().map(|x| x.shape().clone()).collect();
            let inputs: Vec<&[f32]> = fed.iter().map(|x| x.data()).collect();
            let run = || {
                let executable = device.backend().load_in(Arc::new(graph.clone()), precision)?.plan(&shapes)?;
                Ok::<_, warpface::Error>([executable.run(&inputs)?, executable.run(&inputs)?])
            };
            let what = format!("{} {precision} {feeding:?} {} {}", device.info().name, case.op.stem(), case.name);
            let stored_in_f32 = matches!(precision, Precision::F32 | Precision::Tf32);
            if case.op.f32_alone() && !stored_in_f32 {
                let error = run().expect_err("there is no such kernel").to_string();
                assert!(error.contains("no kernel"), "{what}: {error}");
                continue;
            }
            let [first, again] = run().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_close(&what, &first[0], expected.data(), tolerance(&case, precision));
            let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&first[0]), bits(&again[0]), "{what}: a second run differs");
        }
    }
}

/// The CPU, if it has bf16.
fn cpu_bf16() -> Option<Device> {
    let device = common::device(DeviceKind::Cpu)?;
    common::precisions(&device).contains(&Precision::Bf16).then_some(device)
}

/// In every precision that the GPU at hand has.
fn check_cuda(cases: fn() -> Vec<Case>) {
    let Some(device) = common::device(DeviceKind::Cuda) else { return };
    for precision in common::precisions(&device) {
        check(Some(device.clone()), precision, cases());
    }
}

/// A test of each backend from a function that lists an op's cases. Ops that multiply matrices are simulated on each
/// generation of the units that do so.
macro_rules! backend_test {
    ($cases:ident) => {
        #[test]
        fn cpu() {
            crate::check(crate::common::device(warpface::DeviceKind::Cpu), warpface::Precision::F32, $cases());
        }

        #[test]
        fn cpu_bf16() {
            crate::check(crate::cpu_bf16(), warpface::Precision::Bf16, $cases());
        }

        #[test]
        fn wgpu() {
            crate::check(crate::common::device(warpface::DeviceKind::Wgpu), warpface::Precision::F32, $cases());
        }

        #[test]
        fn cuda() {
            crate::check_cuda($cases);
        }

        crate::simulated_test! { $cases: ptxsim_f32 (7, 5) F32, ptxsim_f16 (8, 0) F16, ptxsim_bf16 (8, 0) Bf16 }
    };
    ($cases:ident, tensor_cores) => {
        backend_test!($cases);
        crate::simulated_test! {
            $cases: ptxsim_turing_f16 (7, 5) F16, ptxsim_tf32 (8, 0) Tf32, ptxsim_hopper_f16 (9, 0) F16,
            ptxsim_hopper_bf16 (9, 0) Bf16
        }
    };
}

macro_rules! simulated_test {
    ($cases:ident: $($name:ident $capability:tt $precision:ident),+) => {
        $(#[test]
        fn $name() {
            let device = crate::common::simulated::device($capability);
            crate::check(Some(device), warpface::Precision::$precision, $cases());
        })+
    };
}
use simulated_test;

macro_rules! modules {
    ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
        $(mod $stem;)+
    };
}

list::for_each_op!(modules);
