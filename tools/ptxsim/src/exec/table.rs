//! Lane-wise arithmetic as tables: an instruction's spellings, its operands' types, and what it computes.
//!
//! What kernels are full of is in `Hot`, which is compiled into the run loop for each instruction set; the rest once, with loops that
//! stay loops: a hundred of them unrolled would be most of the crate's compile time.

use super::lane::Lane;
use super::scalar::*;
use super::warp::{Warp, unwritten};
use crate::code::{Reg, RegFile};
use crate::error::Executed;
use crate::syntax::ast::Type;
use half::{bf16, f16};
use std::collections::HashMap;
use std::sync::LazyLock;

type H2 = [f16; 2];
type B2 = [bf16; 2];

macro_rules! table {
    ($table:ident, $run:meta, $lanes:expr; $( $name:ident: $($spelling:literal)|*, ($($arg:ident: $type:ty),+) -> $out:ty = $body:expr; )+) => {
        /// An instruction of this table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum $table { $($name),+ }

        impl $table {
            /// Each instruction's spellings; those that PTX does not write have none.
            const SPELLINGS: &[(&[&str], Self)] = &[$( (&[$($spelling),*], Self::$name) ),+];

            /// Where its result and its operands live, and the type of each.
            pub fn signature(self) -> &'static [(RegFile, Type)] {
                match self { $( Self::$name => &[
                    (<$out as Lane>::FILE, <$out as Lane>::TYPE), $( (<$type as Lane>::FILE, <$type as Lane>::TYPE) ),+
                ], )+ }
            }

            /// Executes it for the lanes of `mask`. All 32 are computed: a loop without conditions is the fastest one.
            #[$run]
            pub fn run(self, warp: &mut Warp, regs: &[Reg; 5], mask: u32) -> Executed {
                match self { $( Self::$name => {
                    let mut missing = 0;
                    let mut i = 0;
                    $(
                        i += 1;
                        let reg = regs[i];
                        missing |= mask & !<$type as Lane>::known(warp, reg);
                        let $arg = <$type as Lane>::source(warp, reg);
                    )+
                    if missing != 0 {
                        return Err(unwritten(missing));
                    }
                    let mut made = <$out as Lane>::make();
                    for lane in 0..$lanes.min(32) {
                        $( let $arg = <$type as Lane>::get(&$arg, lane); )+
                        <$out as Lane>::put(&mut made, lane, $body);
                    }
                    <$out as Lane>::store(warp, regs[0], mask, &made);
                } )+ }
                Ok(())
            }
        }
    };
}

/// An instruction of either table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alu {
    /// Frequent.
    Hot(Hot),
    /// The rest.
    Cold(Cold),
}

/// The instructions by their spelling.
static BY_SPELLING: LazyLock<HashMap<&str, Alu>> = LazyLock::new(|| {
    let hot = Hot::SPELLINGS.iter().map(|(all, hot)| (*all, Alu::Hot(*hot)));
    let all = hot.chain(Cold::SPELLINGS.iter().map(|(all, cold)| (*all, Alu::Cold(*cold))));
    all.flat_map(|(all, alu)| all.iter().map(move |one| (*one, alu))).collect()
});

impl Alu {
    /// The instruction of an opcode.
    pub fn of(opcode: &str) -> Option<Self> {
        BY_SPELLING.get(opcode).copied()
    }

    /// All opcodes of the tables.
    pub fn spellings() -> impl Iterator<Item = &'static str> {
        BY_SPELLING.keys().copied()
    }

    /// Where its result and its operands live, and the type of each.
    pub fn signature(self) -> &'static [(RegFile, Type)] {
        match self {
            Self::Hot(hot) => hot.signature(),
            Self::Cold(cold) => cold.signature(),
        }
    }

    /// Executes it for the lanes of `mask`.
    #[inline(always)]
    pub fn run(self, warp: &mut Warp, regs: &[Reg; 5], mask: u32) -> Executed {
        match self {
            Self::Hot(hot) => hot.run(warp, regs, mask),
            Self::Cold(cold) => cold.run(warp, regs, mask),
        }
    }
}

