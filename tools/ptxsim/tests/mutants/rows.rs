//! Kernels whose blocks or warps take rows, and one that takes elements.

use super::*;

fn relu_bench(bench: &mut Bench) -> Vec<Output> {
    bench.aligned(&params(&[1000]), 8);
    bench.input(&whole(1000, 5, -9, 9));
    let y = bench.output::<f32>(1000);
    vec![(y, 4000)]
}

#[test]
fn relu() {
    let kernel = Kernel::new("relu.compute_75", "relu_fwd_f32", [4, 1, 1], relu_bench);
    let results = kernel.with_bugs::<f32>(&[
        change("one thread too many", "setp.ge.u64", "ge", "gt", Every(&[BOUNDS])),
        change("one element on", "ld.global.f32", "]", "+4]", Every(&[BOUNDS])),
        change("one element on", "st.global.f32", "]", "+4]", Every(&[BOUNDS])),
        change("a byte on", "ld.global.f32", "]", "+1]", Every(&[MISALIGNED])),
        less("ld.global.f32", Every(&[REGISTER])),
        less("st.global.f32", Every(&[Wrong])),
        less("setp.ge.u64", Every(&[REGISTER])),
    ]);
    results.inspect(|y| assert!(whole(1000, 5, -9, 9).iter().zip(y).all(|(x, y)| x.max(0.0) == *y)));
}

fn softmax_bench(bench: &mut Bench) -> Vec<Output> {
    bench.aligned(&params(&[9, 45]), 8);
    bench.input(&whole(9 * 45, 6, -5, 5));
    let y = bench.output::<f32>(9 * 45);
    vec![(y, 9 * 45 * 4)]
}

#[test]
fn softmax() {
    let kernel = Kernel::new("softmax.compute_75", "softmax_fwd_f32", [2, 1, 1], softmax_bench);
    let results = kernel.with_bugs::<f32>(&[
        change("one row too many", "setp.ge.u32", "ge", "gt", Of(&[(0, BOUNDS)])),
        change(
            "one element too many",
            "setp.ge.u32",
            "ge",
            "gt",
            Of(&[(1, Unseen("45 elements are no multiple of 32"))]),
        ),
        change("one element too many", "setp.lt.u32", "lt", "le", Of(&[(0, BOUNDS), (1, BOUNDS), (2, BOUNDS)])),
        change("lanes that are not there", ", -1;", "-1", "65535", Of(&[(0, UNDEFINED)])),
        less("shfl.sync", Every(&[REGISTER; 10])),
        less("max.f32", Of(&[(0, Wrong)])),
    ]);
    results.inspect(|y| y.chunks(45).for_each(|row| assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5)));
}

fn standardize_bench(bench: &mut Bench) -> Vec<Output> {
    // Images, elements of each, 1 for prewhitening, and two numbers of the other modes.
    bench.aligned(&params(&[2, 300, 1, 0, 0]), 8);
    bench.input(&whole(600, 7, 0, 255));
    let y = bench.output::<f32>(600);
    vec![(y, 2400)]
}

#[test]
fn standardize() {
    const LOCKSTEP: Verdict = Unseen("the lanes of one warp run in lockstep");
    let kernel = Kernel::new("standardize.compute_75", "standardize_fwd_f32", [2, 1, 1], standardize_bench);
    let results = kernel.with_bugs::<f32>(&[
        less(
            "bar.sync",
            Every(&[
                Unseen("nothing lies in shared memory yet"),
                MEMORY,
                RACE,
                RACE,
                LOCKSTEP,
                LOCKSTEP,
                LOCKSTEP,
                LOCKSTEP,
                LOCKSTEP,
                RACE,
                RACE,
                RACE,
                RACE,
                RACE,
                LOCKSTEP,
                LOCKSTEP,
                LOCKSTEP,
                LOCKSTEP,
                LOCKSTEP,
                RACE,
            ]),
        ),
        change("one thread too many", "setp.gt.u32", ", 127", ", 128", Of(&[(0, BOUNDS)])),
        change("one thread too few", "setp.gt.u32", ", 127", ", 126", Of(&[(0, Wrong)])),
        change("four bytes on", "ld.shared.f32", "512]", "516]", Of(&[(1, BOUNDS)])),
        change("one element too many", "setp.lt.u32", "lt", "le", Of(&[(0, BOUNDS)])),
        less("st.shared.f32", Of(&[(0, MEMORY)])),
    ]);
    results.inspect(|y| y.chunks(300).for_each(|image| assert!(image.iter().sum::<f32>().abs() < 1e-3)));
}

