//! Everything at once: TMA loads, full and empty mbarriers, products in flight across iterations.

use super::*;
use ptxsim::model::swizzle::Swizzle;
use ptxsim::model::tensor_map::{DataType, Tensor, encode_tiled};
use ptxsim::num::{Format, Rounding, Saturation};

const PTX: &str = include_str!("../kernels/pipeline.ptx");

fn at(operand: usize, row: usize, l: usize) -> i32 {
    ((row * (3 + operand) + l * 5) % 7) as i32 - 3
}

fn run(edits: &[(&str, &str)], steps: usize) -> Result<Vec<f32>, Fault> {
    let k = 64 * steps;
    let mut bench = Bench::new();
    for operand in 0..2 {
        let values: Vec<u16> = (0..64 * k)
            .map(|i| f64::from(at(operand, i / k, i % k)))
            .map(|x| Format::F16.encode(x, Rounding::NearestEven, Saturation::default()) as u16)
            .collect();
        let address = bench.buffer(&values);
        let tensor = Tensor {
            data_type: DataType::F16,
            address,
            dims: &[k as u64, 64],
            strides: &[2 * k as u64],
            element_strides: &[1, 1],
            swizzle: Swizzle::B128,
        };
        bench.arg(&encode_tiled(tensor, &[64, 64]).unwrap());
    }
    let out = bench.output::<f32>(4096);
    bench.arg(&(steps as u32).to_le_bytes());
    let module = kernel(PTX, edits);
    let launch = Launch { grid: [1; 3], block: [160, 1, 1], shared: 65536, args: &bench.args.clone() };
    let mut args = bench.args.clone();
    args.resize(module.entry("gemm").unwrap().params_bytes, 0);
    bench.machine.launch(&module, "gemm", &Launch { args: &args, ..launch })?;
    Ok(bench.read(out, 4096))
}

#[test]
fn multiplies_through_the_stages() {
    for steps in [1, 4, 11] {
        let d = run(&[], steps).unwrap();
        for (i, got) in d.into_iter().enumerate() {
            let want: i32 = (0..64 * steps).map(|l| at(0, i / 64, l) * at(1, i % 64, l)).sum();
            assert_eq!(got, want as f32, "{steps} steps, ({}, {})", i / 64, i % 64);
        }
    }
}

#[test]
fn a_stage_given_back_too_early() {
    // The product of the stage before may still read it when the next copy overwrites it.
    let result = run(&[("wgmma.wait_group.sync.aligned 1;", "")], 11);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &["cp.async.bulk.tensor", "wgmma.mma_async"]);
}

#[test]
fn a_stage_never_given_back() {
    let result = run(&[("mbarrier.arrive.shared::cta.b64 _,", "//")], 11);
    assert_fault(result.map(drop), FaultKind::Deadlock, &["of 128 arrivals"]);
}
