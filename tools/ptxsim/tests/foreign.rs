//! What other compilers write: Triton, and NVRTC for compute capability 10 and 12. Each number is known by hand.

mod common;
use common::{f, faults, output, run_text};
use ptxsim::{Checks, FaultKind, Module};

const NAN: u32 = 0x7fff_ffff;

/// `.ptr .align` is the alignment of what the parameter points to.
#[test]
fn an_attribute_of_the_pointee_moves_no_parameter() {
    let text = ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k(\n\
                .param .u64 .ptr .global .align 16 in,\n.param .u64 .ptr .align 1 out)\n{\n\
                .reg .b32 %r<4>; .reg .b64 %rd<8>;\n\
                ld.param.b64 %rd1, [in]; ld.param.b64 %rd2, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 4;\n\
                add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3; ld.global.b32 %r2, [%rd4];\n\
                add.s32 %r3, %r2, 100; st.global.b32 [%rd5], %r3; ret;\n}\n";
    let run = run_text(text, &[1, 2, 3], [1, 1, 1], 3, Checks::ALL);
    run.result.unwrap();
    assert_eq!(run.out[..3], [101, 102, 103]);

    let params = "(.param .u32 n, .param .u64 .ptr .shared .align 64 a, .param .u32 .ptr .const .align 8 b, \
                  .param .align 16 .b8 s[20], .param .u8 c, .param .u64 .ptr .align 4096 d)";
    let text = format!(".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k{params}\n{{ ret; }}\n");
    let module = Module::parse("k", &text).unwrap();
    let params = &module.entry("k").unwrap().params;
    let places: Vec<_> = params.iter().map(|p| (p.offset, p.size, p.align)).collect();
    assert_eq!(places, [(0, 4, 4), (8, 8, 8), (16, 4, 4), (32, 20, 16), (52, 1, 1), (56, 8, 8)]);
    for wrong in [".param .u64 .ptr .align 3 a", ".param .u64 .ptr .align a"] {
        let text = format!(".version 9.0\n.target sm_90\n.visible .entry k({wrong})\n{{ ret; }}\n");
        assert!(Module::parse("k", &text).is_err(), "{wrong}");
    }
}

/// The result of `op` on up to four f32.
fn floats(op: &str, operands: &[u32]) -> u32 {
    let loads: String = (0..operands.len()).map(|i| format!("ld.global.f32 %f{}, [%rd1+{}];", i + 2, 4 * i)).collect();
    let names: Vec<String> = (0..operands.len()).map(|i| format!("%f{}", i + 2)).collect();
    output(&format!("{loads} {op} %f10, {}; st.global.f32 [%rd5], %f10;", names.join(", ")), operands, 1)[0]
}

