//! f32, f64 and half precision: rounding, NaN, subnormals, saturation, conversions.

mod common;
use common::{f, output};

fn op(op: &str, operands: &[u32]) -> u32 {
    let loads: String = (0..operands.len()).map(|i| format!("ld.global.f32 %f{}, [%rd1+{}];", i + 2, 4 * i)).collect();
    let names: Vec<String> = (0..operands.len()).map(|i| format!("%f{}", i + 2)).collect();
    output(&format!("{loads} {op} %f10, {}; st.global.f32 [%rd5], %f10;", names.join(", ")), operands, 1)[0]
}

const NAN: u32 = 0x7fff_ffff;

#[test]
fn single_precision() {
    let e = f32::EPSILON;
    for (name, operands, expected) in [
        ("add.f32", &[f(1.5), f(2.25)][..], f(3.75)),
        ("sub.f32", &[f(f32::INFINITY), f(f32::INFINITY)], NAN),
        // Rounded once: the product alone would lose its last bit.
        ("fma.rn.f32", &[f(1.0 + e), f(1.0 + e), f(-1.0 - 2.0 * e)], f(e * e)),
        ("fma.rm.f32", &[f(1.0), f(1.0), f(e / 4.0)], f(1.0)),
        ("fma.rp.f32", &[f(1.0), f(1.0), f(e / 4.0)], f(1.0 + e)),
        ("add.rz.f32", &[f(1.0), f(-e / 8.0)], f(1.0 - e / 2.0)),
        ("add.rm.f32", &[f(1.0), f(-1.0)], f(-0.0)),
        ("mul.rz.f32", &[f(f32::MAX), f(2.0)], f(f32::MAX)),
        ("div.rn.f32", &[f(1.0), f(3.0)], f(1.0 / 3.0)),
        ("div.rm.f32", &[f(1.0), f(3.0)], f((1.0f32 / 3.0).next_down())),
        ("rcp.rn.f32", &[f(0.0)], f(f32::INFINITY)),
        ("sqrt.rn.f32", &[f(2.0)], f(2f32.sqrt())),
        ("add.ftz.f32", &[1, 1], 0),
        ("add.f32", &[1, 1], 2),
        ("add.sat.f32", &[f(0.75), f(0.75)], f(1.0)),
        ("min.f32", &[NAN, f(3.0)], f(3.0)),
        ("min.NaN.f32", &[NAN, f(3.0)], NAN),
        ("max.f32", &[f(-0.0), f(0.0)], f(0.0)),
        ("min.xorsign.abs.f32", &[f(-2.0), f(3.0)], f(-2.0)),
        ("copysign.f32", &[f(-1.0), f(3.0)], f(-3.0)),
        ("abs.f32", &[f(-3.0)], f(3.0)),
        ("ex2.approx.f32", &[f(3.0)], f(8.0)),
        ("lg2.approx.f32", &[f(8.0)], f(3.0)),
        ("cvt.rni.f32.f32", &[f(2.5)], f(2.0)),
        ("cvt.sat.f32.f32", &[f(-2.5)], f(0.0)),
    ] {
        assert_eq!(op(name, operands), expected, "{name} {operands:x?}");
    }
}

