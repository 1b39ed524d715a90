//! Instructions in which the lanes of a warp speak with each other.

use super::scalar::{canonical, max_number, min_number};
use super::warp::Warp;
use crate::code::{Operand, Reg, RegFile};
use crate::error::{Executed, FaultKind, Trap};

/// How a lane is chosen by `shfl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Shuffle {
    Up,
    Down,
    Butterfly,
    Index,
}

/// What a vote asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Vote {
    All,
    Any,
    Uniform,
    Ballot,
}

/// What `redux` computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reduction {
    Add,
    MinU,
    MaxU,
    MinS,
    MaxS,
    And,
    Or,
    Xor,
    /// The least f32, or the greatest.
    Float {
        greatest: bool,
        abs: bool,
        nan: bool,
    },
}

impl Reduction {
    /// Of the values of the lanes that take part.
    fn of(self, lanes: impl Iterator<Item = u32>) -> Option<u32> {
        let signed = |v: u32| v as i32;
        match self {
            Self::Add => lanes.reduce(u32::wrapping_add),
            Self::MinU => lanes.min(),
            Self::MaxU => lanes.max(),
            Self::MinS => lanes.min_by_key(|&v| signed(v)),
            Self::MaxS => lanes.max_by_key(|&v| signed(v)),
            Self::And => lanes.reduce(|a, b| a & b),
            Self::Or => lanes.reduce(|a, b| a | b),
            Self::Xor => lanes.reduce(|a, b| a ^ b),
            // -0 is less than +0. A NaN loses against any number, unless `.NaN` lets it win (PTX ISA, "redux.sync").
            Self::Float { greatest, abs, nan } => {
                let pick = if greatest { max_number } else { min_number };
                let lanes = lanes.map(|v| f32::from_bits(if abs { v & !(1 << 31) } else { v }));
                let one = |a: f32, b: f32| if nan && (a.is_nan() || b.is_nan()) { f32::NAN } else { pick(a, b) };
                lanes.reduce(one).map(|x| canonical(x).to_bits())
            }
        }
    }
}

/// An instruction.
#[derive(Debug)]
pub enum Collective {
    /// `shfl.sync`
    Shuffle {
        /// How a lane is chosen.
        mode: Shuffle,
        /// Where to.
        to: Reg,
        /// Whether the lane chosen was in range.
        valid: Option<Reg>,
        /// The value.
        value: Reg,
        /// The distance or index.
        by: Reg,
        /// Clamp and segment.
        clamp: Reg,
        /// The lanes that take part; none for the form before Volta.
        members: Option<Reg>,
    },
    /// `vote.sync`
    Vote {
        /// What is asked.
        vote: Vote,
        /// A predicate, or a register for ballots.
        to: Operand,
        /// The predicate asked about.
        of: Reg,
        /// Whether it is negated.
        negated: bool,
        /// The lanes that take part.
        members: Option<Reg>,
    },
    /// `match.sync`
    Match {
        /// All lanes must agree, or each finds its like.
        all: bool,
        /// The mask of equal lanes.
        to: Reg,
        /// Whether all agreed.
        agreed: Option<Reg>,
        /// The value.
        value: Operand,
        /// The lanes that take part.
        members: Reg,
    },
    /// `redux.sync`
    Reduce {
        /// What is computed.
        reduction: Reduction,
        /// Where to.
        to: Reg,
        /// The values.
        value: Reg,
        /// The lanes that take part.
        members: Reg,
    },
    /// `activemask`
    Active(Reg),
}

fn r32(index: Reg) -> Operand {
    Operand { file: RegFile::R32, index }
}

/// The members of a `.sync` instruction: those named, all of which must be here.
pub fn gather(warp: &Warp, members: Option<Reg>, mask: u32) -> Executed<u32> {
    let Some(reg) = members else { return Ok(mask) };
    warp.need(r32(reg), mask)?;
    let named = warp.v32(reg)[mask.trailing_zeros() as usize & 31];
    let here = named & warp.lanes & !warp.exited;
    for lane in (0..32).filter(|l| mask >> l & 1 != 0) {
        if warp.v32(reg)[lane as usize] >> lane & 1 == 0 {
            return Err(Trap::lane(
                FaultKind::Undefined,
                lane,
                format!("member mask {named:#010x} leaves out a lane that executes it"),
            ));
        }
    }
    if here & !mask != 0 {
        let message = format!("member mask {named:#010x} names lanes that do not execute it: {:#010x} do", mask);
        return Err(Trap::lane(FaultKind::DivergentBarrier, (here & !mask).trailing_zeros(), message));
    }
    Ok(named & mask)
}

