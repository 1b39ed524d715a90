//! `cvt` between all types.

use super::float::{Round, directed};
use super::scalar::{Half, canonical, to_odd};
use super::warp::Warp;
use crate::code::Operand;
use crate::error::Executed;
use crate::num::{Format, Rounding, Saturation};
use crate::syntax::ast::Type;
use half::{bf16, f16};
use std::cmp::Ordering;

/// A conversion.
#[derive(Debug)]
pub struct Convert {
    /// The type made.
    pub to: Type,
    /// The type read.
    pub from: Type,
    /// How it is rounded.
    pub round: Round,
    /// A float is rounded to a whole number.
    pub whole: bool,
    /// Subnormals become zero.
    pub flush: bool,
    /// The result is kept within the type's range, a float within 0 and 1.
    pub saturate: bool,
    /// A float beyond the type's largest one becomes that.
    pub finite: bool,
    /// Negative results become zero.
    pub relu: bool,
    /// Where to.
    pub result: Operand,
    /// What is converted: one operand, or for packed results two, the upper half first.
    pub source: Operand,
    /// The lower half.
    pub lower: Option<Operand>,
}

/// A value on its way: floats of every type are exact in f64.
#[derive(Clone, Copy)]
enum Value {
    Int(i128),
    Float(f64),
}

impl Convert {
    /// One without modifiers.
    pub fn plain(to: Type, result: Operand, from: Type, source: Operand) -> Self {
        let (whole, flush, saturate, finite, relu) = Default::default();
        let round = Round::Nearest;
        Self { to, from, round, whole, flush, saturate, finite, relu, result, source, lower: None }
    }

    /// Executes it for the lanes of `mask`.
    #[inline(never)]
    pub fn run(&self, warp: &mut Warp, mask: u32) -> Executed {
        warp.need(self.source, mask)?;
        let source = warp.wide(self.source);
        let mut out = [0; 32];
        if let Some((to, bits)) = element(self.to) {
            let (upper, lower, from) = self.pairs(warp, mask, &source)?;
            for lane in 0..32 {
                out[lane] = self.one(upper[lane], from, to) << bits | self.one(lower[lane], from, to);
            }
        } else {
            for lane in 0..32 {
                out[lane] = self.one(source[lane], self.from, self.to);
            }
        }
        // A narrow result in a wide register is widened by its sign.
        if self.to.signed() {
            let shift = 64 - 8 * self.to.size() as u32;
            let wide = if self.result.file == crate::code::RegFile::R64 || self.to.size() == 1 { 64 } else { 0 };
            if wide != 0 {
                out = out.map(|v| ((v << shift) as i64 >> shift) as u64);
            }
        }
        warp.set_wide(self.result, mask, &out);
        Ok(())
    }

    /// The upper and lower values of a packed result, and their type.
    fn pairs(&self, warp: &Warp, mask: u32, source: &[u64; 32]) -> Executed<([u64; 32], [u64; 32], Type)> {
        if let Some(lower) = self.lower {
            warp.need(lower, mask)?;
            return Ok((*source, warp.wide(lower), self.from));
        }
        let (from, bits) = element(self.from).unwrap_or((self.from, 16));
        Ok((source.map(|x| x >> bits & ((1 << bits) - 1)), source.map(|x| x & ((1 << bits) - 1)), from))
    }

    fn one(&self, bits: u64, from: Type, to: Type) -> u64 {
        let value = match read(bits, from) {
            Value::Float(x) if self.flush && from == Type::F32 && (x as f32).is_subnormal() => {
                Value::Float(0f64.copysign(x))
            }
            value => value,
        };
        if to.float() { self.float(value, to) } else { self.int(value, to) }
    }

