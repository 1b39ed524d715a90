//! Every op on every backend against the reference, at ordinary, odd, tail and size-1 shapes: one file for each op.
//!
//! `backend_test!` makes a test of each backend from an op's cases. A missing device skips loudly.

mod case;
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

use case::{Case, Feeding, expected, tolerance};
use common::assert_close;
use warpface::ops::Port;
use warpface::{Device, DeviceKind, Precision, Shape, Tensor};

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