impl Collective {
    /// Executes it for the lanes of `mask`.
    #[inline(never)]
    pub fn run(&self, warp: &mut Warp, mask: u32) -> Executed {
        if mask == 0 {
            return Ok(());
        }
        match *self {
            Self::Active(to) => warp.set32(to, mask, &[mask; 32]),
            Self::Shuffle { mode, to, valid, value, by, clamp, members } => {
                let members = gather(warp, members, mask)?;
                for reg in [value, by, clamp] {
                    warp.need(r32(reg), mask)?;
                }
                let (values, by, clamp) = (*warp.v32(value), *warp.v32(by), *warp.v32(clamp));
                let (mut out, mut in_range) = (values, 0);
                for lane in (0..32u32).filter(|l| mask >> l & 1 != 0) {
                    let l = lane as usize;
                    let (b, limit, segment) = (by[l] & 31, clamp[l] & 31, clamp[l] >> 8 & 31);
                    let max = lane & segment | limit & !segment;
                    let min = lane & segment;
                    let (source, good) = match mode {
                        Shuffle::Up => (lane.wrapping_sub(b), lane as i32 - b as i32 >= max as i32),
                        Shuffle::Down => (lane + b, lane + b <= max),
                        Shuffle::Butterfly => (lane ^ b, (lane ^ b) <= max),
                        Shuffle::Index => (min | b & !segment, (min | b & !segment) <= max),
                    };
                    if !good {
                        continue;
                    }
                    in_range |= 1 << lane;
                    let source = source & 31;
                    if members >> source & 1 == 0 {
                        let message = format!("takes the value of lane {source}, which does not take part");
                        return Err(Trap::lane(FaultKind::Undefined, lane, message));
                    }
                    out[l] = values[source as usize];
                }
                warp.set32(to, mask, &out);
                if let Some(valid) = valid {
                    warp.set_pred(valid, mask, in_range);
                }
            }
            Self::Vote { vote, to, of, negated, members } => {
                let members = gather(warp, members, mask)?;
                warp.need(Operand { file: RegFile::Pred, index: of }, mask)?;
                let votes = (warp.p(of) ^ if negated { u32::MAX } else { 0 }) & members;
                let answer = match vote {
                    Vote::All => votes == members,
                    Vote::Any => votes != 0,
                    Vote::Uniform => votes == members || votes == 0,
                    Vote::Ballot => {
                        warp.set32(to.index, mask, &[votes; 32]);
                        return Ok(());
                    }
                };
                warp.set_pred(to.index, mask, if answer { u32::MAX } else { 0 });
            }
            Self::Match { all, to, agreed, value, members } => {
                let members = gather(warp, Some(members), mask)?;
                warp.need(value, mask)?;
                let values = warp.wide(value);
                let equal = |lane: usize| {
                    (0..32)
                        .filter(|&l| members >> l & 1 != 0 && values[l] == values[lane])
                        .fold(0u32, |m, l| m | 1 << l)
                };
                let masks: [u32; 32] = std::array::from_fn(equal);
                let one = masks[members.trailing_zeros() as usize & 31] == members;
                let out = if !all {
                    masks
                } else if one {
                    [members; 32]
                } else {
                    [0; 32]
                };
                warp.set32(to, mask, &out);
                if let Some(agreed) = agreed {
                    warp.set_pred(agreed, mask, if one { u32::MAX } else { 0 });
                }
            }
            Self::Reduce { reduction, to, value, members } => {
                let members = gather(warp, Some(members), mask)?;
                warp.need(r32(value), mask)?;
                let values = *warp.v32(value);
                let lanes = (0..32).filter(|l| members >> l & 1 != 0).map(|l| values[l]);
                warp.set32(to, mask, &[reduction.of(lanes).unwrap_or(0); 32]);
            }
        }
        Ok(())
    }
}
