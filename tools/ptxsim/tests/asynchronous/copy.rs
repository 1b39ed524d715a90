//! `cp.async`.

use super::*;

const PTX: &str = include_str!("../kernels/cp_async.ptx");
const MBARRIER: &str = include_str!("../kernels/cp_async_mbarrier.ptx");

fn run(text: &str, edits: &[(&str, &str)]) -> Result<Vec<u32>, Fault> {
    let name = if text == PTX { "cp_async" } else { "cp_async_mbarrier" };
    let mut bench = Bench::new();
    let input: Vec<u32> = (1..=256).collect();
    bench.input(&input);
    let out = bench.output::<u32>(256);
    bench.run(&kernel(text, edits), name, 64)?;
    Ok(bench.read(out, 256))
}

fn neighbours(zeroed: usize) -> Vec<u32> {
    (0..256).map(|i: usize| if i % 4 >= 4 - zeroed { 0 } else { (i ^ 4) as u32 + 1 }).collect()
}

#[test]
fn copies_and_fills_with_zeros() {
    assert_eq!(run(PTX, &[]).unwrap(), neighbours(1));
    let all = run(PTX, &[("cp.async.wait_group 0", "cp.async.wait_all"), ("cp.async.commit_group;", "")]).unwrap();
    assert_eq!(all, neighbours(1));
}

#[test]
fn completion_on_an_mbarrier() {
    assert_eq!(run(MBARRIER, &[]).unwrap(), neighbours(0));
    // Without .noinc the arrival is counted beside those expected: the threads themselves must arrive too.
    let counted =
        [("arrive.noinc.shared.b64 [%r9];", "arrive.shared.b64 [%r9];\n\tmbarrier.arrive.shared.b64 %rd4, [%r9];")];
    assert_eq!(run(MBARRIER, &counted).unwrap(), neighbours(0));
}

#[test]
fn a_missing_wait() {
    let result = run(PTX, &[("cp.async.wait_group 0;", "")]);
    let (copy, load) = (line_of(PTX, "cp.async.cg"), line_of(PTX, "ld.shared"));
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&copy, &load]);
}

#[test]
fn a_wait_for_too_few_groups() {
    let result = run(PTX, &[("wait_group 0", "wait_group 1")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&line_of(PTX, "cp.async.cg")]);
}

#[test]
fn a_wait_without_commit() {
    let result = run(PTX, &[("cp.async.commit_group;", "")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&line_of(PTX, "cp.async.cg")]);
}

#[test]
fn a_missing_barrier_after_the_wait() {
    // The second warp reads what the first one copied.
    let result = run(PTX, &[("bar.sync 0;", ""), ("xor.b32 %r4, %r1, 16", "and.b32 %r4, %r1, 511")]);
    assert_fault(result.map(drop), FaultKind::Race, &[]);
}

#[test]
fn overwriting_the_destination() {
    let result = run(PTX, &[("cp.async.commit_group;", "cp.async.commit_group;\n\tst.shared.u32 [%r3], %r10;")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&line_of(PTX, "cp.async.cg")]);
}

#[test]
fn misaligned_and_oversized() {
    let result = run(PTX, &[("[%rd0], 16, %r10", "[%rd0+4], 16, %r10")]);
    assert_fault(result.map(drop), FaultKind::Misaligned, &[]);
    let result = run(PTX, &[("mov.u32 %r10, 12", "mov.u32 %r10, 17")]);
    assert_fault(result.map(drop), FaultKind::Undefined, &["src-size"]);
    let result = run(PTX, &[("[%rd0], 16, %r10", "[%rd0+1024], 16, %r10")]);
    assert_fault(result.map(drop), FaultKind::OutOfBounds, &[]);
}
