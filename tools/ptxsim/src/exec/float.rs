//! f32 and f64 instructions with what the table leaves out: rounding modes, flushing, saturation, approximations.

use super::scalar::{canonical, max_number, min_number};
use super::warp::Warp;
use crate::code::Operand;
use crate::error::Executed;
use crate::syntax::ast::Type;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Function {
    Add,
    Sub,
    Mul,
    Fma,
    Div,
    Rcp,
    Sqrt,
    Rsqrt,
    Sin,
    Cos,
    Ex2,
    Lg2,
    Tanh,
    Min,
    Max,
    Abs,
    Neg,
}

/// How a result that the format does not have is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// To the nearest, ties to even.
    Nearest,
    /// Towards zero.
    Zero,
    /// Down.
    Down,
    /// Up.
    Up,
    /// To the nearest, ties away from zero.
    Away,
}

impl Round {
    /// The mode of `rn`, `rz`, `rm`, `rp`, `rna`, with or without the `i` of whole numbers.
    pub fn of(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "rn" | "rni" => Self::Nearest,
            "rz" | "rzi" => Self::Zero,
            "rm" | "rmi" => Self::Down,
            "rp" | "rpi" => Self::Up,
            "rna" => Self::Away,
            _ => return None,
        })
    }
}

/// An instruction.
#[derive(Debug)]
pub struct Float {
    /// What is computed.
    pub function: Function,
    /// How it is rounded.
    pub round: Round,
    /// Subnormal operands and results become zero.
    pub flush: bool,
    /// The result is kept within 0 and 1; NaN becomes 0.
    pub saturate: bool,
    /// `min.NaN`: a NaN wins.
    pub nan: bool,
    /// `min.xorsign.abs`
    pub xorsign: bool,
    /// `min.abs` of three: the extreme of the magnitudes.
    pub abs: bool,
    /// The format of operands and result.
    pub format: Format,
    /// Where to.
    pub to: Operand,
    /// Up to three operands.
    pub from: Vec<Operand>,
}

/// The format computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Format {
    F32,
    F32x2,
    F16,
    F16x2,
    BF16,
    BF16x2,
}

impl Format {
    /// The format of a type.
    pub fn of(ty: Type) -> Option<Self> {
        Some(match ty {
            Type::F32 => Self::F32,
            Type::F32x2 => Self::F32x2,
            Type::F16 => Self::F16,
            Type::F16x2 => Self::F16x2,
            Type::BF16 => Self::BF16,
            Type::BF16x2 => Self::BF16x2,
            _ => return None,
        })
    }
}

impl Float {
    /// Executes it for the lanes of `mask`.
    #[inline(never)]
    pub fn run(&self, warp: &mut Warp, mask: u32) -> Executed {
        if self.format == Format::F32x2 {
            return self.run_pairs(warp, mask);
        }
        let mut operands = [[0; 32]; 3];
        for (to, &from) in operands.iter_mut().zip(&self.from) {
            warp.need(from, mask)?;
            *to = *warp.v32(from.index);
        }
        let mut out = [0; 32];
        for lane in 0..32 {
            out[lane] = self.bits([operands[0][lane], operands[1][lane], operands[2][lane]]);
        }
        warp.set32(self.to.index, mask, &out);
        Ok(())
    }

    /// The same for two f32 in a 64-bit register.
    fn run_pairs(&self, warp: &mut Warp, mask: u32) -> Executed {
        let mut operands = [[0; 32]; 3];
        for (to, &from) in operands.iter_mut().zip(&self.from) {
            warp.need(from, mask)?;
            *to = warp.wide(from);
        }
        let half = |lane: usize, shift: u32| {
            let x = [0, 1, 2].map(|i: usize| f32::from_bits((operands[i][lane] >> shift) as u32));
            u64::from(self.value(x).to_bits()) << shift
        };
        let out = std::array::from_fn(|lane| half(lane, 0) | half(lane, 32));
        warp.set_wide(self.to, mask, &out);
        Ok(())
    }

    fn bits(&self, x: [u32; 3]) -> u32 {
        use super::scalar::Half;
        use half::{bf16, f16};
        // f16's subnormal numbers are normal ones of f32.
        let subnormal = |h: f16| matches!(h.classify(), std::num::FpCategory::Subnormal);
        let flush = |h: f16| if self.flush && subnormal(h) { f16::from_bits(h.to_bits() & 0x8000) } else { h };
        let f16 = |x: [u32; 3]| {
            let x = x.map(|x| flush(f16::from_bits(x as u16)).to_f32());
            flush(f16::narrow(self.value(x))).to_bits().into()
        };
        let bf16 =
            |x: [u32; 3]| bf16::narrow(self.value(x.map(|x| bf16::from_bits(x as u16).to_f32()))).to_bits().into();
        let both = |f: &dyn Fn([u32; 3]) -> u32| f(x.map(|x| x & 0xffff)) | f(x.map(|x| x >> 16)) << 16;
        match self.format {
            Format::F32 | Format::F32x2 => self.value(x.map(f32::from_bits)).to_bits(),
            Format::F16 => f16(x),
            Format::BF16 => bf16(x),
            Format::F16x2 => both(&f16),
            Format::BF16x2 => both(&bf16),
        }
    }

