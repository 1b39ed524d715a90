//! `wgmma`, its waits and fences, `setmaxnreg`.

use super::*;
use ptxsim::model::descriptor::Descriptor;
use ptxsim::model::swizzle::Swizzle;
use ptxsim::num::{Format, Rounding, Saturation};

const PTX: &str = include_str!("../kernels/wgmma.ptx");
const FENCE: &str = "fence.proxy.async.shared::cta;";

fn a_at(i: usize, l: usize) -> i32 {
    ((i * 3 + l) % 7) as i32 - 3
}

fn b_at(l: usize, j: usize) -> i32 {
    ((l * 5 + 2 * j) % 9) as i32 - 4
}

/// Core matrices of 8 rows of 16 bytes, [k / 8][row / 8].
fn core_matrices(rows: usize, at: impl Fn(usize, usize) -> i32) -> Vec<u16> {
    let mut out = vec![0; rows * 16];
    for row in 0..rows {
        for l in 0..16 {
            let place = (l / 8 * (rows / 8) + row / 8) * 64 + row % 8 * 8 + l % 8;
            out[place] = Format::F16.encode(f64::from(at(row, l)), Rounding::NearestEven, Saturation::default()) as u16;
        }
    }
    out
}

const A: Descriptor = Descriptor { start: 0, leading: 1024, stride: 128, swizzle: Swizzle::None };
const B: Descriptor = Descriptor { start: 2048, leading: 256, stride: 128, swizzle: Swizzle::None };

fn run_with(edits: &[(&str, &str)], a: u64, b: u64, threads: u32) -> Result<Vec<f32>, Fault> {
    let mut bench = Bench::new();
    let mut tile = core_matrices(64, a_at);
    tile.extend(core_matrices(16, |j, l| b_at(l, j)));
    bench.input(&tile);
    let out = bench.output::<f32>(1024);
    bench.arg(&a.to_le_bytes()).arg(&b.to_le_bytes());
    bench.run(&kernel(PTX, edits), "wgmma", threads)?;
    Ok(bench.read(out, 1024))
}

fn run(edits: &[(&str, &str)]) -> Result<Vec<f32>, Fault> {
    run_with(edits, A.encode(), B.encode(), 128)
}

#[track_caller]
fn check(d: &[f32], start: i32, sign: i32) {
    for thread in 0..128 {
        for r in 0..8 {
            let i = thread / 32 * 16 + thread % 32 / 4 + 8 * (r / 2 % 2);
            let j = 8 * (r / 4) + thread % 4 * 2 + r % 2;
            let want = start + sign * (0..16).map(|l| a_at(i, l) * b_at(l, j)).sum::<i32>();
            assert_eq!(d[thread * 8 + r], want as f32, "({i}, {j})");
        }
    }
}

#[test]
fn multiplies() {
    check(&run(&[]).unwrap(), 1, 1);
    check(&run(&[("%p0, 1, 1, 0, 0", "%p0, 1, -1, 0, 0")]).unwrap(), 1, -1);
    check(&run(&[("setp.eq.u32", "setp.ne.u32")]).unwrap(), 0, 1);
}

#[test]
fn transposed() {
    // Core matrices of 8 k, each a row of 16 bytes: as if rows and k had been exchanged within each.
    let across = |rows: usize, at: fn(usize, usize) -> i32| {
        core_matrices(rows, |row, l| at(row / 8 * 8 + l % 8, l / 8 * 8 + row % 8))
    };
    let mut tile = across(64, a_at);
    tile.extend(across(16, |j, l| b_at(l, j)));
    let multiplied = |trans: &str| {
        let mut bench = Bench::new();
        bench.input(&tile);
        let out = bench.output::<f32>(1024);
        bench.arg(&A.encode().to_le_bytes()).arg(&B.encode().to_le_bytes());
        bench.run(&kernel(PTX, &[("%p0, 1, 1, 0, 0", trans)]), "wgmma", 128).unwrap();
        bench.read::<f32>(out, 1024)
    };
    let both = multiplied("%p0, 1, 1, 1, 1");
    check(&both, 1, 1);
    for one in ["%p0, 1, 1, 0, 0", "%p0, 1, 1, 0, 1", "%p0, 1, 1, 1, 0"] {
        assert_ne!(multiplied(one), both, "{one}");
    }
}

