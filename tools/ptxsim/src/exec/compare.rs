//! `setp` and `set`.

use super::lane::Lane;
use super::warp::Warp;
use crate::code::{Operand, Reg, RegFile};
use crate::error::Executed;
use crate::syntax::ast::Type;

/// How two values are compared. Those with `u` also hold when one is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Order {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Equ,
    Neu,
    Ltu,
    Leu,
    Gtu,
    Geu,
    Num,
    Nan,
}

impl Order {
    /// The order of a suffix.
    pub fn of(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" | "lo" => Self::Lt,
            "le" | "ls" => Self::Le,
            "gt" | "hi" => Self::Gt,
            "ge" | "hs" => Self::Ge,
            "equ" => Self::Equ,
            "neu" => Self::Neu,
            "ltu" => Self::Ltu,
            "leu" => Self::Leu,
            "gtu" => Self::Gtu,
            "geu" => Self::Geu,
            "num" => Self::Num,
            "nan" => Self::Nan,
            _ => return None,
        })
    }
}

/// How a comparison is joined with another predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Join {
    And,
    Or,
    Xor,
}

/// What is made of the result.
#[derive(Clone, Copy, Debug)]
pub enum Result {
    /// `setp`: a predicate, and perhaps its opposite.
    Pred(Reg, Option<Reg>),
    /// `set`: all ones, or 1.0.
    Value(Operand, u64),
    /// `setp` of packed halves: a predicate for each.
    Halves(Reg, Reg),
    /// `set` of packed halves: 1.0 in each, as given.
    Both(Operand, u64),
}

/// A comparison.
#[derive(Debug)]
pub struct Setp {
    /// How.
    pub order: Order,
    /// Of what.
    pub ty: Type,
    /// Subnormals are zero.
    pub flush: bool,
    /// Left.
    pub a: Operand,
    /// Right.
    pub b: Operand,
    /// Joined with this predicate, perhaps negated.
    pub join: Option<(Join, Reg, bool)>,
    /// Where to.
    pub result: Result,
}

/// One loop a type gives what every order is made of: lanes where the left is less, greater, or incomparable.
#[inline(always)]
fn lanes<T: Lane, V: PartialOrd + Copy>(warp: &Warp, order: Order, a: Reg, b: Reg, f: impl Fn(T) -> V) -> u32 {
    let (a, b) = (T::source(warp, a), T::source(warp, b));
    let (mut less, mut greater, mut nan) = (0u32, 0u32, 0u32);
    for lane in 0..32 {
        let (a, b) = (f(T::get(&a, lane)), f(T::get(&b, lane)));
        less |= u32::from(a < b) << lane;
        greater |= u32::from(a > b) << lane;
        #[allow(clippy::eq_op)]
        let unordered = a != a || b != b;
        nan |= u32::from(unordered) << lane;
    }
    match order {
        Order::Eq => !(less | greater | nan),
        Order::Ne => less | greater,
        Order::Lt => less,
        Order::Le => !(greater | nan),
        Order::Gt => greater,
        Order::Ge => !(less | nan),
        Order::Equ => !(less | greater),
        Order::Neu => less | greater | nan,
        Order::Ltu => less | nan,
        Order::Leu => !greater,
        Order::Gtu => greater | nan,
        Order::Geu => !less,
        Order::Num => !nan,
        Order::Nan => nan,
    }
}

impl Setp {
    /// Executes it for the lanes of `mask`.
    #[inline(always)]
    pub fn run(&self, warp: &mut Warp, mask: u32) -> Executed {
        warp.need(self.a, mask)?;
        warp.need(self.b, mask)?;
        let (o, a, b) = (self.order, self.a.index, self.b.index);
        let holds = match self.ty {
            Type::S32 => lanes::<i32, _>(warp, o, a, b, |x| x),
            Type::U32 | Type::B32 => lanes::<u32, _>(warp, o, a, b, |x| x),
            Type::F32 if self.flush => self.rare(warp),
            Type::F32 => lanes::<f32, _>(warp, o, a, b, |x| x),
            _ => self.rare(warp),
        };
        self.finish(warp, mask, holds)
    }

    #[inline(never)]
    fn rare(&self, warp: &Warp) -> u32 {
        let (o, a, b) = (self.order, self.a.index, self.b.index);
        match self.ty {
            Type::F32 => lanes::<f32, _>(warp, o, a, b, |x| if x.is_subnormal() { 0.0 } else { x }),
            Type::S16 => lanes::<i16, _>(warp, o, a, b, |x| x),
            Type::U16 | Type::B16 => lanes::<u16, _>(warp, o, a, b, |x| x),
            Type::S64 => lanes::<i64, _>(warp, o, a, b, |x| x),
            Type::F64 => lanes::<f64, _>(warp, o, a, b, |x| x),
            Type::F16 => lanes::<half::f16, _>(warp, o, a, b, |x| self.half(x)),
            Type::BF16 => lanes::<half::bf16, _>(warp, o, a, b, |x| x.to_f32()),
            Type::F16x2 => lanes::<[half::f16; 2], _>(warp, o, a, b, |x| self.half(x[0])),
            Type::BF16x2 => lanes::<[half::bf16; 2], _>(warp, o, a, b, |x| x[0].to_f32()),
            _ => lanes::<u64, _>(warp, o, a, b, |x| x),
        }
    }

    fn half(&self, x: half::f16) -> f32 {
        let subnormal = x.classify() == std::num::FpCategory::Subnormal;
        if self.flush && subnormal { 0.0 } else { x.to_f32() }
    }

    fn upper(&self, warp: &Warp) -> u32 {
        let (o, a, b) = (self.order, self.a.index, self.b.index);
        if self.ty == Type::F16x2 {
            lanes::<[half::f16; 2], _>(warp, o, a, b, |x| self.half(x[1]))
        } else {
            lanes::<[half::bf16; 2], _>(warp, o, a, b, |x| x[1].to_f32())
        }
    }

    #[inline(always)]
    fn finish(&self, warp: &mut Warp, mask: u32, holds: u32) -> Executed {
        let join = match self.join {
            None => None,
            Some((join, reg, negated)) => {
                warp.need(Operand { file: RegFile::Pred, index: reg }, mask)?;
                Some((join, warp.p(reg) ^ if negated { u32::MAX } else { 0 }))
            }
        };
        let joined = |holds: u32| match join {
            None => holds,
            Some((Join::And, c)) => holds & c,
            Some((Join::Or, c)) => holds | c,
            Some((Join::Xor, c)) => holds ^ c,
        };
        match self.result {
            Result::Pred(p, q) => {
                warp.set_pred(p, mask, joined(holds));
                if let Some(q) = q {
                    warp.set_pred(q, mask, joined(!holds));
                }
            }
            Result::Halves(p, q) => {
                let upper = self.upper(warp);
                warp.set_pred(p, mask, joined(holds));
                warp.set_pred(q, mask, joined(upper));
            }
            Result::Both(to, one) => {
                let (lower, upper) = (joined(holds), joined(self.upper(warp)));
                let value = |bits: u32, l: usize| if bits >> l & 1 != 0 { one } else { 0 };
                warp.set_wide(to, mask, &std::array::from_fn(|l| value(lower, l) | value(upper, l) << 16));
            }
            Result::Value(to, one) => {
                let bits = joined(holds);
                warp.set_wide(to, mask, &std::array::from_fn(|l| if bits >> l & 1 != 0 { one } else { 0 }));
            }
        }
        Ok(())
    }
}