#[test]
fn conversions() {
    let out = output(
        "ld.global.f32 %f1, [%rd4]; cvt.rzi.s32.f32 %r2, %f1; st.global.u32 [%rd2], %r2;
         cvt.rni.u32.f32 %r3, %f1; st.global.u32 [%rd2+4], %r3; mov.f32 %f2, 0f7FC00000; cvt.rzi.s32.f32 %r4, %f2; st.global.u32 [%rd2+8], %r4;
         cvt.rn.f16.f32 %rs1, 0f3F801000; cvt.u32.u16 %r5, %rs1; st.global.u32 [%rd2+12], %r5; cvt.f32.f16 %f3, %rs1; st.global.f32 [%rd2+16], %f3;
         cvt.rn.bf16x2.f32 %r6, 0f3F800000, 0fC0000000; st.global.u32 [%rd2+20], %r6;
         cvt.rna.tf32.f32 %r7, 0f3F801000; st.global.u32 [%rd2+24], %r7;
         mov.u32 %r8, 0x01000003; cvt.rz.f32.u32 %f4, %r8; st.global.f32 [%rd2+28], %f4; cvt.rp.f32.u32 %f5, %r8; st.global.f32 [%rd2+32], %f5;
         cvt.sat.u8.s32 %r9, -5; st.global.u32 [%rd2+36], %r9; mov.u32 %r10, 0x80; cvt.s32.s8 %r11, %r10; st.global.u32 [%rd2+40], %r11;",
        &[f(-2.5)],
        1,
    );
    assert_eq!(out[..3], [-2i32 as u32, 0, 0]);
    assert_eq!(out[3], 0x3c00, "halfway, to even");
    assert_eq!(out[4], f(1.0));
    assert_eq!(out[5], 0x3f80_c000);
    assert_eq!(out[6], 0x3f80_2000, "halfway, away from zero");
    assert_eq!((out[7], out[8]), (f(16_777_218.0), f(16_777_220.0)));
    assert_eq!((out[9], out[10]), (0, 0xffff_ff80));
}

#[test]
fn halves() {
    let out = output(
        "mov.b32 %r2, 0x3c004000; mov.b32 %r3, 0x40003c00; fma.rn.f16x2 %r4, %r2, %r3, %r2; st.global.u32 [%rd2], %r4;
         add.rn.f16x2 %r5, %r2, %r3; st.global.u32 [%rd2+4], %r5; max.f16x2 %r6, %r2, %r3; st.global.u32 [%rd2+8], %r6;
         mov.b16 %rs1, 0x3f80; fma.rn.bf16 %rs2, %rs1, %rs1, %rs1; cvt.u32.u16 %r7, %rs2; st.global.u32 [%rd2+12], %r7;
         setp.gt.f16x2 %p1|%p2, %r2, %r3; selp.u32 %r8, 1, 0, %p1; st.global.u32 [%rd2+16], %r8; selp.u32 %r9, 1, 0, %p2; st.global.u32 [%rd2+20], %r9;",
        &[],
        1,
    );
    assert_eq!(out[..6], [0x4200_4400, 0x4200_4200, 0x4000_4000, 0x4000, 1, 0]);
}

#[test]
fn comparisons_with_nan() {
    for (order, nan, less) in [
        ("lt", 0, 1),
        ("ltu", 1, 1),
        ("ge", 0, 0),
        ("geu", 1, 0),
        ("ne", 0, 1),
        ("neu", 1, 1),
        ("eq", 0, 0),
        ("equ", 1, 0),
        ("num", 0, 1),
        ("nan", 1, 0),
    ] {
        let out = output(
            &format!(
                "ld.global.f32 %f1, [%rd4]; setp.{order}.f32 %p1, %f1, 0f40000000; selp.u32 %r2, 1, 0, %p1; st.global.u32 [%rd5], %r2;"
            ),
            &[NAN, f(1.0)],
            2,
        );
        assert_eq!(out[..2], [nan, less], "{order}");
    }
}

#[test]
fn kinds_of_numbers() {
    let bits = [0, 1, f(1.0), f(f32::NEG_INFINITY), NAN];
    for (kind, expected) in [
        ("finite", [1, 1, 1, 0, 0]),
        ("infinite", [0, 0, 0, 1, 0]),
        ("number", [1, 1, 1, 1, 0]),
        ("notanumber", [0, 0, 0, 0, 1]),
        ("normal", [0, 0, 1, 0, 0]),
        ("subnormal", [0, 1, 0, 0, 0]),
    ] {
        let out = output(
            &format!(
                "ld.global.f32 %f1, [%rd4]; testp.{kind}.f32 %p1, %f1; selp.u32 %r2, 1, 0, %p1; st.global.u32 [%rd5], %r2;"
            ),
            &bits,
            5,
        );
        assert_eq!(out[..5], expected, "{kind}");
    }
}

