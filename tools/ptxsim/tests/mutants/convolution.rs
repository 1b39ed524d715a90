//! conv2d in its forms, on one convolution: 3 x 3 taps, padding of one, 40 channels, so that stages of 32 do not fit.

use super::*;
use half::f16;
use ptxsim::model::swizzle::Swizzle;
use ptxsim::model::tensor_map::{DataType, Tensor, encode_im2col, encode_tiled};

const SIDE: usize = 12;
const C_IN: usize = 40;
const K: usize = 9 * C_IN;
const PIXELS: usize = SIDE * SIDE;
const SCALE: f32 = 0.5;

fn x() -> Vec<f32> {
    whole(PIXELS * C_IN, 1, -2, 2)
}

/// `[c_out, K]`
fn w(c_out: usize) -> Vec<f32> {
    whole(c_out * K, 2, -1, 1)
}

fn bias(c_out: usize) -> Vec<f32> {
    whole(c_out, 3, -3, 3)
}

fn residual(c_out: usize) -> Vec<f32> {
    whole(PIXELS * c_out, 4, -2, 2)
}

/// Values so small that no sum is rounded.
fn expected(c_out: usize) -> Vec<f32> {
    let (x, w, bias, residual) = (x(), w(c_out), bias(c_out), residual(c_out));
    let mut y = Vec::with_capacity(PIXELS * c_out);
    for pixel in 0..PIXELS {
        for o in 0..c_out {
            let mut sum = bias[o];
            for tap in 0..9 {
                let (row, column) = (pixel / SIDE + tap / 3, pixel % SIDE + tap % 3);
                if !(1..=SIDE).contains(&row) || !(1..=SIDE).contains(&column) {
                    continue;
                }
                let from = ((row - 1) * SIDE + column - 1) * C_IN;
                sum += (0..C_IN).map(|c| x[from + c] * w[o * K + tap * C_IN + c]).sum::<f32>();
            }
            let value = SCALE * sum + residual[pixel * c_out + o];
            y.push(value.max(0.0) + 0.25 * value.min(0.0));
        }
    }
    y
}

/// Bias, slopes and residual; `columns` as the kernel's filters want it.
fn conv2d_params(c_out: usize, columns: usize) -> Vec<u8> {
    let (side, c_in, c_out) = (SIDE as u32, C_IN as u32, c_out as u32);
    let [pixels, columns, scale] = [PIXELS as u32, columns as u32, SCALE.to_bits()];
    params(&[side, side, c_in, side, side, c_out, 1, 1, 1, 1, 3, 3, c_in, pixels, columns, 0, c_out, 1 | 4 | 8, scale])
}

/// Constants and output, behind input and filters.
fn rest<T: bytemuck::Pod>(bench: &mut Bench, c_out: usize, store: fn(f32) -> T) -> Vec<Output> {
    bench.input(&bias(c_out));
    bench.input(&vec![0.25f32; c_out]);
    bench.input(&stored(&residual(c_out), store));
    vec![(bench.output::<T>(PIXELS * c_out), PIXELS * c_out * size_of::<T>())]
}

pub(super) fn stored<T>(values: &[f32], store: fn(f32) -> T) -> Vec<T> {
    values.iter().copied().map(store).collect()
}

/// Filters in columns: `[K, c_out]`, c_out a multiple of four.
fn in_columns(bench: &mut Bench, c_out: usize) -> Vec<Output> {
    let w = w(c_out);
    let transposed: Vec<f32> = (0..K * c_out).map(|i| w[i % c_out * K + i / c_out]).collect();
    bench.aligned(&conv2d_params(c_out, c_out / 4), 8);
    bench.input(&x());
    bench.input(&transposed);
    rest(bench, c_out, |x| x)
}

fn in_rows(bench: &mut Bench) -> Vec<Output> {
    bench.aligned(&conv2d_params(24, K), 8);
    bench.input(&stored(&x(), half));
    bench.input(&stored(&w(24), half));
    rest(bench, 24, half)
}