table! {
    Hot, inline(always), 32usize;

    Mov32: "mov.b32" | "mov.u32" | "mov.s32" | "mov.f32", (a: u32) -> u32 = a;
    Mov64: "mov.b64" | "mov.u64" | "mov.s64" | "mov.f64", (a: u64) -> u64 = a;
    Add32: "add.u32" | "add.s32", (a: u32, b: u32) -> u32 = a.wrapping_add(b);
    Add64: "add.u64" | "add.s64", (a: u64, b: u64) -> u64 = a.wrapping_add(b);
    Sub32: "sub.u32" | "sub.s32", (a: u32, b: u32) -> u32 = a.wrapping_sub(b);
    Sub64: "sub.u64" | "sub.s64", (a: u64, b: u64) -> u64 = a.wrapping_sub(b);
    MulLo32: "mul.lo.u32" | "mul.lo.s32", (a: u32, b: u32) -> u32 = a.wrapping_mul(b);
    MulWideU32: "mul.wide.u32", (a: u32, b: u32) -> u64 = u64::from(a) * u64::from(b);
    MulWideS32: "mul.wide.s32", (a: i32, b: i32) -> i64 = i64::from(a) * i64::from(b);
    MadLo32: "mad.lo.u32" | "mad.lo.s32", (a: u32, b: u32, c: u32) -> u32 = a.wrapping_mul(b).wrapping_add(c);
    MadWideS32: "mad.wide.s32", (a: i32, b: i32, c: i64) -> i64 = (i64::from(a) * i64::from(b)).wrapping_add(c);
    MinS32: "min.s32", (a: i32, b: i32) -> i32 = a.min(b);
    MaxS32: "max.s32", (a: i32, b: i32) -> i32 = a.max(b);
    And32: "and.b32", (a: u32, b: u32) -> u32 = a & b;
    And64: "and.b64", (a: u64, b: u64) -> u64 = a & b;
    Or32: "or.b32", (a: u32, b: u32) -> u32 = a | b;
    Xor32: "xor.b32", (a: u32, b: u32) -> u32 = a ^ b;
    Shl32: "shl.b32", (a: u32, b: u32) -> u32 = if b > 31 { 0 } else { a << (b & 31) };
    Shl64: "shl.b64", (a: u64, b: u32) -> u64 = if b > 63 { 0 } else { a << (b & 63) };
    ShrU32: "shr.u32" | "shr.b32", (a: u32, b: u32) -> u32 = if b > 31 { 0 } else { a >> (b & 31) };
    ShrS32: "shr.s32", (a: i32, b: u32) -> i32 = a >> b.min(31);
    Selp32: "selp.b32" | "selp.u32" | "selp.s32" | "selp.f32", (a: u32, b: u32, p: bool) -> u32 = if p { a } else { b };
    AddF32: "add.f32" | "add.rn.f32", (a: f32, b: f32) -> f32 = canonical(a + b);
    SubF32: "sub.f32" | "sub.rn.f32", (a: f32, b: f32) -> f32 = canonical(a - b);
    MulF32: "mul.f32" | "mul.rn.f32", (a: f32, b: f32) -> f32 = canonical(a * b);
    FmaF32: "fma.rn.f32" | "mad.rn.f32" | "mad.f32", (a: f32, b: f32, c: f32) -> f32 = canonical(a.mul_add(b, c));
    MinF32: "min.f32", (a: f32, b: f32) -> f32 = min_number(a, b);
    MaxF32: "max.f32", (a: f32, b: f32) -> f32 = max_number(a, b);
    AbsF32: "abs.f32", (a: u32) -> u32 = a & 0x7fff_ffff;
    NegF32: "neg.f32", (a: u32) -> u32 = a ^ 0x8000_0000;
    CvtU64U32: "cvt.u64.u32", (a: u32) -> u64 = u64::from(a);
    CvtS64S32: "cvt.s64.s32" | "cvt.u64.s32", (a: i32) -> i64 = i64::from(a);
    CvtU32U64: "cvt.u32.u64" | "cvt.s32.s64" | "cvt.s32.u64" | "cvt.u32.s64", (a: u64) -> u32 = a as u32;
    CvtF32S32: "cvt.rn.f32.s32", (a: i32) -> f32 = a as f32;
    CvtF32U32: "cvt.rn.f32.u32", (a: u32) -> f32 = a as f32;
}

