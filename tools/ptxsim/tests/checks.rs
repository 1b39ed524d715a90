//! Each detector is shown a planted bug, and where it matters the correct twin that it must let pass.

mod common;
use common::{faults, kernel, output, run_text};
use ptxsim::{Checks, FaultKind, Launch, Machine, Module, Options};

const SHARED: &str = ".shared .align 4 .b8 s[1024]; mov.u32 %r2, s; shl.b32 %r3, %r1, 2; add.u32 %r4, %r2, %r3;";

#[test]
fn out_of_bounds() {
    let fault = faults("ld.global.u32 %r2, [%rd4];", &[1, 2, 3], 4, FaultKind::OutOfBounds, "ld.global");
    assert_eq!(fault.thread, [3, 0, 0]);
    assert!(fault.message.contains("offset 12 of the nearest allocation, 12 bytes"), "{fault}");
    faults(&format!("{SHARED} st.shared.u32 [%r4+1021], %r1;"), &[], 1, FaultKind::Misaligned, "1021");
    faults(&format!("{SHARED} st.shared.u32 [%r4+1020], %r1;"), &[], 2, FaultKind::OutOfBounds, "1020");
    faults(
        ".local .align 4 .b8 l[8]; mov.u64 %rd6, l; st.local.u32 [%rd6+4096], %r1;",
        &[],
        1,
        FaultKind::OutOfBounds,
        "st.local",
    );
    faults("ld.param.u32 %r2, [out+8];", &[], 1, FaultKind::OutOfBounds, "ld.param");
}

#[test]
fn misaligned() {
    let fault = faults("ld.global.v2.u32 {%r2, %r3}, [%rd4];", &[1; 8], 4, FaultKind::Misaligned, "v2");
    assert_eq!(fault.thread, [1, 0, 0]);
}

#[test]
fn uninitialised_memory() {
    faults("ld.global.u32 %r2, [%rd5];", &[], 1, FaultKind::UninitialisedMemory, "ld.global");
    faults(
        &format!("{SHARED} st.shared.u16 [%r4], 1; ld.shared.u32 %r5, [%r4];"),
        &[],
        1,
        FaultKind::UninitialisedMemory,
        "ld.shared",
    );
    faults(
        ".local .align 4 .b8 l[8]; mov.u64 %rd6, l; ld.local.u32 %r2, [%rd6];",
        &[],
        1,
        FaultKind::UninitialisedMemory,
        "ld.local",
    );
    faults("atom.global.add.u32 %r2, [%rd5], 1;", &[], 1, FaultKind::UninitialisedMemory, "atom");
}

#[test]
fn uninitialised_registers() {
    faults("add.u32 %r2, %r3, 1;", &[], 1, FaultKind::UninitialisedRegister, "add");
    // Written by some lanes only.
    let fault = faults(
        "setp.lt.u32 %p1, %r1, 5; @%p1 mov.u32 %r2, 1; add.u32 %r3, %r2, 1;",
        &[],
        32,
        FaultKind::UninitialisedRegister,
        "%r3",
    );
    assert_eq!(fault.thread, [5, 0, 0]);
    faults("@%p3 ret;", &[], 1, FaultKind::UninitialisedRegister, "%p3");
}

#[test]
fn races() {
    let read = "xor.b32 %r5, %r3, 128; add.u32 %r6, %r2, %r5; ld.shared.u32 %r7, [%r6];";
    faults(
        &format!("{SHARED} st.shared.u32 [%r4], %r1; bar.sync 0; {read} st.shared.u32 [%r4], %r7;"),
        &[],
        64,
        FaultKind::Race,
        "st.shared",
    );
    output(
        &format!("{SHARED} st.shared.u32 [%r4], %r1; bar.sync 0; {read} bar.sync 0; st.shared.u32 [%r4], %r7;"),
        &[],
        64,
    );
    // Write, and read by another warp.
    let late = "setp.lt.u32 %p1, %r1, 32; @%p1 st.shared.u32 [%r4], %r1; bar.sync 0; @!%p1 st.shared.u32 [%r2], 99; @%p1 ld.shared.u32 %r7, [%r2];";
    faults(&format!("{SHARED} {late}"), &[], 64, FaultKind::Race, "hared.u32 [%r2]");
    // Two warps write one word: different values, then the same.
    faults(&format!("{SHARED} shr.u32 %r5, %r1, 5; st.shared.u32 [%r2], %r5;"), &[], 64, FaultKind::Race, "%r5");
    output(&format!("{SHARED} st.shared.u32 [%r2], 3;"), &[], 64);
    // Lanes of one store.
    faults(&format!("{SHARED} st.shared.u32 [%r2], %r1;"), &[], 32, FaultKind::Race, "st.shared");
    faults("st.global.u32 [%rd2], %r1;", &[], 32, FaultKind::Race, "st.global");
    // Neighbouring halves are no race; atomics are none with each other.
    output(
        &format!("{SHARED} shr.u32 %r5, %r1, 5; shl.b32 %r5, %r5, 1; add.u32 %r6, %r2, %r5; st.shared.u16 [%r6], 7;"),
        &[],
        64,
    );
    output(
        &format!(
            "{SHARED} setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [%r2], 0; bar.sync 0; red.shared.add.u32 [%r2], 1;"
        ),
        &[],
        64,
    );
}