fn dense_bench(bench: &mut Bench) -> Vec<Output> {
    bench.aligned(&params(&[5, 37, 30, 8, 1 | 4]), 8);
    bench.input(&whole(5 * 37, 8, -2, 2));
    bench.input(&whole(37 * 32, 9, -2, 2));
    bench.input(&whole(30, 10, -2, 2));
    bench.input(&[0.25f32; 30]);
    let y = bench.output::<f32>(150);
    vec![(y, 600)]
}

#[test]
fn dense() {
    let kernel = Kernel::new("dense.compute_75", "dense_fwd_f32", [1, 1, 1], dense_bench);
    kernel.without_barriers(&[RACE, RACE]);
    let results = kernel.with_bugs::<f32>(&[
        less("bar.sync", Every(&[MEMORY, MEMORY])),
        change("one column or row too many", "setp.ge.u32", "ge", "gt", Of(&[(4, BOUNDS), (8, BOUNDS), (14, BOUNDS)])),
        change("four bytes on", "st.shared.f32", "]", "+4]", Of(&[(0, MEMORY)])),
        change("four bytes on", "st.shared.v4.f32", "2560]", "2564]", Of(&[(0, MISALIGNED)])),
        less("st.shared.f32", Of(&[(0, MEMORY), (4, MEMORY)])),
        less("xor.b32", Of(&[(0, RACE)])),
    ]);
    let (x, w, b) = (whole(5 * 37, 8, -2, 2), whole(37 * 32, 9, -2, 2), whole(30, 10, -2, 2));
    let expected: Vec<f32> = (0..150)
        .map(|i| b[i % 30] + (0..37).map(|k| x[i / 30 * 37 + k] * w[k * 32 + i % 30]).sum::<f32>())
        .map(|sum| sum.max(0.0) + 0.25 * sum.min(0.0))
        .collect();
    results.inspect(|y| assert_eq!(*y, expected));
}

fn distances_bench(bench: &mut Bench) -> Vec<Output> {
    bench.aligned(&params(&[18 * 20, 20, 70, 0]), 8);
    bench.input(&whole(18 * 70, 11, -3, 3));
    bench.input(&whole(20 * 70, 12, -3, 3));
    let y = bench.output::<f32>(18 * 20);
    vec![(y, 18 * 20 * 4)]
}

#[test]
fn pairwise_distance() {
    let kernel = Kernel::new("pairwise_distance.compute_75", "pairwise_distance_fwd_f32", [2, 2, 1], distances_bench);
    kernel.without_barriers(&[RACE, RACE]);
    let results = kernel.with_bugs::<f32>(&[
        less("bar.sync", Every(&[RACE, MEMORY])),
        change("one row too many", "setp.ge.u32", "ge", "gt", Of(&[(0, BOUNDS)])),
        change("one column too many", "setp.ge.u32", "ge", "gt", Of(&[(1, BOUNDS)])),
        change("four bytes on", "st.shared.f32", "]", "+4]", Of(&[(0, MEMORY)])),
        change("another stride", ", 33;", "33", "32", Of(&[(0, MEMORY)])),
    ]);
    let (a, b) = (whole(18 * 70, 11, -3, 3), whole(20 * 70, 12, -3, 3));
    let expected: Vec<f32> =
        (0..360).map(|i| (0..70).map(|k| (a[i / 20 * 70 + k] - b[i % 20 * 70 + k]).powi(2)).sum()).collect();
    results.inspect(|y| assert_eq!(*y, expected));
}
