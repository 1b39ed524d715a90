//! Tensor-core statements to instructions.

use super::{Matrix, Operation, warp, warpgroup};
use crate::code::{Operand as Register, Reg, RegFile};
use crate::decode::{Decoder, Wrong};
use crate::model::descriptor::Major;
use crate::model::mma::{Accumulator, Element, Mma};
use crate::model::wgmma::Wgmma;
use crate::syntax::ast::{Operand, Space, Statement, Type};
use crate::syntax::parser::space_of;

/// Reads a statement whose opcode starts with `mma`, `ldmatrix`, `stmatrix`, `movmatrix` or `wgmma`.
pub fn decode(s: &Statement, d: &mut Decoder) -> Result<Option<Matrix>, Wrong> {
    let parts = s.parts();
    let operation = match (parts[0], parts.get(1).copied().unwrap_or("")) {
        ("mma", "sync") => Operation::Multiply(multiply(s, d)?),
        ("ldmatrix", _) => Operation::Load(rows(s, d, 1, 0)?),
        ("stmatrix", _) => Operation::Store(rows(s, d, 0, 1)?),
        ("movmatrix", _) => {
            let to = d.target(operand(s, 0)?, RegFile::R32)?.index;
            Operation::Transpose(to, d.source(operand(s, 1)?, Type::B32)?.index)
        }
        ("wgmma", "mma_async") => Operation::GroupMultiply(group_multiply(s, d)?),
        ("wgmma", "fence") => Operation::Fence,
        ("wgmma", "commit_group") => Operation::Commit,
        ("wgmma", "wait_group") => Operation::Wait(integer(s, 0)? as u32),
        _ => return Ok(None),
    };
    Ok(Some(Matrix { operation, line: s.line }))
}

fn operand(s: &Statement, index: usize) -> Result<&Operand, Wrong> {
    s.operands.get(index).ok_or_else(|| format!("operand {} is missing", index + 1))
}

fn integer(s: &Statement, index: usize) -> Result<i128, Wrong> {
    match operand(s, index)? {
        Operand::Int(value) => Ok(*value),
        other => Err(format!("a number expected, not {other:?}")),
    }
}