#[test]
fn races_in_global_memory() {
    let other = "xor.b32 %r5, %r1, 32; mul.wide.u32 %rd6, %r5, 4; add.s64 %rd7, %rd2, %rd6;";
    let body = |between: &str| format!("{other} st.global.u32 [%rd5], %r1; {between} ld.global.u32 %r6, [%rd7];");
    // The second warp reads what the first one wrote.
    let fault = run_text(&kernel(&body("")), &[], [1; 3], 64, Checks { uninitialised: false, ..Checks::ALL });
    let fault = fault.result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Race, "{fault}");
    assert!(fault.message.contains("global memory"), "{fault}");
    output(&body("bar.sync 0;"), &[], 64);
    // Fences order in ways that are not followed.
    run_text(&kernel(&body("membar.gl;")), &[], [1; 3], 64, Checks { uninitialised: false, ..Checks::ALL })
        .result
        .unwrap();
}

#[test]
fn a_barrier_for_some_does_not_order_others() {
    // Warps 0 and 1 meet; warp 2 was not there.
    let body = "setp.ge.u32 %p1, %r1, 64; @%p1 bra LATE; setp.lt.u32 %p2, %r1, 32; @%p2 st.shared.u32 [%r4], %r1; bar.sync 1, 64; bra.uni END; LATE: ld.shared.u32 %r5, [%r2]; END:";
    let fault = run_text(
        &kernel(&format!("{SHARED} {body}")),
        &[],
        [1, 1, 1],
        96,
        Checks { uninitialised: false, ..Checks::ALL },
    )
    .result
    .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Race, "{fault}");
}

#[test]
fn divergent_barriers() {
    faults(
        "setp.lt.u32 %p1, %r1, 7; @%p1 bra IN; bra.uni OUT; IN: bar.sync 0; OUT:",
        &[],
        32,
        FaultKind::DivergentBarrier,
        "bar.sync",
    );
    faults("setp.lt.u32 %p1, %r1, 7; @%p1 ret; bar.sync 0;", &[], 32, FaultKind::DivergentBarrier, "bar.sync");
    let fault =
        faults("setp.lt.u32 %p1, %r1, 32; @%p1 ret; bar.sync 0;", &[], 64, FaultKind::DivergentBarrier, "bar.sync");
    assert!(fault.message.contains("32 threads of the block have exited"), "{fault}");
    faults(
        "setp.lt.u32 %p1, %r1, 7; @%p1 bra IN; bra.uni OUT; IN: bar.warp.sync -1; OUT:",
        &[],
        32,
        FaultKind::DivergentBarrier,
        "bar.warp",
    );
}

#[test]
fn deadlock_and_endless_loops() {
    faults(
        "setp.lt.u32 %p1, %r1, 32; @%p1 bra A; bar.sync 1; bra.uni B; A: bar.sync 2; B:",
        &[],
        64,
        FaultKind::Deadlock,
        "bar.sync",
    );
    faults("L: bra L;", &[], 1, FaultKind::Budget, "bra");
}

#[test]
fn calls_without_end() {
    let text = kernel("call f;").replace(".visible", ".func f() { call f; ret; }\n.visible");
    let fault = run_text(&text, &[], [1, 1, 1], 1, Checks::ALL).result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::StackOverflow);
}

