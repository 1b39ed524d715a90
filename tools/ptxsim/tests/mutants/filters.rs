//! The gradient of filters in Hopper's form: 3 x 3 taps over 40 channels, which are two boxes of 32, and 24 outputs; pixels in
//! two chunks, the first of more stages than slots, the second shorter than one.

use super::convolution::{half, stored};
use super::*;
use ptxsim::model::swizzle::Swizzle;
use ptxsim::model::tensor_map::{DataType, Tensor, encode_im2col, encode_tiled};

const SIDE: usize = 12;
const IMAGES: usize = 3;
const PIXELS: usize = IMAGES * SIDE * SIDE;
const CHUNK: usize = 384;
const C_IN: usize = 40;
const C_OUT: usize = 24;
const K: usize = 9 * C_IN;

fn x() -> Vec<f32> {
    whole(PIXELS * C_IN, 1, -2, 2)
}

fn dy() -> Vec<f32> {
    whole(PIXELS * C_OUT, 2, -2, 2)
}

/// `[chunks, C_OUT, K]`; values so small that no sum is rounded.
fn expected() -> Vec<f32> {
    let (x, dy) = (x(), dy());
    let mut partial = vec![0.0; 2 * C_OUT * K];
    for pixel in 0..PIXELS {
        let (image, row, column) = (pixel / (SIDE * SIDE), pixel / SIDE % SIDE, pixel % SIDE);
        for tap in 0..9 {
            let (row, column) = (row + tap / 3, column + tap % 3);
            if !(1..=SIDE).contains(&row) || !(1..=SIDE).contains(&column) {
                continue;
            }
            let from = ((image * SIDE + row - 1) * SIDE + column - 1) * C_IN;
            for o in 0..C_OUT {
                let to = (pixel / CHUNK * C_OUT + o) * K + tap * C_IN;
                for c in 0..C_IN {
                    partial[to + c] += dy[pixel * C_OUT + o] * x[from + c];
                }
            }
        }
    }
    partial
}

fn by_tma(bench: &mut Bench) -> Vec<Output> {
    let words = [SIDE, SIDE, C_IN, SIDE, SIDE, C_OUT, 3, 1, 1, 1, 1, K, PIXELS, CHUNK, 2].map(|word| word as u32);
    bench.aligned(&params(&words), 8);
    let (x, dy) = (bench.buffer(&stored(&x(), half)), bench.buffer(&stored(&dy(), half)));
    let tensor = Tensor {
        data_type: DataType::F16,
        address: x,
        dims: &[C_IN, SIDE, SIDE, IMAGES].map(|extent| extent as u64),
        strides: &[C_IN, SIDE * C_IN, SIDE * SIDE * C_IN].map(|stride| 2 * stride as u64),
        element_strides: &[1; 4],
        swizzle: Swizzle::B64,
    };
    bench.arg(&encode_im2col(tensor, [&[-1, -1], &[-1, -1]], 32, 64).unwrap());
    let tensor = Tensor {
        address: dy,
        dims: &[C_OUT, PIXELS].map(|extent| extent as u64),
        strides: &[2 * C_OUT as u64],
        element_strides: &[1; 2],
        ..tensor
    };
    bench.arg(&encode_tiled(tensor, &[32, 64]).unwrap());
    let partial = (bench.output::<f32>(2 * C_OUT * K), 8 * C_OUT * K);
    bench.arg(&[0; 8]);
    vec![partial]
}

#[test]
fn wgmma() {
    let kernel = Kernel {
        file: "conv2d_bwd_filter.sm_90a",
        entry: "sm90_conv2d_bwd_filter_wgmma_n32c32_f16",
        grid: [5, 1, 2],
        threads: 384,
        shared: 4 * (128 + 32) * 128 + 1088,
        bench: by_tma,
    };
    let own = [
        change("fewer bytes expected", ", 20480;", "20480", "20464", Of(&[(0, ASYNC)])),
        less("cp.async.bulk.tensor.4d", Every(&[DEADLOCK; 4])),
        change("a box where another lies", ", 8192;", "8192", "4096", Of(&[(0, ASYNC)])),
        change("taps exchanged", "{%rs7, %rs8}", "{%rs7, %rs8}", "{%rs8, %rs7}", Of(&[(0, Wrong)])),
        less("wgmma.mma_async", Every(&[Wrong; 4])),
        change("x is not transposed", "wgmma.mma_async", "1, 1, 1, 1;", "1, 1, 0, 1;", Every(&[Wrong; 4])),
        change(
            "dy is not transposed",
            "wgmma.mma_async",
            "1, 1, 1, 1;",
            "1, 1, 1, 0;",
            Every(&[Wrong, Wrong, Wrong, ASYNC]),
        ),
        change("another sixteen pixels", "add.s64", ", 64;", ", 32;", Of(&[(0, Wrong), (1, Wrong)])),
        change(
            "boxes half as long",
            "-9223371899399045120",
            "-9223371899399045120",
            "-9223371899407433728",
            Every(&[Wrong, Unseen("dy is one box")]),
        ),
        change(
            "eight pixels twice as long",
            "-9223371899399045120",
            "-9223371899399045120",
            "-9223371761960091648",
            Every(&[Wrong, ASYNC]),
        ),
        change(
            "another swizzle",
            "-9223371899399045120",
            "-9223371899399045120",
            "4611686293322072064",
            Every(&[Wrong, ASYNC]),
        ),
    ];
    let results = kernel.with_bugs::<f32>(&[&PIPELINE[..], &own].concat());
    results.inspect(|partial| assert_eq!(*partial, expected()));
}
