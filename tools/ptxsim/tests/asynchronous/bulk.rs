//! `cp.async.bulk` without a tensor map, `elect.sync`, waits by state.

use super::*;

const PTX: &str = include_str!("../kernels/bulk.ptx");

fn run(edits: &[(&str, &str)]) -> Result<Vec<u32>, Fault> {
    let mut bench = Bench::new();
    let input: Vec<u32> = (0..256).collect();
    bench.input(&input);
    let out = bench.output::<u32>(256);
    bench.run(&kernel(PTX, edits), "bulk", 32)?;
    Ok(bench.read(out, 256))
}

#[test]
fn bytes_in_and_out() {
    assert_eq!(run(&[]).unwrap(), (0..256).collect::<Vec<_>>());
}

#[test]
fn going_on_before_the_bytes_are_there() {
    let (copy, store) = (line_of(PTX, "cp.async.bulk.shared"), line_of(PTX, "cp.async.bulk.global"));
    let result = run(&[("@!%p1 bra POLL;", "")]);
    assert_fault(result.map(drop), FaultKind::AsyncHazard, &[&copy, &store]);
}

#[test]
fn sizes_and_addresses() {
    assert_fault(run(&[("[%rd0], 1024", "[%rd0], 1020")]).map(drop), FaultKind::Undefined, &["16"]);
    assert_fault(run(&[("[%rd0], 1024", "[%rd0+8], 1024")]).map(drop), FaultKind::Misaligned, &[]);
    assert_fault(run(&[("[%rd0], 1024", "[%rd0+16], 1024")]).map(drop), FaultKind::OutOfBounds, &[]);
}

#[test]
fn ending_a_barrier_twice() {
    let end = "mbarrier.inval.shared::cta.b64 [%r2];";
    assert_fault(run(&[(end, &format!("{end}\n\t{end}"))]).map(drop), FaultKind::Mbarrier, &["init"]);
}

#[test]
fn a_copy_nobody_waits_for() {
    let edits = [("POLL:", ""), ("@!%p1 bra POLL;", "@!%p1 bra WAIT;")];
    assert_fault(run(&edits).map(drop), FaultKind::AsyncHazard, &["exit"]);
}
