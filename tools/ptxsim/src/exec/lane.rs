//! Values of a lane: how each type is read from a register file and written to it.

use super::warp::Warp;
use crate::code::{Reg, RegFile};
use crate::syntax::ast::Type;

/// A type that instructions compute with.
pub trait Lane: Copy {
    /// The file it lives in.
    const FILE: RegFile;
    /// The type its immediates are written in.
    const TYPE: Type;
    /// A register's lanes, borrowed.
    type Source<'a>: Copy;
    /// A register's lanes, being made.
    type Made;
    /// The register.
    fn source(warp: &Warp, reg: Reg) -> Self::Source<'_>;
    /// The lanes that were written.
    fn known(warp: &Warp, reg: Reg) -> u32;
    /// One lane's value.
    fn get(source: &Self::Source<'_>, lane: usize) -> Self;
    /// Nothing yet.
    fn make() -> Self::Made;
    /// Sets one lane's value.
    fn put(made: &mut Self::Made, lane: usize, value: Self);
    /// Writes the lanes of `mask`.
    fn store(warp: &mut Warp, reg: Reg, mask: u32, made: &Self::Made);
}

macro_rules! lane {
    ($($type:ty, $file:ident, $ptx:ident, $raw:ty, $source:ident, $known:ident, $set:ident, |$a:ident| $from:expr, |$b:ident| $to:expr;)+) => {$(
        impl Lane for $type {
            const FILE: RegFile = RegFile::$file;
            const TYPE: Type = Type::$ptx;
            type Source<'a> = &'a [$raw; 32];
            type Made = [$raw; 32];
            #[inline(always)]
            fn source(warp: &Warp, reg: Reg) -> &[$raw; 32] { warp.$source(reg) }
            #[inline(always)]
            fn known(warp: &Warp, reg: Reg) -> u32 { warp.$known(reg) }
            #[inline(always)]
            fn get(source: &Self::Source<'_>, lane: usize) -> Self { let $a = source[lane]; $from }
            #[inline(always)]
            fn make() -> Self::Made { [0; 32] }
            #[inline(always)]
            fn put(made: &mut Self::Made, lane: usize, $b: Self) { made[lane] = $to; }
            #[inline(always)]
            fn store(warp: &mut Warp, reg: Reg, mask: u32, made: &Self::Made) { warp.$set(reg, mask, made); }
        }
    )+};
}

lane! {
    u32, R32, U32, u32, v32, known32, set32, |a| a, |b| b;
    i32, R32, S32, u32, v32, known32, set32, |a| a as i32, |b| b as u32;
    f32, R32, F32, u32, v32, known32, set32, |a| f32::from_bits(a), |b| b.to_bits();
    u16, R32, U16, u32, v32, known32, set32, |a| a as u16, |b| u32::from(b);
    i16, R32, S16, u32, v32, known32, set32, |a| a as i16, |b| u32::from(b as u16);
    half::f16, R32, F16, u32, v32, known32, set32, |a| half::f16::from_bits(a as u16), |b| u32::from(b.to_bits());
    half::bf16, R32, BF16, u32, v32, known32, set32, |a| half::bf16::from_bits(a as u16), |b| u32::from(b.to_bits());
    [half::f16; 2], R32, F16x2, u32, v32, known32, set32,
        |a| [half::f16::from_bits(a as u16), half::f16::from_bits((a >> 16) as u16)],
        |b| u32::from(b[0].to_bits()) | u32::from(b[1].to_bits()) << 16;
    [half::bf16; 2], R32, BF16x2, u32, v32, known32, set32,
        |a| [half::bf16::from_bits(a as u16), half::bf16::from_bits((a >> 16) as u16)],
        |b| u32::from(b[0].to_bits()) | u32::from(b[1].to_bits()) << 16;
    u64, R64, U64, u64, v64, known64, set64, |a| a, |b| b;
    i64, R64, S64, u64, v64, known64, set64, |a| a as i64, |b| b as u64;
    f64, R64, F64, u64, v64, known64, set64, |a| f64::from_bits(a), |b| b.to_bits();
}

impl Lane for bool {
    const FILE: RegFile = RegFile::Pred;
    const TYPE: Type = Type::Pred;
    type Source<'a> = u32;
    type Made = u32;
    #[inline(always)]
    fn source(warp: &Warp, reg: Reg) -> u32 {
        warp.p(reg)
    }
    #[inline(always)]
    fn known(warp: &Warp, reg: Reg) -> u32 {
        warp.known_pred(reg)
    }
    #[inline(always)]
    fn get(source: &u32, lane: usize) -> Self {
        source >> lane & 1 != 0
    }
    #[inline(always)]
    fn make() -> u32 {
        0
    }
    #[inline(always)]
    fn put(made: &mut u32, lane: usize, value: Self) {
        *made |= u32::from(value) << lane;
    }
    #[inline(always)]
    fn store(warp: &mut Warp, reg: Reg, mask: u32, made: &u32) {
        warp.set_pred(reg, mask, *made);
    }
}