    fn int(&self, value: Value, to: Type) -> u64 {
        let bits = 8 * to.size() as u32;
        let (low, high) =
            if to.signed() { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) };
        let whole = match value {
            Value::Int(v) if self.saturate => v.clamp(low, high),
            Value::Int(v) => v,
            // Out of range is clamped always, NaN is zero.
            Value::Float(x) => (whole(x, self.round) as i128).clamp(low, high),
        };
        whole as u64 & if bits == 64 { u64::MAX } else { (1 << bits) - 1 }
    }

    fn float(&self, value: Value, to: Type) -> u64 {
        let value = match value {
            Value::Float(x) => {
                let x = if self.whole { whole(x, self.round) } else { x };
                let x = if self.saturate { if x > 0.0 { x.min(1.0) } else { 0.0 } } else { x };
                Value::Float(if self.relu && x <= 0.0 { 0.0 } else { x })
            }
            Value::Int(v) => Value::Int(if self.saturate { v.clamp(0, 1) } else { v }),
        };
        match to {
            Type::F64 => match value {
                Value::Float(x) => x.to_bits(),
                Value::Int(v) => to_f64(v, self.round).to_bits(),
            },
            Type::F32 => {
                let x = match value {
                    Value::Float(x) => to_f32(x, self.round),
                    Value::Int(v) => int_to_f32(v, self.round),
                };
                let x = if self.flush && x.is_subnormal() { 0f32.copysign(x) } else { x };
                u64::from(canonical(x).to_bits())
            }
            Type::TF32 => {
                let Value::Float(x) = value else { return 0 };
                let bits = (x as f32).to_bits();
                let round = match self.round {
                    Round::Away => 0x1000,
                    Round::Zero => 0,
                    _ => 0xfff + (bits >> 13 & 1),
                };
                let kept = if x.is_finite() {
                    bits.wrapping_add(round)
                } else if x.is_nan() {
                    0x7fff_ffff
                } else {
                    bits
                };
                u64::from(kept & !0x1fff)
            }
            Type::E4M3 => self.narrow(value, Format::E4M3),
            Type::E5M2 => self.narrow(value, Format::E5M2),
            _ => self.half(value, to),
        }
    }

    /// Eight bits, to the nearest.
    fn narrow(&self, value: Value, format: Format) -> u64 {
        let Value::Float(x) = value else { return 0 };
        let saturation = Saturation { finite: self.finite, ..Saturation::default() };
        format.encode(x, Rounding::NearestEven, saturation).into()
    }

    fn half(&self, value: Value, to: Type) -> u64 {
        // Rounding to odd keeps a later rounding exact.
        let odd = match value {
            Value::Float(x) if self.finite => to_odd(within(x, to)),
            Value::Float(x) => to_odd(x),
            Value::Int(v) => to_odd(v.clamp(-(1 << 53), 1 << 53) as f64),
        };
        let (near, back) = match to {
            Type::F16 => {
                let h = f16::narrow(odd);
                (h.to_bits(), h.to_f32())
            }
            _ => {
                let h = bf16::narrow(odd);
                (h.to_bits(), h.to_f32())
            }
        };
        if odd.is_nan() || self.round == Round::Nearest {
            return near.into();
        }
        // Sign and magnitude: one step is one bit.
        let above = back.partial_cmp(&odd).unwrap_or(Ordering::Equal);
        let negative = odd.is_sign_negative();
        let step = match (self.round, above) {
            (_, Ordering::Equal) => 0,
            (Round::Zero, Ordering::Greater) if !negative => -1,
            (Round::Zero, Ordering::Less) if negative => -1,
            (Round::Down, Ordering::Greater) | (Round::Up, Ordering::Less) => {
                if (above == Ordering::Greater) == negative { 1 } else { -1 }
            }
            _ => 0,
        };
        u64::from(near.wrapping_add_signed(step))
    }
}

/// A number no larger than the largest of a half-precision type; NaN stays.
fn within(x: f64, to: Type) -> f64 {
    let most = if to == Type::F16 { f16::MAX.to_f64() } else { bf16::MAX.to_f64() };
    x.clamp(-most, most)
}

/// The type of a pair's values, and their bits.
fn element(pair: Type) -> Option<(Type, u32)> {
    Some(match pair {
        Type::F16x2 => (Type::F16, 16),
        Type::BF16x2 => (Type::BF16, 16),
        Type::E4M3x2 => (Type::E4M3, 8),
        Type::E5M2x2 => (Type::E5M2, 8),
        _ => return None,
    })
}

fn read(bits: u64, from: Type) -> Value {
    match from {
        Type::E4M3 => Value::Float(Format::E4M3.decode(bits as u32)),
        Type::E5M2 => Value::Float(Format::E5M2.decode(bits as u32)),
        Type::F16 => Value::Float(f16::from_bits(bits as u16).to_f64()),
        Type::BF16 => Value::Float(bf16::from_bits(bits as u16).to_f64()),
        Type::F32 => Value::Float(f64::from(f32::from_bits(bits as u32))),
        Type::F64 => Value::Float(f64::from_bits(bits)),
        Type::S8 => Value::Int(i128::from(bits as i8)),
        Type::S16 => Value::Int(i128::from(bits as i16)),
        Type::S32 => Value::Int(i128::from(bits as i32)),
        Type::S64 => Value::Int(i128::from(bits as i64)),
        Type::U8 | Type::B8 => Value::Int(i128::from(bits as u8)),
        Type::U16 | Type::B16 => Value::Int(i128::from(bits as u16)),
        Type::U32 | Type::B32 => Value::Int(i128::from(bits as u32)),
        _ => Value::Int(i128::from(bits)),
    }
}

fn whole(x: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => x.round_ties_even(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
        Round::Away => x.round(),
    }
}

fn to_f32(x: f64, round: Round) -> f32 {
    let near = x as f32;
    directed(near, f64::from(near).partial_cmp(&x).unwrap_or(Ordering::Equal), round)
}

fn int_to_f32(v: i128, round: Round) -> f32 {
    let near = v as f32;
    directed(near, (near as i128).cmp(&v), round)
}

fn to_f64(v: i128, round: Round) -> f64 {
    let near = v as f64;
    match (round, (near as i128).cmp(&v)) {
        (Round::Down, Ordering::Greater) => near.next_down(),
        (Round::Up, Ordering::Less) => near.next_up(),
        (Round::Zero, Ordering::Greater) if v > 0 => near.next_down(),
        (Round::Zero, Ordering::Less) if v < 0 => near.next_up(),
        _ => near,
    }
}