#[test]
fn a_from_registers() {
    // Each thread holds 2.0 in all of A: the products are twice the columns' sums.
    let ones =
        "mov.b32 %r10, 0x40004000;\n\tmov.b32 %r11, %r10;\n\tmov.b32 %r12, %r10;\n\tmov.b32 %r13, %r10;\n\twgmma.fence";
    let edits = [
        ("wgmma.fence", ones),
        ("%f7}, %rd2, %rd3, %p0, 1, 1, 0, 0", "%f7}, {%r10, %r11, %r12, %r13}, %rd3, %p0, 1, 1, 0"),
    ];
    let d = run(&edits).unwrap();
    for thread in 0..128 {
        for r in 0..8 {
            let j = 8 * (r / 4) + thread % 4 * 2 + r % 2;
            assert_eq!(d[thread * 8 + r], (1 + 2 * (0..16).map(|l| b_at(l, j)).sum::<i32>()) as f32);
        }
    }
    // The registers of A belong to the instruction until its wait.
    let overwritten = [edits[0], edits[1], ("wgmma.commit_group", "mov.b32 %r10, 0;\n\twgmma.commit_group")];
    assert_fault(run(&overwritten).map(drop), FaultKind::AsyncHazard, &["register of A"]);
}

#[test]
fn products_in_a_row_need_no_wait() {
    let twice = "wgmma.mma_async.sync.aligned.m64n16k16.f32.f16.f16 {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7}, %rd2, %rd3, %p0, 1, 1, 0, 0;";
    let d = run(&[(twice, &format!("{twice}\n\t{twice}"))]).unwrap();
    check(&d, 1, 2);
}

#[test]
fn a_missing_wait() {
    let result = run(&[("wgmma.wait_group.sync.aligned 0;", "")]);
    let (product, store) = (line_of(PTX, "wgmma.mma_async"), line_of(PTX, "st.global.v4.f32"));
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&product, &store]);
    let result = run(&[("wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&product]);
}

#[test]
fn a_missing_proxy_fence() {
    let result = run(&[(FENCE, "")]);
    let product = line_of(PTX, "wgmma.mma_async");
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &["fence.proxy.async", &product]);
}

#[test]
fn a_missing_barrier() {
    // The first warp comes before the others have written.
    let result = run(&[("bar.sync 0;", "")]);
    assert_fault(result.map(drop), FaultKind::UninitialisedMemory, &["wgmma.mma_async"]);
}

#[test]
fn missing_wgmma_fences() {
    let result = run(&[("wgmma.fence.sync.aligned;", "")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &["wgmma.fence"]);
    let result = run(&[("wgmma.fence.sync.aligned;", "wgmma.fence.sync.aligned;\n\tmov.f32 %f3, 0f40000000;")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &["accumulator", "wgmma.fence"]);
}

#[test]
fn an_operand_overwritten() {
    let result =
        run(&[("wgmma.commit_group.sync.aligned;", "wgmma.commit_group.sync.aligned;\n\tst.shared.u32 [%r3], %r4;")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&line_of(PTX, "wgmma.mma_async")]);
}

#[test]
fn malformed_descriptors() {
    let fault =
        |a, says: &[&str]| assert_fault(run_with(&[], a, B.encode(), 128).map(drop), FaultKind::Descriptor, says);
    fault(A.encode() | 1 << 15, &["reserved"]);
    fault(Descriptor { start: 2560, ..A }.encode(), &["past the block's"]);
    fault(Descriptor { start: 128, swizzle: Swizzle::B128, ..A }.encode(), &["pattern"]);
    fault(A.encode() | 1 << 49, &["base offset"]);
}

#[test]
fn a_part_of_a_warpgroup() {
    let result = run_with(&[], A.encode(), B.encode(), 96);
    assert_fault(result.map(drop), FaultKind::DivergentBarrier, &["warpgroup"]);
}

#[test]
fn setmaxnreg() {
    let with = |text: &str| run(&[("mov.u32 %r0, %tid.x;", &format!("{text}\n\tmov.u32 %r0, %tid.x;"))]).map(drop);
    with("setmaxnreg.dec.sync.aligned.u32 24;\n\tsetmaxnreg.inc.sync.aligned.u32 240;").unwrap();
    let module = PTX.replace("mov.u32 %r0, %tid.x;", "setmaxnreg.inc.sync.aligned.u32 250;");
    assert!(Module::parse("test", &module).unwrap_err().to_string().contains("multiple of 8"));
    let divergent = "setp.eq.u32 %p1, %r15, 0;\n\t@%p1 setmaxnreg.inc.sync.aligned.u32 240;";
    let result =
        run(&[("mov.u32 %r0, %tid.x;", &format!("mov.u32 %r0, %tid.x;\n\tand.b32 %r15, %r0, 1;\n\t{divergent}"))]);
    assert_fault(result.map(drop), FaultKind::DivergentBarrier, &["setmaxnreg"]);
}