#[test]
fn choices_without_predicates() {
    let out = output(
        "ld.global.f32 %f1, [%rd4]; set.lt.u32.f32 %r2, %f1, 0f40000000; st.global.u32 [%rd5], %r2;
         set.lt.f32.f32 %f2, %f1, 0f40000000; st.global.f32 [%rd5+16], %f2; set.ge.s32.u32 %r3, %r1, 2; st.global.u32 [%rd5+32], %r3;
         slct.b32.f32 %r4, 11, 22, %f1; st.global.u32 [%rd5+48], %r4; sub.s32 %r5, %r1, 1; slct.f32.s32 %f3, 0f3F800000, 0f40000000, %r5; st.global.f32 [%rd5+64], %f3;",
        &[f(1.0), f(-0.0), f(-3.0), f(5.0)],
        4,
    );
    assert_eq!(out[..4], [u32::MAX, u32::MAX, u32::MAX, 0]);
    assert_eq!(out[4..8], [f(1.0), f(1.0), f(1.0), 0]);
    assert_eq!(out[8..12], [0, 0, u32::MAX, u32::MAX]);
    // -0 is not less than 0.
    assert_eq!(out[12..16], [11, 11, 22, 11]);
    assert_eq!(out[16..20], [f(2.0), f(1.0), f(1.0), f(1.0)]);
}

#[test]
fn double_precision() {
    let (third, e) = (1.0f64 / 3.0, f64::EPSILON);
    for (name, operands, expected) in [
        ("add.f64", &[1.5, 2.25][..], 3.75),
        ("sub.f64", &[1.0, e / 2.0], 1.0 - e / 2.0),
        ("mul.f64", &[third, 3.0], 1.0),
        // Rounded once: the product alone would lose its last bit.
        ("fma.rn.f64", &[1.0 + e, 1.0 + e, -1.0 - 2.0 * e], e * e),
        ("div.rn.f64", &[1.0, 3.0], third),
        ("rcp.rn.f64", &[3.0], third),
        ("sqrt.rn.f64", &[2.0], std::f64::consts::SQRT_2),
        ("min.f64", &[f64::NAN, 3.0], 3.0),
        ("max.f64", &[-0.0, 0.0], 0.0),
        ("abs.f64", &[-3.0], 3.0),
        ("neg.f64", &[5e-324], -5e-324),
        ("cvt.rni.f64.f64", &[2.5], 2.0),
        ("cvt.rzi.f64.f64", &[-2.5], -2.0),
        ("copysign.f64", &[-1.0, 3.0], -3.0),
    ] {
        let loads: String =
            (0..operands.len()).map(|i| format!("ld.global.f64 %fd{}, [%rd1+{}];", i + 2, 8 * i)).collect();
        let names: Vec<String> = (0..operands.len()).map(|i| format!("%fd{}", i + 2)).collect();
        let body = format!("{loads} {name} %fd10, {}; st.global.f64 [%rd2], %fd10;", names.join(", "));
        let out = output(&body, bytemuck::cast_slice(operands), 1);
        let got = f64::from_bits(u64::from(out[1]) << 32 | u64::from(out[0]));
        assert_eq!(got.to_bits(), expected.to_bits(), "{name} {operands:?}: {got}");
    }
    let out = output(
        "ld.global.f64 %fd1, [%rd1]; cvt.rzi.s64.f64 %rd6, %fd1; st.global.u64 [%rd2], %rd6; cvt.rn.f32.f64 %f1, %fd1; st.global.f32 [%rd2+8], %f1;
         cvt.rn.f64.s64 %fd2, %rd6; st.global.f64 [%rd2+16], %fd2; setp.lt.f64 %p1, %fd1, 0d0000000000000000; selp.u32 %r2, 1, 0, %p1; st.global.u32 [%rd2+12], %r2;",
        bytemuck::cast_slice(&[-1e10f64 / 3.0]),
        1,
    );
    assert_eq!((u64::from(out[1]) << 32 | u64::from(out[0])) as i64, -3_333_333_333);
    assert_eq!((out[2], out[3]), (f((-1e10f64 / 3.0) as f32), 1));
    assert_eq!(u64::from(out[5]) << 32 | u64::from(out[4]), (-3_333_333_333f64).to_bits());
}
