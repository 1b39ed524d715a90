//! Moves, arithmetic, comparisons, conversions.

use super::names::{Decoder, Wrong, file_of};
use super::statement::operands;
use crate::code::{Op, Operand, RegFile};
use crate::exec::compare::{Join, Order, Result as Outcome, Setp};
use crate::exec::convert::Convert;
use crate::exec::float::{Float, Format, Function, Round};
use crate::exec::table::{Alu, Cold};
use crate::syntax::ast::{self, Statement, Type};

/// Decodes whatever is lane-wise.
pub fn decode(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    match s.parts()[0] {
        "mov" => return mov(d, s),
        "setp" => return setp(d, s),
        "set" => return set(d, s),
        "cvt" => return cvt(d, s),
        _ => {}
    }
    // The table has the extremes of two; from compute capability 10 on there are those of three.
    let of_three = matches!(s.opcode.as_str(), "min.f32" | "max.f32") && s.operands.len() == 4;
    match Alu::of(&s.opcode) {
        Some(alu) if !of_three => table(d, s, alu),
        _ => {
            let float = float(d, s)?;
            d.emit(Op::Float(Box::new(float)))
        }
    }
}

/// An instruction of the table, its operands as the table has them.
fn table(d: &mut Decoder, s: &Statement, alu: Alu) -> Result<(), Wrong> {
    let signature = alu.signature();
    operands(s, signature.len())?;
    let mut regs = [0; 5];
    for (i, (operand, (file, ty))) in s.operands.iter().zip(signature).enumerate() {
        regs[i] = if i == 0 { d.target(operand, *file)?.index } else { d.source(operand, *ty)?.index };
    }
    d.emit(Op::Alu(alu, regs))
}

/// Adds an instruction of the table.
pub fn emit(d: &mut Decoder, alu: Alu, to: Operand, from: &[Operand]) -> Result<(), Wrong> {
    let mut regs = [to.index, 0, 0, 0, 0];
    for (reg, operand) in regs[1..].iter_mut().zip(from) {
        *reg = operand.index;
    }
    d.emit(Op::Alu(alu, regs))
}

/// `mov`, which also packs and unpacks, and reads the clocks.
fn mov(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    operands(s, 2)?;
    let ty = s.last_type().ok_or("a move without a type")?;
    match (&s.operands[0], &s.operands[1]) {
        (ast::Operand::Vector(to), from) => {
            let from = d.source(from, ty)?;
            let wide = ty.size() == 8;
            match (&to[..], wide) {
                ([a, b], true) => unpack(d, [a, b], Alu::Cold(Cold::Low32), Alu::Cold(Cold::High32), from),
                ([a, b], false) => unpack(d, [a, b], Alu::Cold(Cold::Low16), Alu::Cold(Cold::High16), from),
                ([a, b, c, e], true) => {
                    let (low, high) = (d.scratch(RegFile::R32), d.scratch(RegFile::R32));
                    emit(d, Alu::Cold(Cold::Low32), low, &[from])?;
                    emit(d, Alu::Cold(Cold::High32), high, &[from])?;
                    unpack(d, [a, b], Alu::Cold(Cold::Low16), Alu::Cold(Cold::High16), low)?;
                    unpack(d, [c, e], Alu::Cold(Cold::Low16), Alu::Cold(Cold::High16), high)
                }
                _ => Err(format!("{} parts of `{}`", to.len(), s.opcode)),
            }
        }
        (to, ast::Operand::Vector(from)) => {
            let to = d.target(to, file_of(ty))?;
            let wide = ty.size() == 8;
            let part = if wide && from.len() == 2 { Type::B32 } else { Type::B16 };
            let parts = from.iter().map(|o| d.source(o, part)).collect::<Result<Vec<_>, _>>()?;
            match (&parts[..], wide) {
                ([_, _], true) => emit(d, Alu::Cold(Cold::Pack32), to, &parts),
                ([_, _], false) => emit(d, Alu::Cold(Cold::Pack16), to, &parts),
                ([a, b, c, e], true) => {
                    let (low, high) = (d.scratch(RegFile::R32), d.scratch(RegFile::R32));
                    emit(d, Alu::Cold(Cold::Pack16), low, &[*a, *b])?;
                    emit(d, Alu::Cold(Cold::Pack16), high, &[*c, *e])?;
                    emit(d, Alu::Cold(Cold::Pack32), to, &[low, high])
                }
                _ => Err(format!("{} parts of `{}`", from.len(), s.opcode)),
            }
        }
        (to, ast::Operand::Name(name))
            if matches!(name.as_str(), "%clock" | "%clock64" | "%clock_hi" | "%globaltimer" | "%globaltimer_lo") =>
        {
            let to = d.target(to, file_of(ty))?;
            d.emit(Op::Clock(to))
        }
        _ => {
            let alu = Alu::of(&s.opcode).ok_or(format!("unknown instruction `{}`", s.opcode))?;
            table(d, s, alu)
        }
    }
}