table! {
    Cold, inline(never), std::hint::black_box(32usize);

    // Moves.
    Mov16: "mov.b16" | "mov.u16" | "mov.s16" | "mov.f16" | "mov.bf16", (a: u16) -> u16 = a;
    MovPred: "mov.pred", (a: bool) -> bool = a;

    // What `mov` with a tuple is made of.
    Pack16: , (a: u16, b: u16) -> u32 = u32::from(a) | u32::from(b) << 16;
    Pack32: , (a: u32, b: u32) -> u64 = wide(a, b);
    Low16: , (a: u32) -> u32 = a & 0xffff;
    High16: , (a: u32) -> u32 = a >> 16;
    Low32: , (a: u64) -> u32 = a as u32;
    High32: , (a: u64) -> u32 = (a >> 32) as u32;

    // What sums with a carry are made of.
    AddCarry32: , (a: u32, b: u32, c: bool) -> u32 = a.wrapping_add(b).wrapping_add(u32::from(c));
    AddCarry64: , (a: u64, b: u64, c: bool) -> u64 = a.wrapping_add(b).wrapping_add(u64::from(c));
    CarryOfAdd32: , (a: u32, b: u32, c: bool) -> bool = u64::from(a) + u64::from(b) + u64::from(c) > u64::from(u32::MAX);
    CarryOfAdd64: , (a: u64, b: u64, c: bool) -> bool = u128::from(a) + u128::from(b) + u128::from(c) > u128::from(u64::MAX);
    SubBorrow32: , (a: u32, b: u32, c: bool) -> u32 = a.wrapping_sub(b).wrapping_sub(u32::from(c));
    SubBorrow64: , (a: u64, b: u64, c: bool) -> u64 = a.wrapping_sub(b).wrapping_sub(u64::from(c));
    BorrowOfSub32: , (a: u32, b: u32, c: bool) -> bool = u64::from(a) < u64::from(b) + u64::from(c);
    BorrowOfSub64: , (a: u64, b: u64, c: bool) -> bool = u128::from(a) < u128::from(b) + u128::from(c);

    // Integers.
    Add16: "add.u16" | "add.s16", (a: u16, b: u16) -> u16 = a.wrapping_add(b);
    AddSat: "add.sat.s32", (a: i32, b: i32) -> i32 = a.saturating_add(b);
    Sub16: "sub.u16" | "sub.s16", (a: u16, b: u16) -> u16 = a.wrapping_sub(b);
    SubSat: "sub.sat.s32", (a: i32, b: i32) -> i32 = a.saturating_sub(b);
    MulLo16: "mul.lo.u16" | "mul.lo.s16", (a: u16, b: u16) -> u16 = a.wrapping_mul(b);
    MulLo64: "mul.lo.u64" | "mul.lo.s64", (a: u64, b: u64) -> u64 = a.wrapping_mul(b);
    MulHiU16: "mul.hi.u16", (a: u16, b: u16) -> u16 = (u32::from(a) * u32::from(b) >> 16) as u16;
    MulHiS16: "mul.hi.s16", (a: i16, b: i16) -> i16 = (i32::from(a) * i32::from(b) >> 16) as i16;
    MulHiU32: "mul.hi.u32", (a: u32, b: u32) -> u32 = (u64::from(a) * u64::from(b) >> 32) as u32;
    MulHiS32: "mul.hi.s32", (a: i32, b: i32) -> i32 = (i64::from(a) * i64::from(b) >> 32) as i32;
    MulHiU64: "mul.hi.u64", (a: u64, b: u64) -> u64 = (u128::from(a) * u128::from(b) >> 64) as u64;
    MulHiS64: "mul.hi.s64", (a: i64, b: i64) -> i64 = (i128::from(a) * i128::from(b) >> 64) as i64;
    MulWideU16: "mul.wide.u16", (a: u16, b: u16) -> u32 = u32::from(a) * u32::from(b);
    MulWideS16: "mul.wide.s16", (a: i16, b: i16) -> i32 = i32::from(a) * i32::from(b);
    Mul24LoU: "mul24.lo.u32", (a: u32, b: u32) -> u32 = (a & 0xff_ffff).wrapping_mul(b & 0xff_ffff);
    Mul24LoS: "mul24.lo.s32", (a: i32, b: i32) -> i32 = (a << 8 >> 8).wrapping_mul(b << 8 >> 8);
    Mul24HiU: "mul24.hi.u32", (a: u32, b: u32) -> u32 = (u64::from(a & 0xff_ffff) * u64::from(b & 0xff_ffff) >> 16) as u32;
    Mul24HiS: "mul24.hi.s32", (a: i32, b: i32) -> i32 = (i64::from(a << 8 >> 8) * i64::from(b << 8 >> 8) >> 16) as i32;
    MadLo16: "mad.lo.u16" | "mad.lo.s16", (a: u16, b: u16, c: u16) -> u16 = a.wrapping_mul(b).wrapping_add(c);
    MadLo64: "mad.lo.u64" | "mad.lo.s64", (a: u64, b: u64, c: u64) -> u64 = a.wrapping_mul(b).wrapping_add(c);
    MadHiU32: "mad.hi.u32", (a: u32, b: u32, c: u32) -> u32 = ((u64::from(a) * u64::from(b) >> 32) as u32).wrapping_add(c);
    MadHiS32: "mad.hi.s32", (a: i32, b: i32, c: i32) -> i32 = ((i64::from(a) * i64::from(b) >> 32) as i32).wrapping_add(c);
    MadWideU16: "mad.wide.u16", (a: u16, b: u16, c: u32) -> u32 = (u32::from(a) * u32::from(b)).wrapping_add(c);
    MadWideS16: "mad.wide.s16", (a: i16, b: i16, c: i32) -> i32 = (i32::from(a) * i32::from(b)).wrapping_add(c);
    MadWideU32: "mad.wide.u32", (a: u32, b: u32, c: u64) -> u64 = (u64::from(a) * u64::from(b)).wrapping_add(c);
    Mad24LoU: "mad24.lo.u32", (a: u32, b: u32, c: u32) -> u32 = (a & 0xff_ffff).wrapping_mul(b & 0xff_ffff).wrapping_add(c);
    Mad24LoS: "mad24.lo.s32", (a: i32, b: i32, c: i32) -> i32 = (a << 8 >> 8).wrapping_mul(b << 8 >> 8).wrapping_add(c);
    // What a division by zero gives is unspecified; all ones is what the hardware gives.
    DivU16: "div.u16", (a: u16, b: u16) -> u16 = a.checked_div(b).unwrap_or(u16::MAX);
    DivS16: "div.s16", (a: i16, b: i16) -> i16 = if b == 0 { -1 } else { a.wrapping_div(b) };
    DivU32: "div.u32", (a: u32, b: u32) -> u32 = a.checked_div(b).unwrap_or(u32::MAX);
    DivS32: "div.s32", (a: i32, b: i32) -> i32 = if b == 0 { -1 } else { a.wrapping_div(b) };
    DivU64: "div.u64", (a: u64, b: u64) -> u64 = a.checked_div(b).unwrap_or(u64::MAX);
    DivS64: "div.s64", (a: i64, b: i64) -> i64 = if b == 0 { -1 } else { a.wrapping_div(b) };
    RemU16: "rem.u16", (a: u16, b: u16) -> u16 = a.checked_rem(b).unwrap_or(a);
    RemS16: "rem.s16", (a: i16, b: i16) -> i16 = if b == 0 { a } else { a.wrapping_rem(b) };
    RemU32: "rem.u32", (a: u32, b: u32) -> u32 = a.checked_rem(b).unwrap_or(a);
    RemS32: "rem.s32", (a: i32, b: i32) -> i32 = if b == 0 { a } else { a.wrapping_rem(b) };
    RemU64: "rem.u64", (a: u64, b: u64) -> u64 = a.checked_rem(b).unwrap_or(a);
    RemS64: "rem.s64", (a: i64, b: i64) -> i64 = if b == 0 { a } else { a.wrapping_rem(b) };
    MinU16: "min.u16", (a: u16, b: u16) -> u16 = a.min(b);
    MinS16: "min.s16", (a: i16, b: i16) -> i16 = a.min(b);
    MinU32: "min.u32", (a: u32, b: u32) -> u32 = a.min(b);
    MinU64: "min.u64", (a: u64, b: u64) -> u64 = a.min(b);
    MinS64: "min.s64", (a: i64, b: i64) -> i64 = a.min(b);
    MaxU16: "max.u16", (a: u16, b: u16) -> u16 = a.max(b);
    MaxS16: "max.s16", (a: i16, b: i16) -> i16 = a.max(b);
    MaxU32: "max.u32", (a: u32, b: u32) -> u32 = a.max(b);
    MaxU64: "max.u64", (a: u64, b: u64) -> u64 = a.max(b);
    MaxS64: "max.s64", (a: i64, b: i64) -> i64 = a.max(b);
    MinReluS32: "min.relu.s32", (a: i32, b: i32) -> i32 = a.min(b).max(0);
    MaxReluS32: "max.relu.s32", (a: i32, b: i32) -> i32 = a.max(b).max(0);
    AbsS16: "abs.s16", (a: i16) -> i16 = a.wrapping_abs();
    AbsS32: "abs.s32", (a: i32) -> i32 = a.wrapping_abs();
    AbsS64: "abs.s64", (a: i64) -> i64 = a.wrapping_abs();
    NegS16: "neg.s16", (a: i16) -> i16 = a.wrapping_neg();
    NegS32: "neg.s32", (a: i32) -> i32 = a.wrapping_neg();
    NegS64: "neg.s64", (a: i64) -> i64 = a.wrapping_neg();
    SadU32: "sad.u32", (a: u32, b: u32, c: u32) -> u32 = c.wrapping_add(a.abs_diff(b));
    SadS32: "sad.s32", (a: i32, b: i32, c: i32) -> i32 = c.wrapping_add(a.abs_diff(b) as i32);
    Dp4aUU: "dp4a.u32.u32", (a: u32, b: u32, c: u32) -> u32 = dp4a(a, b, c, false, false);
    Dp4aSS: "dp4a.s32.s32", (a: u32, b: u32, c: u32) -> u32 = dp4a(a, b, c, true, true);
    Dp4aUS: "dp4a.u32.s32", (a: u32, b: u32, c: u32) -> u32 = dp4a(a, b, c, false, true);
    Dp4aSU: "dp4a.s32.u32", (a: u32, b: u32, c: u32) -> u32 = dp4a(a, b, c, true, false);

    // Two 16-bit integers.
    AddX2: "add.u16x2" | "add.s16x2", (a: u32, b: u32) -> u32 = halves(a, b, u16::wrapping_add);
    MinU16x2: "min.u16x2", (a: u32, b: u32) -> u32 = halves(a, b, u16::min);
    MaxU16x2: "max.u16x2", (a: u32, b: u32) -> u32 = halves(a, b, u16::max);
    MinS16x2: "min.s16x2", (a: u32, b: u32) -> u32 = halves(a, b, |a, b| (a as i16).min(b as i16) as u16);
    MaxS16x2: "max.s16x2", (a: u32, b: u32) -> u32 = halves(a, b, |a, b| (a as i16).max(b as i16) as u16);
    MinReluS16x2: "min.relu.s16x2", (a: u32, b: u32) -> u32 = halves(a, b, |a, b| (a as i16).min(b as i16).max(0) as u16);
    MaxReluS16x2: "max.relu.s16x2", (a: u32, b: u32) -> u32 = halves(a, b, |a, b| (a as i16).max(b as i16).max(0) as u16);

    // Bits.
    And16: "and.b16", (a: u16, b: u16) -> u16 = a & b;
    AndPred: "and.pred", (a: bool, b: bool) -> bool = a & b;
    Or16: "or.b16", (a: u16, b: u16) -> u16 = a | b;
    Or64: "or.b64", (a: u64, b: u64) -> u64 = a | b;
    OrPred: "or.pred", (a: bool, b: bool) -> bool = a | b;
    Xor16: "xor.b16", (a: u16, b: u16) -> u16 = a ^ b;
    Xor64: "xor.b64", (a: u64, b: u64) -> u64 = a ^ b;
    XorPred: "xor.pred", (a: bool, b: bool) -> bool = a ^ b;
    Not16: "not.b16", (a: u16) -> u16 = !a;
    Not32: "not.b32", (a: u32) -> u32 = !a;
    Not64: "not.b64", (a: u64) -> u64 = !a;
    NotPred: "not.pred", (a: bool) -> bool = !a;
    Cnot16: "cnot.b16", (a: u16) -> u16 = u16::from(a == 0);
    Cnot32: "cnot.b32", (a: u32) -> u32 = u32::from(a == 0);
    Cnot64: "cnot.b64", (a: u64) -> u64 = u64::from(a == 0);
    // Shifts by the width or more are clamped to it.
    Shl16: "shl.b16", (a: u16, b: u32) -> u16 = if b > 15 { 0 } else { a << b };
    ShrU16: "shr.u16" | "shr.b16", (a: u16, b: u32) -> u16 = if b > 15 { 0 } else { a >> b };
    ShrS16: "shr.s16", (a: i16, b: u32) -> i16 = a >> b.min(15);
    ShrU64: "shr.u64" | "shr.b64", (a: u64, b: u32) -> u64 = if b > 63 { 0 } else { a >> (b & 63) };
    ShrS64: "shr.s64", (a: i64, b: u32) -> i64 = a >> b.min(63);
    Popc32: "popc.b32", (a: u32) -> u32 = a.count_ones();
    Popc64: "popc.b64", (a: u64) -> u32 = a.count_ones();
    Clz32: "clz.b32", (a: u32) -> u32 = a.leading_zeros();
    Clz64: "clz.b64", (a: u64) -> u32 = a.leading_zeros();
    Brev32: "brev.b32", (a: u32) -> u32 = a.reverse_bits();
    Brev64: "brev.b64", (a: u64) -> u64 = a.reverse_bits();
    BfindU32: "bfind.u32", (a: u32) -> u32 = bfind(a.into(), 32, false);
    BfindS32: "bfind.s32", (a: i32) -> u32 = bfind((a ^ (a >> 31)) as u32 as u64, 32, false);
    BfindU64: "bfind.u64", (a: u64) -> u32 = bfind(a, 64, false);
    BfindS64: "bfind.s64", (a: i64) -> u32 = bfind((a ^ (a >> 63)) as u64, 64, false);
    BfindShiftU32: "bfind.shiftamt.u32", (a: u32) -> u32 = bfind(a.into(), 32, true);
    BfindShiftS32: "bfind.shiftamt.s32", (a: i32) -> u32 = bfind((a ^ (a >> 31)) as u32 as u64, 32, true);
    BfindShiftU64: "bfind.shiftamt.u64", (a: u64) -> u32 = bfind(a, 64, true);
    BfindShiftS64: "bfind.shiftamt.s64", (a: i64) -> u32 = bfind((a ^ (a >> 63)) as u64, 64, true);
    BfeU32: "bfe.u32", (a: u32, b: u32, c: u32) -> u32 = bfe(a.into(), b, c, 32, false) as u32;
    BfeS32: "bfe.s32", (a: u32, b: u32, c: u32) -> u32 = bfe(a.into(), b, c, 32, true) as u32;
    BfeU64: "bfe.u64", (a: u64, b: u32, c: u32) -> u64 = bfe(a, b, c, 64, false);
    BfeS64: "bfe.s64", (a: u64, b: u32, c: u32) -> u64 = bfe(a, b, c, 64, true);
    Bfi32: "bfi.b32", (a: u32, b: u32, c: u32, d: u32) -> u32 = bfi(a.into(), b.into(), c, d, 32) as u32;
    Bfi64: "bfi.b64", (a: u64, b: u64, c: u32, d: u32) -> u64 = bfi(a, b, c, d, 64);
    Lop3: "lop3.b32", (a: u32, b: u32, c: u32, d: u32) -> u32 = lop3(a, b, c, d);
    Prmt: "prmt.b32", (a: u32, b: u32, c: u32) -> u32 = prmt(a, b, c);
    ShfLWrap: "shf.l.wrap.b32", (a: u32, b: u32, c: u32) -> u32 = (wide(a, b) << (c & 31) >> 32) as u32;
    ShfRWrap: "shf.r.wrap.b32", (a: u32, b: u32, c: u32) -> u32 = (wide(a, b) >> (c & 31)) as u32;
    ShfLClamp: "shf.l.clamp.b32", (a: u32, b: u32, c: u32) -> u32 = (wide(a, b) << c.min(32) >> 32) as u32;
    ShfRClamp: "shf.r.clamp.b32", (a: u32, b: u32, c: u32) -> u32 = (wide(a, b) >> c.min(32)) as u32;

    // Choices.
    Selp16: "selp.b16" | "selp.u16" | "selp.s16" | "selp.f16", (a: u16, b: u16, p: bool) -> u16 = if p { a } else { b };
    Selp64: "selp.b64" | "selp.u64" | "selp.s64" | "selp.f64", (a: u64, b: u64, p: bool) -> u64 = if p { a } else { b };
    Slct32: "slct.b32.s32" | "slct.u32.s32" | "slct.s32.s32" | "slct.f32.s32", (a: u32, b: u32, c: i32) -> u32 = if c >= 0 { a } else { b };
    Slct32F: "slct.b32.f32" | "slct.u32.f32" | "slct.s32.f32" | "slct.f32.f32", (a: u32, b: u32, c: f32) -> u32 = if c >= 0.0 { a } else { b };
    Slct64: "slct.b64.s32" | "slct.u64.s32" | "slct.s64.s32" | "slct.f64.s32", (a: u64, b: u64, c: i32) -> u64 = if c >= 0 { a } else { b };

    // f32. NaN results are the canonical one.
    DivF32: "div.rn.f32" | "div.full.f32" | "div.approx.f32" | "div.f32", (a: f32, b: f32) -> f32 = canonical(a / b);
    RcpF32: "rcp.rn.f32" | "rcp.approx.f32", (a: f32) -> f32 = canonical(1.0 / a);
    SqrtF32: "sqrt.rn.f32" | "sqrt.approx.f32", (a: f32) -> f32 = canonical(a.sqrt());
    // `copysign a, b`: the sign of a on b.
    CopysignF32: "copysign.f32", (a: u32, b: u32) -> u32 = a & 0x8000_0000 | b & 0x7fff_ffff;
    CopysignF64: "copysign.f64", (a: u64, b: u64) -> u64 = a & 1 << 63 | b & !(1 << 63);

    FiniteF32: "testp.finite.f32", (a: f32) -> bool = a.is_finite();
    InfiniteF32: "testp.infinite.f32", (a: f32) -> bool = a.is_infinite();
    NumberF32: "testp.number.f32", (a: f32) -> bool = !a.is_nan();
    NanF32: "testp.notanumber.f32", (a: f32) -> bool = a.is_nan();
    NormalF32: "testp.normal.f32", (a: f32) -> bool = a.is_normal();
    SubnormalF32: "testp.subnormal.f32", (a: f32) -> bool = a.is_subnormal();

    // f64.
    AddF64: "add.f64" | "add.rn.f64", (a: f64, b: f64) -> f64 = a + b;
    SubF64: "sub.f64" | "sub.rn.f64", (a: f64, b: f64) -> f64 = a - b;
    MulF64: "mul.f64" | "mul.rn.f64", (a: f64, b: f64) -> f64 = a * b;
    FmaF64: "fma.rn.f64" | "mad.rn.f64", (a: f64, b: f64, c: f64) -> f64 = a.mul_add(b, c);
    DivF64: "div.rn.f64", (a: f64, b: f64) -> f64 = a / b;
    RcpF64: "rcp.rn.f64" | "rcp.approx.ftz.f64", (a: f64) -> f64 = 1.0 / a;
    SqrtF64: "sqrt.rn.f64", (a: f64) -> f64 = a.sqrt();
    RsqrtF64: "rsqrt.approx.f64" | "rsqrt.approx.ftz.f64", (a: f64) -> f64 = 1.0 / a.sqrt();
    MinF64: "min.f64", (a: f64, b: f64) -> f64 = min_number64(a, b);
    MaxF64: "max.f64", (a: f64, b: f64) -> f64 = -min_number64(-a, -b);
    AbsF64: "abs.f64", (a: u64) -> u64 = a & !(1 << 63);
    NegF64: "neg.f64", (a: u64) -> u64 = a ^ 1 << 63;

    // Half precision: exact in f32 or f64, then rounded once.
    AddF16: "add.f16" | "add.rn.f16", (a: f16, b: f16) -> f16 = half_op(a, b, |a, b| a + b);
    SubF16: "sub.f16" | "sub.rn.f16", (a: f16, b: f16) -> f16 = half_op(a, b, |a, b| a - b);
    MulF16: "mul.f16" | "mul.rn.f16", (a: f16, b: f16) -> f16 = half_op(a, b, |a, b| a * b);
    FmaF16: "fma.rn.f16", (a: f16, b: f16, c: f16) -> f16 = half_fma(a, b, c);
    FmaReluF16: "fma.rn.relu.f16", (a: f16, b: f16, c: f16) -> f16 = half_relu(half_fma(a, b, c));
    MinF16: "min.f16", (a: f16, b: f16) -> f16 = half_op(a, b, min_number);
    MaxF16: "max.f16", (a: f16, b: f16) -> f16 = half_op(a, b, max_number);
    AbsF16: "abs.f16" | "abs.bf16", (a: u16) -> u16 = a & 0x7fff;
    NegF16: "neg.f16" | "neg.bf16", (a: u16) -> u16 = a ^ 0x8000;
    AbsF16x2: "abs.f16x2" | "abs.bf16x2", (a: u32) -> u32 = a & 0x7fff_7fff;
    NegF16x2: "neg.f16x2" | "neg.bf16x2", (a: u32) -> u32 = a ^ 0x8000_8000;
    AddF16x2: "add.f16x2" | "add.rn.f16x2", (a: H2, b: H2) -> H2 = pair(|i| half_op(a[i], b[i], |a, b| a + b));
    SubF16x2: "sub.f16x2" | "sub.rn.f16x2", (a: H2, b: H2) -> H2 = pair(|i| half_op(a[i], b[i], |a, b| a - b));
    MulF16x2: "mul.f16x2" | "mul.rn.f16x2", (a: H2, b: H2) -> H2 = pair(|i| half_op(a[i], b[i], |a, b| a * b));
    FmaF16x2: "fma.rn.f16x2", (a: H2, b: H2, c: H2) -> H2 = pair(|i| half_fma(a[i], b[i], c[i]));
    FmaReluF16x2: "fma.rn.relu.f16x2", (a: H2, b: H2, c: H2) -> H2 = pair(|i| half_relu(half_fma(a[i], b[i], c[i])));
    MinF16x2: "min.f16x2", (a: H2, b: H2) -> H2 = pair(|i| half_op(a[i], b[i], min_number));
    MaxF16x2: "max.f16x2", (a: H2, b: H2) -> H2 = pair(|i| half_op(a[i], b[i], max_number));
    AddBF16: "add.bf16" | "add.rn.bf16", (a: bf16, b: bf16) -> bf16 = half_op(a, b, |a, b| a + b);
    SubBF16: "sub.bf16" | "sub.rn.bf16", (a: bf16, b: bf16) -> bf16 = half_op(a, b, |a, b| a - b);
    MulBF16: "mul.bf16" | "mul.rn.bf16", (a: bf16, b: bf16) -> bf16 = half_op(a, b, |a, b| a * b);
    FmaBF16: "fma.rn.bf16", (a: bf16, b: bf16, c: bf16) -> bf16 = half_fma(a, b, c);
    FmaReluBF16: "fma.rn.relu.bf16", (a: bf16, b: bf16, c: bf16) -> bf16 = half_relu(half_fma(a, b, c));
    MinBF16: "min.bf16", (a: bf16, b: bf16) -> bf16 = half_op(a, b, min_number);
    MaxBF16: "max.bf16", (a: bf16, b: bf16) -> bf16 = half_op(a, b, max_number);
    AddBF16x2: "add.bf16x2" | "add.rn.bf16x2", (a: B2, b: B2) -> B2 = pair(|i| half_op(a[i], b[i], |a, b| a + b));
    SubBF16x2: "sub.bf16x2" | "sub.rn.bf16x2", (a: B2, b: B2) -> B2 = pair(|i| half_op(a[i], b[i], |a, b| a - b));
    MulBF16x2: "mul.bf16x2" | "mul.rn.bf16x2", (a: B2, b: B2) -> B2 = pair(|i| half_op(a[i], b[i], |a, b| a * b));
    FmaBF16x2: "fma.rn.bf16x2", (a: B2, b: B2, c: B2) -> B2 = pair(|i| half_fma(a[i], b[i], c[i]));
    FmaReluBF16x2: "fma.rn.relu.bf16x2", (a: B2, b: B2, c: B2) -> B2 = pair(|i| half_relu(half_fma(a[i], b[i], c[i])));
    MinBF16x2: "min.bf16x2", (a: B2, b: B2) -> B2 = pair(|i| half_op(a[i], b[i], min_number));
    MaxBF16x2: "max.bf16x2", (a: B2, b: B2) -> B2 = pair(|i| half_op(a[i], b[i], max_number));

    // The conversions that kernels are full of; the others are in `convert`.
    CvtU16U32: "cvt.u16.u32" | "cvt.s16.s32" | "cvt.u16.s32" | "cvt.s16.u32", (a: u32) -> u32 = a & 0xffff;
    CvtU32U16: "cvt.u32.u16" | "cvt.s32.u16", (a: u16) -> u32 = u32::from(a);
    CvtF64F32: "cvt.f64.f32", (a: f32) -> f64 = f64::from(a);

}