fn by_tma(bench: &mut Bench) -> Vec<Output> {
    bench.aligned(&conv2d_params(24, K), 8);
    let (x, w) = (bench.buffer(&stored(&x(), half)), bench.buffer(&stored(&w(24), half)));
    let tensor = Tensor {
        data_type: DataType::F16,
        address: x,
        dims: &[C_IN as u64, SIDE as u64, SIDE as u64, 1],
        strides: &[C_IN, SIDE * C_IN, PIXELS * C_IN].map(|stride| 2 * stride as u64),
        element_strides: &[1; 4],
        swizzle: Swizzle::B64,
    };
    bench.arg(&encode_im2col(tensor, [&[-1, -1], &[-1, -1]], 32, 128).unwrap());
    let tensor =
        Tensor { address: w, dims: &[K as u64, 24], strides: &[2 * K as u64], element_strides: &[1; 2], ..tensor };
    bench.arg(&encode_tiled(tensor, &[32, 32]).unwrap());
    rest(bench, 24, half)
}

pub(super) fn half(x: f32) -> u16 {
    f16::from_f32(x).to_bits()
}

fn as_f32(halves: &[u16]) -> Vec<f32> {
    halves.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect()
}

#[test]
fn narrow() {
    let kernel = Kernel {
        file: "conv2d.compute_75",
        entry: "conv2d_fwd_narrow_f32",
        grid: [2, 1, 1],
        threads: 128,
        shared: 0,
        bench: |bench| in_columns(bench, 12),
    };
    kernel.without_barriers(&[RACE, RACE]);
    let results = kernel.with_bugs::<f32>(&[
        less("bar.sync", Every(&[RACE, MEMORY])),
        change("one filter row too many", "setp.ge.u32", "ge", "gt", Of(&[(0, BOUNDS)])),
        change("four bytes on", "st.shared.v4.f32", "]", "+4]", Of(&[(0, MISALIGNED)])),
        change("sixteen bytes on", "st.shared.v4.f32", "]", "+16]", Of(&[(1, BOUNDS)])),
        change("sixteen bytes on", "ld.shared.v4.f32", "]", "+16]", Of(&[(16, Wrong)])),
        less("st.shared.v4.f32", Of(&[(1, MEMORY)])),
        change("another element", "ld.global.nc.v4.f32", "]", "+16]", Of(&[(1, BOUNDS)])),
    ]);
    results.inspect(|y| assert_eq!(*y, expected(12)));
}

#[test]
fn tile() {
    let kernel = Kernel {
        file: "conv2d.compute_75",
        entry: "conv2d_fwd_tile_f32",
        grid: [2, 1, 1],
        threads: 256,
        shared: 0,
        bench: |bench| in_columns(bench, 24),
    };
    kernel.without_barriers(&[RACE, RACE]);
    let results = kernel.with_bugs::<f32>(&[
        less("bar.sync", Every(&[MEMORY, MEMORY])),
        change("four bytes on", "st.shared.f32", "]", "+4]", Of(&[(0, RACE)])),
        change("sixteen bytes on", "ld.shared.v4.f32", "]", "+16]", Of(&[(0, Wrong)])),
        less("st.shared.f32", Of(&[(0, MEMORY)])),
        change("fours of the next row", "xor.b32", "xor", "or", Every(&[RACE])),
        change("one k too many", "setp.lt.u32", "lt", "le", Of(&[(2, BOUNDS)])),
    ]);
    results.inspect(|y| assert_eq!(*y, expected(24)));
}

#[test]
fn mma_of_turing() {
    let kernel = Kernel::new("conv2d.compute_75", "conv2d_fwd_mma_n32_f16", [2, 1, 1], in_rows);
    kernel.without_barriers(&[RACE]);
    let results = kernel.with_bugs::<u16>(&[
        less("bar.sync", Every(&[MEMORY])),
        change("transposed", "ldmatrix", ".x4.shared", ".x4.trans.shared", Of(&[(0, Wrong), (2, Wrong)])),
        less("ldmatrix", Of(&[(0, REGISTER), (5, REGISTER)])),
    ]);
    results.inspect(|y| assert_eq!(as_f32(y), expected(24)));
}

