//! `mbarrier`: phases, counts and states, and what goes wrong with them.

use super::*;

const PTX: &str = include_str!("../kernels/cp_async_mbarrier.ptx");

fn run(edits: &[(&str, &str)]) -> Result<(), Fault> {
    let mut bench = Bench::new();
    bench.input(&[7u32; 256]);
    bench.output::<u32>(256);
    bench.run(&kernel(PTX, edits), "cp_async_mbarrier", 64)
}

#[test]
fn use_before_init() {
    assert_fault(run(&[("mbarrier.init.shared.b64 [%r9], 64;", "")]), FaultKind::Mbarrier, &["init"]);
}

#[test]
fn init_over_a_live_barrier() {
    let twice = "mbarrier.init.shared.b64 [%r9], 64;";
    assert_fault(run(&[(twice, &format!("{twice}\n\t{twice}"))]), FaultKind::Mbarrier, &["live", &line_of(PTX, twice)]);
    let ended = format!("{twice}\n\tmbarrier.inval.shared.b64 [%r9];\n\t{twice}");
    run(&[(twice, &ended)]).unwrap();
}

#[test]
fn more_arrivals_than_expected() {
    let arrive = "mov.u32 %r11, 65;\n\tmbarrier.arrive.release.cta.shared::cta.b64 %rd4, [%r9], %r11;";
    let edits = [("cp.async.mbarrier.arrive.noinc.shared.b64 [%r9];", arrive)];
    assert_fault(run(&edits), FaultKind::Mbarrier, &["65 arrive where only 64"]);
}

#[test]
fn fewer_arrivals_than_expected() {
    assert_fault(run(&[("[%r9], 64;", "[%r9], 65;")]), FaultKind::Deadlock, &["1 of 65 arrivals"]);
}

#[test]
fn the_wrong_parity() {
    // Parity 1 names the phase before the first: the wait passes at once, before the copies are there.
    assert_fault(run(&[("[%r9], 0;", "[%r9], 1;")]), FaultKind::AsyncHazard, &["cp.async"]);
}

#[test]
fn a_count_of_zero() {
    assert_fault(run(&[("[%r9], 64;", "[%r9], 0;")]), FaultKind::Mbarrier, &["count of 0"]);
}

#[test]
fn an_ordinary_store_over_the_barrier() {
    let edits = [("bar.sync 0;", "bar.sync 0;\n\tmov.u32 %r11, 5;\n\t@!%p0 st.shared.u32 [%r9], %r11;\n\tbar.sync 0;")];
    assert_fault(run(&edits), FaultKind::Mbarrier, &["overwritten"]);
}

#[test]
fn a_misaligned_barrier() {
    assert_fault(
        run(&[("mbarrier.init.shared.b64 [%r9]", "mbarrier.init.shared.b64 [%r9+4]")]),
        FaultKind::Misaligned,
        &[],
    );
}

#[test]
fn a_wait_two_phases_late() {
    // One thread arrives thrice, then asks for phase 0, of which no test can tell any more.
    let edits = [
        ("[%r9], 64;", "[%r9], 1;"),
        (
            "cp.async.mbarrier.arrive.noinc.shared.b64 [%r9];",
            "cp.async.wait_all;\n\tbar.sync 0;\n\t@%p0 bra WAIT;\n\tmbarrier.arrive.shared.b64 %rd4, [%r9];\n\tmbarrier.arrive.shared.b64 %rd5, [%r9];",
        ),
    ];
    assert_fault(run(&edits), FaultKind::Mbarrier, &["phase 0", "phase 2"]);
}