#[test]
fn freed_memory() {
    let module = Module::parse("test", &kernel("ld.global.u32 %r2, [%rd4];")).unwrap();
    let machine = Machine::new(Options::default());
    let buffer = machine.alloc(128).unwrap();
    assert_eq!(buffer % 256, 0);
    machine.fill(buffer, 5, 32).unwrap();
    machine.free(buffer).unwrap();
    let args = [buffer.to_le_bytes(), buffer.to_le_bytes()].concat();
    let launch = Launch { grid: [1; 3], block: [32, 1, 1], shared: 0, args: &args };
    assert_eq!(machine.launch(&module, "k", &launch).unwrap_err().kind, FaultKind::UseAfterFree);
    assert_eq!(machine.free(buffer).unwrap_err().kind, FaultKind::Host);
    assert_eq!(machine.read(buffer, &mut [0]).unwrap_err().kind, FaultKind::UseAfterFree);
}

#[test]
fn launches_the_device_refuses() {
    let text = kernel("").replace("sm_90a", "sm_75").replace("out)\n{", "out)\n.maxntid 64, 1, 1\n{");
    let module = Module::parse("test", &text).unwrap();
    let machine = Machine::new(Options { capability: (7, 5), ..Options::default() });
    let good = Launch { grid: [1; 3], block: [64, 1, 1], shared: 0, args: &[0; 16] };
    machine.launch(&module, "k", &good).unwrap();
    for (bad, why) in [
        (Launch { block: [65, 1, 1], ..good }, ".maxntid"),
        (Launch { args: &[0; 12], ..good }, "parameters"),
        (Launch { shared: 65 << 10, ..good }, "shared memory"),
        (Launch { grid: [0, 1, 1], ..good }, "empty"),
    ] {
        let fault = machine.launch(&module, "k", &bad).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Launch);
        assert!(fault.message.contains(why), "{fault}");
    }
    assert_eq!(machine.launch(&module, "j", &good).unwrap_err().kind, FaultKind::Launch);
    for (target, capability, runs) in [
        ("sm_75", (9, 0), true),
        ("sm_80", (7, 5), false),
        ("sm_90", (10, 0), true),
        ("sm_90a", (9, 0), true),
        ("sm_90a", (10, 0), false),
        ("sm_100f", (10, 3), true),
        ("sm_100f", (12, 0), false),
    ] {
        let module = Module::parse("test", &kernel("").replace("sm_90a", target)).unwrap();
        let machine = Machine::new(Options { capability, ..Options::default() });
        assert_eq!(machine.launch(&module, "k", &good).is_ok(), runs, "{target} on {capability:?}");
    }
}

#[test]
fn copies_carry_their_shadow() {
    let machine = Machine::new(Options::default());
    let (a, b) = (machine.alloc(64).unwrap(), machine.alloc(64).unwrap());
    machine.write(a, &[1; 8]).unwrap();
    machine.write(b, &[2; 64]).unwrap();
    machine.copy(b, a, 16).unwrap();
    assert!(machine.is_initialised(b, 8).unwrap() && !machine.is_initialised(b, 9).unwrap());
    assert!(machine.write(a + 60, &[0; 8]).is_err());
}

#[test]
fn unknown_instructions_name_their_line() {
    let error = Module::parse("file.ptx", &kernel("frobnicate.b32 %r1, %r2;")).unwrap_err();
    assert!(error.to_string().contains("file.ptx:9: unknown instruction `frobnicate.b32`"), "{error}");
    assert!(Module::parse("x", &kernel("bra NOWHERE;")).unwrap_err().message.contains("no label"));
    assert!(Module::parse("x", &kernel("add.u32 %r1, %q, 1;")).is_err());
    assert!(Module::parse("x", "").unwrap_err().message.contains("no PTX"));
    assert!(Module::parse("x", &kernel(&"{".repeat(100_000))).unwrap_err().message.contains("within each other"));
    assert!(Module::parse("x", &kernel(".reg .b32 %many<4000000000>;")).unwrap_err().message.contains("registers"));
    for (text, message) in [
        (".shared .b8 s[99999999999];", "`s` is too large"),
        (".local .b8 s[4294967295];", "`s` is too large"),
        (".local .b8 s[-1];", "`s` is too large"),
        (".shared .b8 s[18446744073709551615][18446744073709551615];", "`s` is too large"),
        (".shared .align 3 .b8 s[4];", "no alignment"),
        (&format!(".global .b8 s[4] = {};", "{".repeat(100_000)), "within each other"),
    ] {
        let error = Module::parse("x", &kernel(text)).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
    let long = Module::parse("x", &kernel(&"é".repeat(10_000))).unwrap_err();
    assert!(long.to_string().len() < 1000, "{long}");
}