/// The registers of a vector, or of one operand, that are read or written.
fn registers(d: &mut Decoder, operand: &Operand) -> Result<Vec<Reg>, Wrong> {
    let all = match operand {
        Operand::Vector(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    all.iter().map(|one| d.source(one, Type::B32).map(|r| r.index)).collect()
}

fn element(name: &str) -> Option<Element> {
    Some(match name {
        "f16" => Element::F16,
        "bf16" => Element::BF16,
        "tf32" => Element::TF32,
        "e4m3" => Element::E4M3,
        "e5m2" => Element::E5M2,
        "s8" => Element::S8,
        "u8" => Element::U8,
        _ => return None,
    })
}

fn accumulator(name: &str, saturate: bool) -> Option<Accumulator> {
    Some(match name {
        "f32" => Accumulator::F32,
        "f16" => Accumulator::F16,
        "s32" => Accumulator::S32 { saturate },
        _ => return None,
    })
}

/// The numbers of `m64n128k16`.
fn shape(part: &str) -> Option<[usize; 3]> {
    let (m, rest) = part.strip_prefix('m')?.split_once('n')?;
    let (n, k) = rest.split_once('k')?;
    Some([m.parse().ok()?, n.parse().ok()?, k.parse().ok()?])
}

fn unknown(s: &Statement) -> Wrong {
    format!("`{}`: a shape or type that is not known here", s.opcode)
}

fn multiply(s: &Statement, d: &mut Decoder) -> Result<warp::Product, Wrong> {
    let parts = s.parts();
    let [m, n, k] = parts.iter().find_map(|part| shape(part)).ok_or_else(|| unknown(s))?;
    let [.., to, a, b, from] = parts.as_slice() else { return Err(unknown(s)) };
    let (Some(a), Some(b), Some(accumulator)) = (element(a), element(b), accumulator(to, s.has("satfinite"))) else {
        return Err(unknown(s));
    };
    let mma = Mma { k, a, b, accumulator };
    if [m, n] != [16, 8] || to != from || !mma.is_supported() || !s.has("row") || !s.has("col") {
        return Err(unknown(s));
    }
    let to = d.registers(operand(s, 0)?, RegFile::R32)?.iter().map(|r| r.index).collect::<Vec<_>>();
    let [a, b, c] = [1, 2, 3].map(|i| operand(s, i).and_then(|o| registers(d, o)));
    let registers = [to, a?, b?, c?];
    let [na, nb, nc] = mma.registers();
    if registers.each_ref().map(Vec::len) != [nc, na, nb, nc] {
        return Err(format!("`{}` takes {na}, {nb} and {nc} registers", s.opcode));
    }
    Ok(warp::Product { mma, registers })
}

fn rows(s: &Statement, d: &mut Decoder, address: usize, values: usize) -> Result<warp::Move, Wrong> {
    let space = s.opcode.split('.').skip(1).find_map(space_of).unwrap_or(Space::Generic);
    if !s.has("m8n8") || !s.has("b16") {
        return Err(unknown(s));
    }
    let at = d.address(operand(s, address)?, space)?;
    let registers = if values == 0 {
        d.registers(operand(s, 0)?, RegFile::R32)?.iter().map(|r| r.index).collect()
    } else {
        registers(d, operand(s, 1)?)?
    };
    let count = if s.has("x4") { 4 } else { 1 + usize::from(s.has("x2")) };
    if registers.len() != count {
        return Err(format!("`{}` takes {count} registers", s.opcode));
    }
    Ok(warp::Move { at, registers, transposed: s.has("trans") })
}

fn group_multiply(s: &Statement, d: &mut Decoder) -> Result<warpgroup::Product, Wrong> {
    let parts = s.parts();
    let [m, n, k] = parts.iter().find_map(|part| shape(part)).ok_or_else(|| unknown(s))?;
    // `.satfinite` stands between the result's type and the elements'.
    let types: Vec<&str> = parts.iter().filter(|part| Type::of(part).is_some()).copied().collect();
    let [to, a_type, b_type] = types[..] else { return Err(unknown(s)) };
    let accumulator = accumulator(to, s.has("satfinite")).ok_or_else(|| unknown(s))?;
    let (Some(a_type), Some(b_type)) = (element(a_type), element(b_type)) else { return Err(unknown(s)) };
    let accumulators: Vec<Reg> = d.registers(operand(s, 0)?, RegFile::R32)?.iter().map(|r| r.index).collect();
    let a = match operand(s, 1)? {
        vector @ Operand::Vector(_) => warpgroup::A::Registers(registers(d, vector)?),
        descriptor => warpgroup::A::Shared(d.source(descriptor, Type::B64)?.index),
    };
    let b = d.source(operand(s, 2)?, Type::B64)?.index;
    let (scale, negated) = d.predicate(operand(s, 3)?)?;
    // Then, but for integers, the signs of A and B, and for 16-bit elements which of those in shared memory are transposed.
    let mut immediates = (4..s.operands.len()).map(|i| integer(s, i)).collect::<Result<Vec<_>, _>>()?;
    if immediates.len() < 2 {
        immediates.resize(2, 1);
    }
    let whole = matches!(accumulator, Accumulator::S32 { .. }) && s.operands.len() > 4;
    let transposed = match (&a, a_type.bytes(), &immediates[2..]) {
        _ if whole => return Err(format!("`{}` takes no immediate operands", s.opcode)),
        (warpgroup::A::Shared(_), 2, [a, b]) => [*a, *b],
        (warpgroup::A::Registers(_), 2, [b]) => [0, *b],
        (_, _, []) => [0, 0],
        _ => return Err(format!("`{}`: {} immediate operands", s.opcode, immediates.len())),
    };
    if !immediates[..2].iter().all(|i| matches!(i, 1 | -1)) || !transposed.iter().all(|i| matches!(i, 0 | 1)) {
        return Err(format!("`{}`: an immediate operand out of its range", s.opcode));
    }
    let wgmma = Wgmma {
        n,
        elements: [a_type, b_type],
        accumulator,
        negate: [immediates[0] == -1, immediates[1] == -1],
        major: transposed.map(|t| if t == 1 { Major::Mn } else { Major::K }),
    };
    wgmma.validate().map_err(|e| e.to_string())?;
    let in_registers = if let warpgroup::A::Registers(a) = &a { a.len() } else { 4 };
    if m != 64 || k != wgmma.k() || accumulators.len() != wgmma.registers() || in_registers != 4 || negated {
        return Err(unknown(s));
    }
    let scale = Register { file: RegFile::Pred, index: scale };
    Ok(warpgroup::Product { wgmma, d: accumulators, a, b, scale })
}
