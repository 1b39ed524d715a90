//! TMA, `cp.async.bulk.tensor`: tiled both ways, im2col.

use super::*;
use ptxsim::model::swizzle::Swizzle;
use ptxsim::model::tensor_map::{DataType, Tensor, encode_im2col, encode_tiled};

const PTX: &str = include_str!("../kernels/tma.ptx");
const IM2COL: &str = include_str!("../kernels/im2col.ptx");
const WIDTH: usize = 40;
const HEIGHT: usize = 10;

/// Doubles the 32 x 8 tile at (x, y) of a 40 x 10 image into another; gives the other image.
fn run(edits: &[(&str, &str)], swizzle: Swizzle, [x, y]: [i32; 2]) -> Result<Vec<f32>, Fault> {
    let mut bench = Bench::new();
    let image: Vec<f32> = (0..WIDTH * HEIGHT).map(|i| i as f32).collect();
    let from = bench.buffer(&image);
    let to = bench.buffer(&vec![-1f32; WIDTH * HEIGHT]);
    for address in [from, to] {
        let tensor = Tensor {
            data_type: DataType::F32,
            address,
            dims: &[WIDTH as u64, HEIGHT as u64],
            strides: &[4 * WIDTH as u64],
            element_strides: &[1, 1],
            swizzle,
        };
        bench.arg(&encode_tiled(tensor, &[32, 8]).unwrap());
    }
    bench.arg(&x.to_le_bytes()).arg(&y.to_le_bytes());
    bench.run(&kernel(PTX, edits), "tma", 256)?;
    Ok(bench.read(to, WIDTH * HEIGHT))
}

#[test]
fn a_tile_in_and_out() {
    for swizzle in [Swizzle::None, Swizzle::B128] {
        for [x, y] in [[0, 0], [8, 2], [-5, -3], [20, 7], [100, 0]] {
            let got = run(&[], swizzle, [x, y]).unwrap();
            for (i, got) in got.into_iter().enumerate() {
                let (column, row) = ((i % WIDTH) as i32, (i / WIDTH) as i32);
                let inside = (x..x + 32).contains(&column) && (y..y + 8).contains(&row);
                assert_eq!(got, if inside { 2.0 * i as f32 } else { -1.0 }, "{swizzle:?} {x} {y}: {column} {row}");
            }
        }
    }
}

fn fault(edits: &[(&str, &str)], kind: FaultKind, says: &[&str]) {
    assert_fault(run(edits, Swizzle::None, [0, 0]).map(drop), kind, says);
}

#[test]
fn a_missing_wait() {
    let (copy, load) = (line_of(PTX, "cp.async.bulk.tensor.2d.shared"), line_of(PTX, "ld.shared"));
    fault(&[("@!%p1 bra WAIT;", "")], FaultKind::AsyncHazard, &[&copy, &load]);
}

#[test]
fn the_wrong_parity() {
    fault(&[("%p1, [%r2], 0", "%p1, [%r2], 1")], FaultKind::AsyncHazard, &["cp.async.bulk.tensor"]);
}

#[test]
fn byte_counts_that_disagree() {
    fault(&[("[%r2], 1024", "[%r2], 1008")], FaultKind::Mbarrier, &["16 more bytes"]);
    fault(&[("[%r2], 1024", "[%r2], 1040")], FaultKind::Deadlock, &["16 bytes"]);
}

#[test]
fn missing_proxy_fences() {
    fault(
        &[("fence.proxy.async.shared::cta; // after the stores", "")],
        FaultKind::AsyncHazard,
        &["fence.proxy.async"],
    );
    fault(&[("fence.proxy.async.shared::cta;\nREADY", "\nREADY")], FaultKind::AsyncHazard, &["mbarrier", "fence"]);
}

#[test]
fn a_store_whose_source_is_overwritten() {
    let edits = [("cp.async.bulk.wait_group.read 0;", "st.shared.f32 [%r5], %f0;\n\tcp.async.bulk.wait_group.read 0;")];
    fault(&edits, FaultKind::AsyncHazard, &[&line_of(PTX, "cp.async.bulk.tensor.2d.global")]);
}