fn unpack(d: &mut Decoder, to: [&ast::Operand; 2], low: Alu, high: Alu, from: Operand) -> Result<(), Wrong> {
    for (operand, alu) in to.into_iter().zip([low, high]) {
        let target = d.target(operand, RegFile::R32)?;
        emit(d, alu, target, &[from])?;
    }
    Ok(())
}

/// The parts of a comparison's opcode: order, how it is joined, and the type compared.
fn comparison(d: &mut Decoder, s: &Statement, ty: Type, from: usize) -> Result<Setp, Wrong> {
    let unknown = || format!("unknown instruction `{}`", s.opcode);
    let parts = s.parts();
    let order = parts.get(1).and_then(|p| Order::of(p)).ok_or_else(unknown)?;
    let join = parts.iter().skip(2).find_map(|p| match *p {
        "and" => Some(Join::And),
        "or" => Some(Join::Or),
        "xor" => Some(Join::Xor),
        _ => None,
    });
    operands(s, from + 2 + usize::from(join.is_some()))?;
    let join = match join {
        Some(join) => {
            let (reg, negated) = d.predicate(&s.operands[from + 2])?;
            Some((join, reg, negated))
        }
        None => None,
    };
    let a = d.source(&s.operands[from], ty)?;
    let b = d.source(&s.operands[from + 1], ty)?;
    Ok(Setp { order, ty, flush: s.has("ftz"), a, b, join, result: Outcome::Pred(0, None) })
}

fn setp(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let ty = s.last_type().ok_or("a comparison without a type")?;
    let mut setp = comparison(d, s, ty, 1)?;
    let (p, q) = match &s.operands[0] {
        ast::Operand::Pair(p, q) => (d.target(p, RegFile::Pred)?, Some(d.target(q, RegFile::Pred)?)),
        p => (d.target(p, RegFile::Pred)?, None),
    };
    setp.result = match (ty, q) {
        (Type::F16x2 | Type::BF16x2, Some(q)) => Outcome::Halves(p.index, q.index),
        (Type::F16x2 | Type::BF16x2, None) => return Err("two predicates expected".into()),
        _ => Outcome::Pred(p.index, q.map(|q| q.index)),
    };
    d.emit(Op::Setp(Box::new(setp)))
}

fn set(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let types: Vec<Type> = s.parts().iter().filter_map(|p| Type::of(p)).collect();
    let [to, from] = types[..] else { return Err("two types expected".into()) };
    let mut setp = comparison(d, s, from, 1)?;
    let one = match to {
        Type::F32 => u64::from(1f32.to_bits()),
        Type::F16 | Type::F16x2 => u64::from(half::f16::ONE.to_bits()),
        Type::BF16 | Type::BF16x2 => u64::from(half::bf16::ONE.to_bits()),
        Type::U16 | Type::S16 => 0xffff,
        _ => 0xffff_ffff,
    };
    let target = d.target(&s.operands[0], file_of(to))?;
    setp.result = match to {
        Type::F16x2 | Type::BF16x2 => Outcome::Both(target, one),
        _ => Outcome::Value(target, one),
    };
    d.emit(Op::Setp(Box::new(setp)))
}

