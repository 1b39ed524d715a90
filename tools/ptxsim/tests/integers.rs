//! Whole numbers and bits: each instruction with operands whose results are known by hand.

mod common;
use common::output;

/// The result of `op d, a, b, c` on 32-bit registers loaded with the operands.
fn op(op: &str, operands: &[u32]) -> u32 {
    let loads: String = (0..operands.len()).map(|i| format!("ld.global.u32 %r{}, [%rd1+{}];", i + 2, 4 * i)).collect();
    let names: Vec<String> = (0..operands.len()).map(|i| format!("%r{}", i + 2)).collect();
    output(&format!("{loads} {op} %r10, {}; st.global.u32 [%rd5], %r10;", names.join(", ")), operands, 1)[0]
}

#[test]
fn arithmetic() {
    for (name, operands, expected) in [
        ("add.u32", &[0xffff_ffff, 2][..], 1),
        ("sub.s32", &[1, 2], u32::MAX),
        ("mul.lo.s32", &[0x10001, 0x10001], 0x20001),
        ("mul.hi.u32", &[0x8000_0000, 6], 3),
        ("mul.hi.s32", &[0x8000_0000, 6], -3i32 as u32),
        ("mad.lo.s32", &[7, 6, 5], 47),
        ("div.s32", &[-7i32 as u32, 2], -3i32 as u32),
        ("div.u32", &[7, 0], u32::MAX),
        ("rem.s32", &[-7i32 as u32, 2], -1i32 as u32),
        ("min.s32", &[u32::MAX, 1], u32::MAX),
        ("min.u32", &[u32::MAX, 1], 1),
        ("max.s32", &[u32::MAX, 1], 1),
        ("abs.s32", &[-5i32 as u32], 5),
        ("neg.s32", &[5], -5i32 as u32),
        ("sad.u32", &[3, 10, 100], 107),
        ("mul24.lo.s32", &[0xff_ffff, 5], -5i32 as u32),
        ("dp4a.s32.s32", &[0x01ff_0203, 0x0102_0304, 10], (10 + 1 - 2 + 6 + 12) as u32),
        ("add.sat.s32", &[i32::MAX as u32, 1], i32::MAX as u32),
    ] {
        assert_eq!(op(name, operands), expected, "{name} {operands:x?}");
    }
}

#[test]
fn bits() {
    for (name, operands, expected) in [
        ("and.b32", &[0xff00, 0x0ff0][..], 0x0f00),
        ("not.b32", &[0], u32::MAX),
        ("shl.b32", &[1, 32], 0),
        ("shr.u32", &[0x8000_0000, 31], 1),
        ("shr.s32", &[0x8000_0000, 99], u32::MAX),
        ("shf.l.wrap.b32", &[0x8000_0000, 1, 1], 3),
        ("shf.r.clamp.b32", &[7, 9, 40], 9),
        ("bfe.u32", &[0x1234_5678, 8, 8], 0x56),
        ("bfe.s32", &[0x0000_8000, 8, 8], 0xffff_ff80),
        ("bfe.s32", &[0x8000_0000, 40, 8], u32::MAX),
        ("bfi.b32", &[0xab, 0x1111_1111, 8, 8], 0x1111_ab11),
        ("bfind.u32", &[0x0001_0000], 16),
        ("bfind.s32", &[u32::MAX], u32::MAX),
        ("bfind.shiftamt.u32", &[1], 31),
        ("clz.b32", &[1], 31),
        ("popc.b32", &[0xf0f0], 8),
        ("brev.b32", &[1], 0x8000_0000),
        ("prmt.b32", &[0x3322_1180, 0x7766_5544, 0x0748], 0x8077_44ff),
    ] {
        assert_eq!(op(name, operands), expected, "{name} {operands:x?}");
    }
    let table = output(
        "mov.u32 %r2, 0xf0f0f0f0; mov.u32 %r3, 0xcccccccc; mov.u32 %r4, 0xaaaaaaaa; lop3.b32 %r5, %r2, %r3, %r4, 0x96; st.global.u32 [%rd5], %r5;",
        &[],
        1,
    );
    assert_eq!(table[0], 0x9696_9696);
}

#[test]
fn wide_and_narrow() {
    let out = output(
        "ld.global.u32 %r2, [%rd1]; ld.global.u32 %r3, [%rd1+4]; mul.wide.s32 %rd6, %r2, %r3; st.global.u64 [%rd2], %rd6;
         cvt.u16.u32 %rs1, %r2; mul.wide.u16 %r4, %rs1, %rs1; st.global.u32 [%rd2+8], %r4;
         mov.b64 {%r5, %r6}, %rd6; st.global.v2.u32 [%rd2+16], {%r6, %r5}; mov.b64 %rd7, {%r5, %r6}; st.global.u64 [%rd2+24], %rd7;
         mov.b32 {%rs2, %rs3}, %r2; mov.b32 %r7, {%rs3, %rs2}; st.global.u32 [%rd2+32], %r7;",
        &[-3i32 as u32, 1000],
        1,
    );
    let product = -3000i64 as u64;
    assert_eq!((out[0], out[1]), (product as u32, (product >> 32) as u32));
    assert_eq!(out[2], 0xfffd * 0xfffd);
    assert_eq!((out[4], out[5]), ((product >> 32) as u32, product as u32));
    assert_eq!((out[6], out[7]), (product as u32, (product >> 32) as u32));
    assert_eq!(out[8], 0xfffd_ffff);
}

#[test]
fn a_choice_follows_its_predicate() {
    let out = output(
        "setp.lt.u32 %p1|%p2, %r1, 3; selp.b32 %r2, 10, 20, %p1; @%p2 add.u32 %r2, %r2, 1; st.global.u32 [%rd5], %r2;",
        &[],
        5,
    );
    assert_eq!(out[..5], [10, 10, 10, 21, 21]);
}