#[test]
fn a_store_never_awaited() {
    fault(&[("cp.async.bulk.wait_group.read 0;", "")], FaultKind::AsyncHazard, &["exit"]);
}

#[test]
fn a_misaligned_tile() {
    fault(&[("[%r1], [%rd0", "[%r1+64], [%rd0")], FaultKind::Misaligned, &["128"]);
}

#[test]
fn something_that_is_no_map() {
    let mut bench = Bench::new();
    bench.arg(&[0; 128]).arg(&[0; 128]).arg(&[0; 4]).arg(&[0; 4]);
    let result = bench.run(&kernel(PTX, &[]), "tma", 256);
    assert_fault(result, FaultKind::Descriptor, &["not a tensor map"]);
}

#[test]
fn a_map_over_freed_memory() {
    let mut bench = Bench::new();
    let address = bench.buffer(&[0f32; 256]);
    let tensor = Tensor {
        data_type: DataType::F32,
        address,
        dims: &[32, 9],
        strides: &[128],
        element_strides: &[1, 1],
        swizzle: Swizzle::None,
    };
    // The map says 9 rows, the buffer has 8.
    let map = encode_tiled(tensor, &[32, 8]).unwrap();
    bench.arg(&map).arg(&map).arg(&[0; 4]).arg(&1u32.to_le_bytes());
    assert_fault(bench.run(&kernel(PTX, &[]), "tma", 256), FaultKind::OutOfBounds, &["cp.async.bulk.tensor"]);
}

#[test]
fn im2col_reads_a_convolution() {
    let [n, h, w, c] = [2usize, 4, 5, 24];
    let image: Vec<u16> = (0..n * h * w * c).map(|i| i as u16 + 1).collect();
    let run = |start: [i32; 3], tap: [u16; 2]| {
        let mut bench = Bench::new();
        let address = bench.buffer(&image);
        let tensor = Tensor {
            data_type: DataType::U16,
            address,
            dims: &[c as u64, w as u64, h as u64, n as u64],
            strides: &[2 * c as u64, 2 * (c * w) as u64, 2 * (c * w * h) as u64],
            element_strides: &[1; 4],
            swizzle: Swizzle::None,
        };
        // A 3 x 3 filter with a border of 1.
        bench.arg(&encode_im2col(tensor, [&[-1, -1], &[-1, -1]], 16, 8).unwrap());
        let out = bench.output::<u16>(128);
        for value in [8, start[0], start[1], start[2], tap[0].into(), tap[1].into()] {
            bench.arg(&i32::to_le_bytes(value));
        }
        bench.run(&kernel(IM2COL, &[]), "im2col", 64).map(|()| bench.read::<u16>(out, 128))
    };
    for first in [0, 3, 17, 36] {
        for (s, r) in [(0, 0), (1, 2), (2, 1)] {
            let pixel = |p: usize| [p % w, p / w % h, p / w / h].map(|x| x as i32);
            let [x, y, image_number] = pixel(first);
            let got = run([x - 1, y - 1, image_number], [s, r]).unwrap();
            for p in 0..8 {
                let [x, y, b] = pixel(first + p);
                let (x, y) = (x - 1 + i32::from(s), y - 1 + i32::from(r));
                let inside = (0..w as i32).contains(&x) && (0..h as i32).contains(&y) && b < n as i32;
                for channel in 0..16 {
                    let at = ((b * h as i32 + y) * w as i32 + x) as i64 * c as i64 + 8 + channel as i64;
                    let want = if inside { image[at as usize] } else { 0 };
                    assert_eq!(got[p * 16 + channel], want, "pixel {} tap ({s}, {r}) channel {channel}", first + p);
                }
            }
        }
    }
    assert_fault(run([4, 0, 0], [0, 0]).map(drop), FaultKind::Descriptor, &["bounding box"]);
}