fn cvt(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let parts = s.parts();
    let types: Vec<Type> = parts.iter().filter_map(|p| Type::of(p)).collect();
    let [to, from] = &types[..] else { return Err("two types expected".into()) };
    let packed = matches!(to, Type::F16x2 | Type::BF16x2 | Type::E4M3x2 | Type::E5M2x2) && *from == Type::F32;
    operands(s, if packed { 3 } else { 2 })?;
    let result = d.any_target(&s.operands[0])?;
    let source = d.any_source(&s.operands[1], *from)?;
    if let Some(alu) = Alu::of(&s.opcode) {
        let signature = alu.signature();
        if signature.len() == 2 && signature[0].0 == result.file && signature[1].0 == source.file {
            return emit(d, alu, result, &[source]);
        }
    }
    let mode = parts.iter().find_map(|p| Round::of(p).map(|round| (round, p.ends_with('i'))));
    let round = mode.map_or(if to.float() { Round::Nearest } else { Round::Zero }, |m| m.0);
    let convert = Convert {
        round,
        whole: mode.is_some_and(|m| m.1),
        flush: s.has("ftz"),
        saturate: s.has("sat"),
        finite: s.has("satfinite"),
        relu: s.has("relu"),
        lower: if packed { Some(d.source(&s.operands[2], *from)?) } else { None },
        ..Convert::plain(*to, result, *from, source)
    };
    d.emit(Op::Convert(Box::new(convert)))
}

/// What a floating-point instruction computes, and of how many operands.
fn function(s: &Statement) -> Option<(Function, usize)> {
    Some(match s.parts()[0] {
        "add" => (Function::Add, 2),
        "sub" => (Function::Sub, 2),
        "mul" => (Function::Mul, 2),
        "fma" | "mad" => (Function::Fma, 3),
        "div" => (Function::Div, 2),
        "rcp" => (Function::Rcp, 1),
        "sqrt" => (Function::Sqrt, 1),
        "rsqrt" => (Function::Rsqrt, 1),
        "sin" => (Function::Sin, 1),
        "cos" => (Function::Cos, 1),
        "ex2" => (Function::Ex2, 1),
        "lg2" => (Function::Lg2, 1),
        "tanh" => (Function::Tanh, 1),
        "min" => (Function::Min, extremes(s)),
        "max" => (Function::Max, extremes(s)),
        "abs" => (Function::Abs, 1),
        "neg" => (Function::Neg, 1),
        _ => return None,
    })
}

/// A floating-point instruction with modifiers.
fn float(d: &mut Decoder, s: &Statement) -> Result<Float, Wrong> {
    let unknown = || format!("unknown instruction `{}`", s.opcode);
    let parts = s.parts();
    let xorsign = s.has("xorsign");
    let (function, count) = function(s).ok_or_else(unknown)?;
    let types: Vec<Type> = parts.iter().filter_map(|p| Type::of(p)).collect();
    let ty = *types.first().ok_or_else(unknown)?;
    let format = Format::of(ty).ok_or_else(unknown)?;
    operands(s, count + 1)?;
    let to = d.target(&s.operands[0], file_of(ty))?;
    // Of mixed precision all operands but the last are narrow, and widened first, which is exact.
    let narrow = |i: usize| types.get(1).filter(|_| i + 1 < count).copied();
    let mut from = Vec::new();
    for (i, operand) in s.operands[1..].iter().enumerate() {
        from.push(match narrow(i) {
            Some(narrow) => widened(d, operand, narrow)?,
            None => d.source(operand, ty)?,
        });
    }
    Ok(Float {
        function,
        round: parts.iter().find_map(|p| Round::of(p)).unwrap_or(Round::Nearest),
        flush: s.has("ftz"),
        saturate: s.has("sat"),
        nan: s.has("NaN"),
        xorsign,
        abs: s.has("abs") && !xorsign,
        format,
        to,
        from,
    })
}

/// A half-precision operand in f32.
fn widened(d: &mut Decoder, operand: &ast::Operand, from: Type) -> Result<Operand, Wrong> {
    let source = d.source(operand, from)?;
    let result = d.scratch(RegFile::R32);
    d.emit(Op::Convert(Box::new(Convert::plain(Type::F32, result, from, source))))?;
    Ok(result)
}

/// How many values a `min` or `max` takes: three of f32 where so many are given, but not with `.xorsign`; `.abs` alone is
/// for three (PTX ISA, "Floating Point Instructions: max").
fn extremes(s: &Statement) -> usize {
    let alone = s.has("abs") && !s.has("xorsign");
    let may = s.last_type() == Some(Type::F32) && !s.has("xorsign");
    if alone || may && s.operands.len() == 4 { 3 } else { 2 }
}