#[test]
fn extremes_of_three() {
    let (tiny, negative_tiny) = (1, 0x8000_0001);
    for (op, operands, expected) in [
        ("max.f32", [f(1.0), f(3.0), f(2.0)], f(3.0)),
        ("max.f32", [f(1.0), f(-3.0), f(2.0)], f(2.0)),
        ("min.f32", [f(1.0), f(-3.0), f(-4.0)], f(-4.0)),
        ("min.f32", [NAN, NAN, f(5.0)], f(5.0)),
        ("min.f32", [NAN, NAN, 0x7fc0_0001], NAN),
        ("max.NaN.f32", [f(1.0), f(2.0), 0xffc0_0000], NAN),
        ("max.f32", [f(-0.0), f(-0.0), f(0.0)], f(0.0)),
        ("min.f32", [f(0.0), f(0.0), f(-0.0)], f(-0.0)),
        ("max.abs.f32", [f(1.0), f(-3.0), f(2.0)], f(3.0)),
        ("min.abs.f32", [f(-1.0), f(-3.0), f(2.0)], f(1.0)),
        ("min.NaN.abs.f32", [f(-1.0), NAN, f(2.0)], NAN),
        ("max.ftz.f32", [negative_tiny, negative_tiny, negative_tiny], f(-0.0)),
        ("max.f32", [negative_tiny, tiny, f(0.0)], tiny),
    ] {
        assert_eq!(floats(op, &operands), expected, "{op} {operands:x?}");
    }
    for (wrong, message) in [
        ("max.abs.f32 %f1, %f2, %f3;", "4 operands expected"),
        ("max.xorsign.abs.f32 %f1, %f2, %f3, %f4;", "3 operands expected"),
        ("max.s32 %r1, %r2, %r3, %r4;", "3 operands expected"),
        ("max.f64 %fd1, %fd2, %fd3, %fd4;", "3 operands expected"),
    ] {
        let error = Module::parse("x", &common::kernel(wrong)).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
}

/// The two results of `op` on pairs, lower one first.
fn pairs(op: &str, operands: &[[u32; 2]]) -> [u32; 2] {
    let loads: String =
        (0..operands.len()).map(|i| format!("ld.global.b64 %rd{}, [%rd1+{}];", i + 10, 8 * i)).collect();
    let names: Vec<String> = (0..operands.len()).map(|i| format!("%rd{}", i + 10)).collect();
    let body = format!("{loads} {op} %rd20, {}; st.global.b64 [%rd2], %rd20;", names.join(", "));
    let out = output(&body, operands.as_flattened(), 1);
    [out[0], out[1]]
}

#[test]
fn pairs_of_single_precision() {
    let e = f32::EPSILON;
    for (op, operands, expected) in [
        ("add.f32x2", &[[f(1.0), f(2.0)], [f(10.0), f(20.0)]][..], [f(11.0), f(22.0)]),
        ("sub.rn.f32x2", &[[f(1.0), f(2.0)], [f(10.0), f(30.0)]], [f(-9.0), f(-28.0)]),
        ("mul.f32x2", &[[f(3.0), f(-2.0)], [f(0.5), f(0.0)]], [f(1.5), f(-0.0)]),
        ("sub.f32x2", &[[f(f32::INFINITY), f(1.0)], [f(f32::INFINITY), f(1.0)]], [NAN, f(0.0)]),
        // Rounded once: the product alone would lose its last bit.
        (
            "fma.rn.f32x2",
            &[[f(1.0 + e), f(2.0)], [f(1.0 + e), f(3.0)], [f(-1.0 - 2.0 * e), f(4.0)]],
            [f(e * e), f(10.0)],
        ),
        ("add.rz.f32x2", &[[f(1.0), f(1.0)], [f(-e / 8.0), f(e / 8.0)]], [f(1.0 - e / 2.0), f(1.0)]),
        ("add.rp.f32x2", &[[f(1.0), f(-1.0)], [f(e / 8.0), f(1.0)]], [f(1.0 + e), f(0.0)]),
        ("add.rm.f32x2", &[[f(1.0), f(-1.0)], [f(e / 8.0), f(1.0)]], [f(1.0), f(-0.0)]),
        ("add.f32x2", &[[1, 2], [1, 0x8000_0001]], [2, 1]),
        ("add.ftz.f32x2", &[[1, 0x8000_0002], [1, 0x8000_0001]], [0, f(-0.0)]),
    ] {
        assert_eq!(pairs(op, operands), expected, "{op} {operands:x?}");
    }
    faults("mov.b64 %rd10, 0; add.f32x2 %rd11, %rd10, %rd12;", &[], 1, FaultKind::UninitialisedRegister, "add.f32x2");
}

#[test]
fn sums_of_mixed_precision() {
    for (body, expected) in [
        // 1.5 in f16 and in bf16.
        ("mov.b16 %rs1, 0x3e00; mov.f32 %f2, 0f40000000; add.f32.f16 %f1, %rs1, %f2;", f(3.5)),
        ("mov.b16 %rs1, 0x3fc0; mov.f32 %f2, 0f40000000; sub.rn.f32.bf16 %f1, %rs1, %f2;", f(-0.5)),
        ("mov.b16 %rs1, 0x3e00; mov.f32 %f2, 0f40000000; sub.sat.f32.f16 %f1, %rs1, %f2;", f(0.0)),
        (
            "mov.b16 %rs1, 0x3fc0; mov.b16 %rs2, 0x4000; mov.f32 %f2, 0f3F800000; fma.rn.f32.bf16 %f1, %rs1, %rs2, %f2;",
            f(4.0),
        ),
        // f16's least number is a normal one of f32, and not flushed; 2 + 2^-24 lies between two of f32.
        ("mov.b16 %rs1, 1; mov.f32 %f2, 0f40000000; add.rp.f32.f16 %f1, %rs1, %f2;", f(2.0f32.next_up())),
        ("mov.b16 %rs1, 1; mov.f32 %f2, 0f40000000; add.f32.f16 %f1, %rs1, %f2;", f(2.0)),
    ] {
        assert_eq!(output(&format!("{body} st.global.f32 [%rd2], %f1;"), &[], 1)[0], expected, "{body}");
    }
}

/// `redux.sync` of f32 in one warp, whose lanes begin with `values` and are `others` beyond.
fn redux(op: &str, values: &[u32], others: u32) -> u32 {
    let mut lanes = [others; 32];
    lanes[..values.len()].copy_from_slice(values);
    let body = format!("ld.global.f32 %f1, [%rd4]; {op} %f2, %f1, -1; st.global.f32 [%rd5], %f2;");
    let out = output(&body, &lanes, 32);
    assert!(out[..32].iter().all(|x| *x == out[0]), "{op}: {out:x?}");
    out[0]
}

/// PTX ISA, "redux.sync": +0 is greater than -0; NaNs are left out unless `.NaN` is there; `.abs` comes first.
#[test]
fn reductions_of_floats() {
    for (op, values, others, expected) in [
        ("redux.sync.max.f32", &[f(-5.0), f(3.0), f(2.5)][..], f(-1.0), f(3.0)),
        // As unsigned numbers the greatest is -5.
        ("redux.sync.max.f32", &[f(-5.0)], f(-7.0), f(-5.0)),
        ("redux.sync.min.f32", &[f(-5.0), f(3.0)], f(-7.0), f(-7.0)),
        ("redux.sync.max.abs.f32", &[f(-5.0), f(3.0)], f(-1.0), f(5.0)),
        ("redux.sync.min.abs.f32", &[f(-5.0), f(3.0)], f(-1.5), f(1.5)),
        ("redux.sync.max.f32", &[NAN, f(-2.0), 0xffc0_1234], f(-3.0), f(-2.0)),
        ("redux.sync.min.f32", &[NAN, 0xffc0_1234], 0x7fc0_0000, NAN),
        ("redux.sync.max.NaN.f32", &[f(1.0), 0xffc0_1234], f(2.0), NAN),
        ("redux.sync.min.abs.NaN.f32", &[f(1.0), f(-0.5)], f(2.0), f(0.5)),
        ("redux.sync.min.abs.NaN.f32", &[f(1.0), NAN], f(2.0), NAN),
        ("redux.sync.max.f32", &[f(0.0)], f(-0.0), f(0.0)),
        ("redux.sync.min.f32", &[f(-0.0)], f(0.0), f(-0.0)),
        ("redux.sync.min.abs.f32", &[f(-0.0)], f(0.0), f(0.0)),
        ("redux.sync.max.f32", &[f(f32::NEG_INFINITY), 1], f(-0.0), 1),
    ] {
        assert_eq!(redux(op, values, others), expected, "{op} {values:x?} {others:x}");
    }
    // Of the lanes that take part only.
    let body = "ld.global.f32 %f1, [%rd4]; setp.lt.u32 %p1, %r1, 2; @%p1 bra PART; bra END;
                PART: redux.sync.max.f32 %f1, %f1, 3; END: st.global.f32 [%rd5], %f1;";
    assert_eq!(output(body, &[f(1.0), f(2.0), f(9.0)], 3)[..3], [f(2.0), f(2.0), f(9.0)]);
}

#[test]
fn sums_longer_than_registers() {
    let out = output(
        "ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd1]; add.cc.u32 %r6, %r2, %r4; addc.u32 %r7, %r3, %r5; st.global.v2.u32 [%rd2], {%r6, %r7};
         sub.cc.u32 %r6, %r4, %r2; subc.u32 %r7, %r5, %r3; st.global.v2.u32 [%rd2+8], {%r6, %r7};
         mov.u32 %r8, -1; add.cc.s32 %r8, %r8, %r8; addc.cc.s32 %r9, %r8, 1; addc.s32 %r10, 0, 0; st.global.v4.u32 [%rd2+16], {%r8, %r9, %r10, %r10};
         mov.u32 %r11, 0x80000001; mov.u32 %r12, 0xffffffff; mad.lo.cc.u32 %r13, %r11, 4, %r12; madc.hi.u32 %r14, %r11, 4, 7; st.global.v2.u32 [%rd2+32], {%r13, %r14};
         mov.b64 %rd10, -1; add.cc.u64 %rd11, %rd10, 1; addc.u64 %rd12, %rd10, 1; st.global.v2.u64 [%rd2+48], {%rd11, %rd12};
         madc.hi.s32 %r15, %r12, 5, 100; st.global.u32 [%rd2+64], %r15;
         mov.b64 %rd13, 0; sub.cc.u64 %rd14, %rd13, 1; subc.cc.u64 %rd15, %rd13, 0; subc.u64 %rd15, %rd15, 0; st.global.v2.u64 [%rd2+80], {%rd14, %rd15};",
        &[0xffff_fffe, 1, 3, 5],
        1,
    );
    // 0x1_ffff_fffe + 0x5_0000_0003, and their difference.
    assert_eq!(out[..4], [1, 7, 5, 3]);
    // The carry of a sum is taken, and replaced, by the next.
    assert_eq!(out[4..7], [0xffff_fffe, 0, 1]);
    // 4 * 0x8000_0001 + 0xffff_ffff = 0x3_0000_0003: its halves, and 7 more in the upper one.
    assert_eq!(out[8..10], [3, 2 + 7 + 1]);
    // The first sum is 2^64, which leaves 0 and a carry; -1 + 1 and that carry are 1.
    assert_eq!(out[12..16], [0, 0, 1, 0]);
    // The upper half of -1 * 5 is -1. `addc` without `.cc` has left the carry as it was.
    assert_eq!(out[16], 100);
    assert_eq!(out[20..24], [u32::MAX, u32::MAX, 0xffff_fffe, u32::MAX]);
    faults("addc.u32 %r2, %r1, %r1;", &[], 1, FaultKind::UninitialisedRegister, "addc");
}

#[test]
fn atomic_sums_of_vectors() {
    let out = output(
        "setp.ne.u32 %p1, %r1, 0; @%p1 bra SKIP; mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f40000000;
         st.global.v4.f32 [%rd2], {%f1, %f2, %f1, %f2}; mov.b32 %r9, 0x3c004000; st.global.v2.b32 [%rd2+16], {%r9, %r9};
         SKIP: bar.sync 0; mov.f32 %f3, 0f40400000; mov.f32 %f4, 0f3F000000;
         atom.global.gpu.acq_rel.add.v2.f32 {%f4, %f3}, [%rd2], {%f3, %f4};
         red.global.add.v4.f32 [%rd2], {%f1, %f1, %f1, %f1}; st.global.v2.f32 [%rd2+32], {%f4, %f3};
         red.global.add.noftz.v2.f16x2 [%rd2+16], {%r9, %r9};",
        &[],
        1,
    );
    assert_eq!(out[..4], [f(5.0), f(3.5), f(2.0), f(3.0)]);
    assert_eq!(out[4..6], [0x4000_4400, 0x4000_4400]);
    // The old values go to registers that the operation also reads.
    assert_eq!(out[8..10], [f(1.0), f(2.0)]);
    let shifted = "add.s64 %rd10, %rd2, 4; mov.f32 %f1, 0f00000000; st.global.v2.f32 [%rd2], {%f1, %f1}; st.global.v2.f32 [%rd2+8], {%f1, %f1};
                   red.global.add.v2.f32 [%rd10], {%f1, %f1};";
    faults(shifted, &[], 1, FaultKind::Misaligned, "red.global.add.v2");
}

/// Modifiers that were read and not acted on.
#[test]
fn flushing_and_saturation_of_halves() {
    for (body, expected) in [
        // f16's subnormal numbers are normal ones of f32.
        ("mov.b16 %rs1, 0x0001; abs.ftz.f16 %rs2, %rs1;", 0),
        ("mov.b16 %rs1, 0x8001; neg.ftz.f16 %rs2, %rs1;", 0),
        ("mov.b16 %rs1, 0x8200; add.ftz.f16 %rs2, %rs1, %rs1;", 0x8000),
        ("mov.b16 %rs1, 0x0401; mov.b16 %rs3, 0x8400; add.ftz.f16 %rs2, %rs1, %rs3;", 0),
        ("mov.b16 %rs1, 0x0401; mov.b16 %rs3, 0x8400; add.f16 %rs2, %rs1, %rs3;", 1),
        ("mov.b16 %rs1, 0x0001; setp.gt.ftz.f16 %p1, %rs1, 0; selp.b16 %rs2, 1, 0, %p1;", 0),
        ("mov.b16 %rs1, 0x0001; setp.gt.f16 %p1, %rs1, 0; selp.b16 %rs2, 1, 0, %p1;", 1),
        ("cvt.rn.satfinite.f16.f32 %rs2, 0f49742400;", 0x7bff),
        ("cvt.rn.f16.f32 %rs2, 0f49742400;", 0x7c00),
        ("cvt.rn.satfinite.f16.f32 %rs2, 0fFF800000;", 0xfbff),
        ("cvt.rn.satfinite.bf16.f32 %rs2, 0f7F800000;", 0x7f7f),
        ("cvt.rn.satfinite.bf16.f32 %rs2, 0f7FC00000;", 0x7fff),
        ("cvt.rn.relu.satfinite.f16.f32 %rs2, 0fFF800000;", 0),
        ("cvt.rn.sat.f16.u32 %rs2, 7;", 0x3c00),
    ] {
        let out = output(&format!("{body} cvt.u32.u16 %r2, %rs2; st.global.u32 [%rd2], %r2;"), &[], 1);
        assert_eq!(out[0], expected, "{body}");
    }
    let out = output(
        "cvt.rz.tf32.f32 %r2, 0f3F801FFF; cvt.rn.tf32.f32 %r3, 0f3F801FFF; cvt.rn.relu.tf32.f32 %r4, 0fBF801FFF; mov.u32 %r5, 9;
         st.global.v4.b32 [%rd2], {%r2, %r3, %r4, %r5}; mov.s32 %r6, -3; cvt.rn.sat.f32.s32 %f1, %r6; cvt.rn.sat.f32.u32 %f2, %r5; st.global.v2.f32 [%rd2+16], {%f1, %f2};
         cvt.rn.satfinite.f16x2.f32 %r7, 0fFF800000, 0f49742400; st.global.b32 [%rd2+24], %r7;",
        &[],
        1,
    );
    assert_eq!(out[..3], [0x3f80_0000, 0x3f80_2000, 0]);
    assert_eq!(out[4..7], [f(0.0), f(1.0), 0xfbff_7bff]);
}

#[test]
fn pairs_of_short_integers() {
    for (op, a, b, expected) in [
        ("add.u16x2", 0xffff_0001u32, 0x0001_7fffu32, 0x0000_8000),
        ("add.s16x2", 0x7fff_ffff, 0x0001_0001, 0x8000_0000),
        ("min.u16x2", 0xffff_0001, 0x0001_7fff, 0x0001_0001),
        ("max.u16x2", 0xffff_0001, 0x0001_7fff, 0xffff_7fff),
        ("min.s16x2", 0xffff_0001, 0x0001_8000, 0xffff_8000),
        ("max.s16x2", 0xffff_0001, 0x0001_8000, 0x0001_0001),
        ("min.relu.s16x2", 0xffff_0003, 0x0001_0002, 0x0000_0002),
        ("max.relu.s16x2", 0xffff_0003, 0xfffe_0002, 0x0000_0003),
    ] {
        let body = format!("mov.b32 %r2, {a}; mov.b32 %r3, {b}; {op} %r4, %r2, %r3; st.global.b32 [%rd2], %r4;");
        assert_eq!(output(&body, &[], 1)[0], expected, "{op}");
    }
}

#[test]
fn comparisons_of_pairs_give_pairs() {
    for (op, a, b, expected) in [
        // 1 and 2 against 2 and 1, upper half first.
        ("set.lt.f16x2.f16x2", 0x3c00_4000u32, 0x4000_3c00u32, 0x3c00_0000),
        ("set.nan.f16x2.f16x2", 0x3c00_7e00, 0x3c00_3c00, 0x0000_3c00),
        ("set.ge.bf16x2.bf16x2", 0x3f80_4000, 0x4000_3f80, 0x0000_3f80),
        ("set.ne.f16x2.f16x2", 0x0001_0000, 0x0000_0001, 0x3c00_3c00),
        ("set.ne.ftz.f16x2.f16x2", 0x0001_0000, 0x0000_0001, 0),
    ] {
        let body = format!("mov.b32 %r2, {a}; mov.b32 %r3, {b}; {op} %r4, %r2, %r3; st.global.b32 [%rd2], %r4;");
        assert_eq!(output(&body, &[], 1)[0], expected, "{op}");
    }
}

/// e4m3: 4 bits of exponent with a bias of 7, no infinity, 448 at the most; e5m2: f16 cut short, 57344 at the most.
#[test]
fn eight_bits() {
    let from = |op: &str, a: u32, b: u32| {
        let body = format!(
            "mov.b32 %f1, {a}; mov.b32 %f2, {b}; {op} %rs1, %f1, %f2; cvt.u32.u16 %r2, %rs1; st.global.u32 [%rd2], %r2;"
        );
        output(&body, &[], 1)[0]
    };
    for (op, a, b, expected) in [
        ("cvt.rn.satfinite.e4m3x2.f32", f(1.0), f(-2.0), 0x38c0),
        ("cvt.rn.satfinite.e5m2x2.f32", f(1.0), f(-2.0), 0x3cc0),
        ("cvt.rn.satfinite.e4m3x2.f32", f(1e9), f(f32::NEG_INFINITY), 0x7efe),
        ("cvt.rn.satfinite.e5m2x2.f32", f(1e9), f(f32::NEG_INFINITY), 0x7bfb),
        ("cvt.rn.satfinite.e4m3x2.f32", NAN, f(-0.0), 0x7f80),
        ("cvt.rn.satfinite.relu.e4m3x2.f32", f(-3.0), f(3.0), 0x0044),
        // Half-way between 1 and 1.125, and between 1.125 and 1.25: to even.
        ("cvt.rn.satfinite.e4m3x2.f32", f(1.0625), f(1.1875), 0x383a),
        // The least number, 2^-9, and half of it, which is a tie with zero.
        ("cvt.rn.satfinite.e4m3x2.f32", f(0.001953125), f(0.0009765625), 0x0100),
    ] {
        assert_eq!(from(op, a, b), expected, "{op} {a:x} {b:x}");
    }
    let out = output(
        "mov.b16 %rs1, 0x38c0; cvt.rn.f16x2.e4m3x2 %r2, %rs1; cvt.rn.relu.f16x2.e4m3x2 %r3, %rs1; mov.b16 %rs2, 0x7ffe; cvt.rn.f16x2.e4m3x2 %r4, %rs2;
         mov.b16 %rs3, 0x7cfd; cvt.rn.f16x2.e5m2x2 %r5, %rs3; st.global.v4.b32 [%rd2], {%r2, %r3, %r4, %r5};
         mov.b32 %r6, 0x7bff3c00; cvt.rn.satfinite.e4m3x2.f16x2 %rs4, %r6; cvt.u32.u16 %r7, %rs4; cvt.rn.satfinite.e5m2x2.f16x2 %rs5, %r6; cvt.u32.u16 %r8, %rs5;
         mov.b32 %r9, 0xc2483f80; cvt.rn.satfinite.e4m3x2.bf16x2 %rs6, %r9; cvt.u32.u16 %r10, %rs6; st.global.v4.b32 [%rd2+16], {%r7, %r8, %r10, %r10};",
        &[],
        1,
    );
    // NaN and -448; infinity and NaN.
    assert_eq!(out[..4], [0x3c00_c000, 0x3c00_0000, 0x7fff_df00, 0x7c00_7fff]);
    // 65504 and 1; -50 lies half-way between -48 and -52, and goes to even.
    assert_eq!(out[4..7], [0x7e38, 0x7b3c, 0xe438]);
}

#[test]
fn what_is_not_simulated_says_so_with_its_line() {
    let body = "mov.u32 %r2, 64;\n@%p1 tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%r2], 64;";
    let error = Module::parse("mma.ptx", &common::kernel(body)).unwrap_err();
    assert_eq!(error.line, 10);
    assert!(error.to_string().starts_with("mma.ptx:10: `tcgen05.alloc.cta_group::1.sync.aligned"), "{error}");
    assert!(error.message.contains("is not simulated"), "{error}");
}