#[test]
fn mma_of_ampere() {
    const NO_CHANNELS: Verdict = Unseen("there are 24 channels, and these are the last 8 of 32");
    let kernel = Kernel::new("conv2d.compute_80", "conv2d_fwd_mma_n32_f16", [2, 1, 1], in_rows);
    kernel.without_barriers(&[RACE]);
    let results = kernel.with_bugs::<u16>(&[
        less("bar.sync", Every(&[MEMORY])),
        less("cp.async.wait_group", Every(&[ASYNC])),
        change("one group more under way", "cp.async.wait_group", "1", "2", Every(&[ASYNC])),
        less("cp.async.commit_group", Every(&[ASYNC, ASYNC, ASYNC])),
        less("cp.async.cg", Every(&[MEMORY; 9])),
        change(
            "sixteen bytes on",
            "cp.async.cg",
            "]",
            "+16]",
            Every(&[RACE, RACE, ASYNC, ASYNC, ASYNC, ASYNC, ASYNC, ASYNC, BOUNDS]),
        ),
        change("padding that is read", ", 0, 16,", " 0, ", " 16, ", Every(&[Wrong; 6])),
        change(
            "filters past the last",
            ", 16, 0,",
            " 0, ",
            " 16, ",
            Every(&[Unseen("what they are multiplied with is zero, or not kept"); 3]),
        ),
        change("transposed", "ldmatrix", ".x4.shared", ".x4.trans.shared", Every(&[Wrong; 6])),
        change("eight bytes on", "ldmatrix", "];", "+8];", Of(&[(0, MISALIGNED)])),
        change(
            "parts are not exchanged alike",
            "xor.b32",
            "xor",
            "or",
            Of(&[(0, ASYNC), (8, Wrong), (9, Wrong), (10, Wrong), (11, Wrong)]),
        ),
        less("mma.sync", Every(&[Wrong, Wrong, Wrong, NO_CHANNELS, Wrong, Wrong, Wrong, NO_CHANNELS])),
        less("ldmatrix", Every(&[REGISTER; 6])),
    ]);
    results.inspect(|y| assert_eq!(as_f32(y), expected(24)));
}

#[test]
fn wgmma() {
    let kernel = Kernel {
        file: "conv2d.sm_90a",
        entry: "sm90_conv2d_fwd_wgmma_n32k32_f16",
        grid: [2, 1, 1],
        threads: 384,
        shared: 4 * (128 + 32) * 64 + 1088,
        bench: by_tma,
    };
    let own = [
        less("mbarrier.init", Every(&[MBARRIER; 8])),
        change("twice the arrivals needed", ", 8;", "8;", "16;", Of(&[(0, DEADLOCK)])),
        change("no loop around a wait", "bra WAIT;", "bra WAIT", "bra OVER", Every(&[ASYNC, MBARRIER])),
        change("phase 0 for ever", ", 1;", ", 1;", ", 0;", Of(&[(1, ASYNC), (4, MBARRIER)])),
        change("fewer bytes expected", ", 10240;", "10240", "10224", Of(&[(1, MBARRIER)])),
        change("more bytes expected", ", 10240;", "10240", "10256", Of(&[(1, DEADLOCK)])),
        less("cp.async.bulk.tensor.4d", Every(&[DEADLOCK])),
        change("one group under way", "wgmma.wait_group", "0;", "1;", Every(&[ASYNC])),
        less("wgmma.mma_async", Every(&[Wrong; 2])),
        change("taps exchanged", "{%rs2, %rs1}", "{%rs2, %rs1}", "{%rs1, %rs2}", Of(&[(0, Wrong)])),
        change(
            "another swizzle",
            "-9223371899415756800",
            "-9223371899415756800",
            "4611686155866406912",
            Every(&[Wrong, ASYNC]),
        ),
        change(
            "more registers than there are",
            "setmaxnreg.inc",
            "72",
            "80",
            Every(&[Unseen("registers are not counted")]),
        ),
        less("setmaxnreg", Every(&[Unseen("registers are not counted"); 2])),
    ];
    let results = kernel.with_bugs::<u16>(&[&PIPELINE[..], &own].concat());
    results.inspect(|y| assert_eq!(as_f32(y), expected(24)));
}