    fn value(&self, x: [f32; 3]) -> f32 {
        let flush = |x: f32| if self.flush && x.is_subnormal() { 0f32.copysign(x) } else { x };
        let [a, b, c] = x.map(flush);
        let wide = f64::from(a);
        let near = self.round == Round::Nearest;
        let y = match self.function {
            Function::Add if near => a + b,
            Function::Sub if near => a - b,
            Function::Mul if near => a * b,
            Function::Fma if near => a.mul_add(b, c),
            Function::Div if near => a / b,
            Function::Rcp if near => 1.0 / a,
            Function::Sqrt if near => a.sqrt(),
            Function::Add => fma(a, 1.0, b, self.round),
            Function::Sub => fma(a, 1.0, -b, self.round),
            Function::Mul => fma(a, b, if (a.to_bits() ^ b.to_bits()) >> 31 == 1 { -0.0 } else { 0.0 }, self.round),
            Function::Fma => fma(a, b, c, self.round),
            Function::Div => divide(a, b, self.round),
            Function::Rcp => divide(1.0, a, self.round),
            Function::Sqrt => root(a, self.round),
            Function::Rsqrt => (1.0 / wide.sqrt()) as f32,
            Function::Sin => wide.sin() as f32,
            Function::Cos => wide.cos() as f32,
            Function::Ex2 => wide.exp2() as f32,
            Function::Lg2 => wide.log2() as f32,
            Function::Tanh => wide.tanh() as f32,
            Function::Abs => a.abs(),
            Function::Neg => -a,
            Function::Min | Function::Max => self.extreme(a, b, if self.from.len() > 2 { Some(c) } else { None }),
        };
        let y = flush(canonical(y));
        if !self.saturate {
            y
        } else if y > 0.0 {
            y.min(1.0)
        } else {
            0.0
        }
    }

    fn extreme(&self, a: f32, b: f32, c: Option<f32>) -> f32 {
        let (a, b, c) = if self.abs { (a.abs(), b.abs(), c.map(f32::abs)) } else { (a, b, c) };
        let sign = (a.to_bits() ^ b.to_bits()) & 1 << 31;
        if self.nan && (a.is_nan() || b.is_nan() || c.is_some_and(f32::is_nan)) {
            return f32::NAN;
        }
        let pick = if self.function == Function::Min { min_number } else { max_number };
        if self.xorsign {
            return f32::from_bits(pick(a.abs(), b.abs()).to_bits() & !(1 << 31) | sign);
        }
        let two = pick(a, b);
        c.map_or(two, |c| pick(two, c))
    }
}

/// `near`, the float nearest to an exact value, moved where `round` wants it. `above` says how `near` lies to the value.
pub fn directed(near: f32, above: std::cmp::Ordering, round: Round) -> f32 {
    use std::cmp::Ordering::{Equal, Greater, Less};
    if near.is_nan() || above == Equal {
        return near;
    }
    let down = match round {
        Round::Down => true,
        Round::Up => false,
        Round::Zero => near > 0.0 || near == 0.0 && above == Less,
        Round::Nearest | Round::Away => return near,
    };
    match (down, above) {
        (true, Greater) => near.next_down(),
        (false, Less) => near.next_up(),
        _ => near,
    }
}

/// `a * b + c` in one rounding of any mode: in f64 the product is exact, and the sum's error is a number too.
fn fma(a: f32, b: f32, c: f32, round: Round) -> f32 {
    let (p, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let s = p + c;
    if !s.is_finite() {
        return s as f32;
    }
    if s == 0.0 && p == -c {
        // An exact zero of numbers with unlike signs is negative only when rounding down.
        let alike = p.is_sign_negative() == c.is_sign_negative();
        let negative = if alike { p.is_sign_negative() } else { round == Round::Down };
        return if negative { -0.0 } else { 0.0 };
    }
    let t = s - p;
    let error = (p - (s - t)) + (c - t);
    let near = s as f32;
    let wide = f64::from(near);
    // An overflow to infinity is above (or below) every finite value.
    let above = wide
        .partial_cmp(&s)
        .unwrap_or(std::cmp::Ordering::Equal)
        .then(0f64.partial_cmp(&error).unwrap_or(std::cmp::Ordering::Equal));
    directed(near, above, round)
}

fn divide(a: f32, b: f32, round: Round) -> f32 {
    let near = a / b;
    if !near.is_finite() && (!a.is_finite() || b == 0.0) || a == 0.0 || b.is_infinite() {
        return near;
    }
    // near·b is exact in f64 unless near is infinite: then it is beyond the quotient.
    let above = (f64::from(near) * f64::from(b)).partial_cmp(&f64::from(a)).unwrap_or(std::cmp::Ordering::Equal);
    directed(near, if b > 0.0 { above } else { above.reverse() }, round)
}

fn root(a: f32, round: Round) -> f32 {
    let near = a.sqrt();
    if !near.is_finite() {
        return near;
    }
    let above = (f64::from(near) * f64::from(near)).partial_cmp(&f64::from(a)).unwrap_or(std::cmp::Ordering::Equal);
    directed(near, above, round)
}
