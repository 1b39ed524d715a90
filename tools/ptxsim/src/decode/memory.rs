//! Loads, stores, atomics, and addresses between spaces.

use super::names::{Decoder, Wrong, file_of};
use super::statement::operands;
use crate::code::{Access, Address, Constant, Op, RegFile};
use crate::exec::atomic::{Atomic, Change};
use crate::exec::table::{Alu, Hot};
use crate::machine::{LOCAL_BASE, PARAM_BASE, SHARED_BASE};
use crate::syntax::ast::{self, Space, Statement, Type};
use crate::syntax::parser::space_of;

/// The space among an opcode's suffixes; generic if there is none.
pub fn space(s: &Statement) -> Space {
    s.opcode.split('.').skip(1).find_map(space_of).unwrap_or(Space::Generic)
}

/// `ld`, `ldu`, `st`. Cache operators, hints and orders change nothing here.
pub fn access(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let store = s.parts()[0] == "st";
    let ty = s.last_type().ok_or("a load or store without a type")?;
    let (value, at) = match (store, &s.operands[..]) {
        (false, [value, at, ..]) => (value, at),
        (true, [at, value, ..]) => (value, at),
        _ => return Err("two operands expected".into()),
    };
    let address = d.address(at, space(s))?;
    let (list, lanes) = (list(value), lanes(s));
    if list.len() != lanes || ty.size() == 0 || ty.size() > 8 || !matches!(lanes * ty.size(), 1 | 2 | 4 | 8 | 16 | 32) {
        return Err(format!("{} registers for `{}`", list.len(), s.opcode));
    }
    let mut values = Vec::new();
    for one in list {
        values.push(match one {
            _ if store => d.any_source(one, ty)?,
            ast::Operand::Name(name) if name == "_" => d.scratch(RegFile::R64),
            _ => d.any_target(one)?,
        });
    }
    if values.iter().any(|v| v.file == RegFile::Pred || v.file == RegFile::R32 && ty.size() > 4) {
        return Err(format!("registers too narrow for `{}`", s.opcode));
    }
    let access = Box::new(Access { address, size: ty.size() as u32, signed: ty.signed(), values });
    d.emit(if store { Op::Store(access) } else { Op::Load(access) })
}

/// `atom` and `red`.
pub fn atomic(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let ty = s.last_type().ok_or("an atomic operation without a type")?;
    let change = s.opcode.split('.').find_map(|part| {
        Some(match part {
            "add" => Change::Add,
            "min" => Change::Min,
            "max" => Change::Max,
            "and" => Change::And,
            "or" => Change::Or,
            "xor" => Change::Xor,
            "exch" => Change::Exchange,
            "cas" => Change::CompareAndSwap,
            "inc" => Change::Increment,
            "dec" => Change::Decrement,
            _ => return None,
        })
    });
    let change = change.ok_or(format!("unknown instruction `{}`", s.opcode))?;
    let result = s.parts()[0] == "atom";
    let rest = if result { s.operands.get(1..) } else { Some(&s.operands[..]) }.unwrap_or(&[]);
    let [at, value, more @ ..] = rest else { return Err("too few operands".into()) };
    let swap = match (change, more) {
        (Change::CompareAndSwap, [swap, ..]) => Some(d.source(swap, ty)?),
        (Change::CompareAndSwap, []) => return Err("four operands expected".into()),
        _ => None,
    };
    let address = d.address(at, space(s))?;
    let values = list(value).iter().map(|one| d.source(one, ty)).collect::<Result<Vec<_>, _>>()?;
    let targets = if result { list(&s.operands[0]) } else { &[] };
    let targets = targets.iter().map(|one| d.target(one, file_of(ty))).collect::<Result<Vec<_>, _>>()?;
    let count = lanes(s);
    if values.len() != count || result && targets.len() != count {
        return Err(format!("{count} registers expected by `{}`", s.opcode));
    }
    // A vector is changed element by element, each on its own (PTX ISA, "atom"); results wait until all are read.
    let olds: Vec<_> = targets.iter().map(|to| if count == 1 { *to } else { d.scratch(to.file) }).collect();
    for (i, &value) in values.iter().enumerate() {
        let address = Address { offset: address.offset.wrapping_add((i * ty.size()) as i64), ..address };
        let align = if i == 0 { count * ty.size() } else { ty.size() };
        d.emit(Op::Atomic(Box::new(Atomic { change, ty, address, align, to: olds.get(i).copied(), value, swap })))?;
    }
    for (to, old) in targets.iter().zip(&olds).filter(|(to, old)| to != old) {
        d.emit(Op::Alu(Alu::Hot(Hot::Mov32), [to.index, old.index, 0, 0, 0]))?;
    }
    Ok(())
}

/// The registers of `{a, b}`, or the one.
fn list(operand: &ast::Operand) -> &[ast::Operand] {
    match operand {
        ast::Operand::Vector(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// The elements of a vector, by its suffix.
fn lanes(s: &Statement) -> usize {
    [("v2", 2), ("v4", 4), ("v8", 8)].into_iter().find(|(name, _)| s.has(name)).map_or(1, |(_, count)| count)
}

/// `cvta` and `cvta.to`: windows are added and taken away; global addresses are generic ones already.
pub fn cvta(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    operands(s, 2)?;
    let base = match space(s) {
        Space::Shared => SHARED_BASE,
        Space::Local => LOCAL_BASE,
        Space::Param if d.function.entry => PARAM_BASE,
        Space::Param => LOCAL_BASE,
        _ => 0,
    };
    let to = d.target(&s.operands[0], RegFile::R64)?;
    let from = d.source(&s.operands[1], Type::U64)?;
    let base = d.constant(RegFile::R64, Constant::Bits(base));
    let alu = if s.has("to") { Alu::Hot(Hot::Sub64) } else { Alu::Hot(Hot::Add64) };
    d.emit(Op::Alu(alu, [to.index, from.index, base.index, 0, 0]))
}

/// `isspacep`
pub fn isspacep(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    operands(s, 2)?;
    let to = d.target(&s.operands[0], RegFile::Pred)?;
    let address = d.any_source(&s.operands[1], Type::U64)?;
    d.emit(Op::IsSpace(to.index, address, space(s)))
}

/// `mapa`: the address in another block of the cluster, which is this one.
pub fn mapa(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    operands(s, 3)?;
    let ty = s.last_type().unwrap_or(Type::U64);
    let to = d.target(&s.operands[0], file_of(ty))?;
    let from = d.source(&s.operands[1], ty)?;
    let alu = if to.file == RegFile::R64 { Alu::Hot(Hot::Mov64) } else { Alu::Hot(Hot::Mov32) };
    d.emit(Op::Alu(alu, [to.index, from.index, 0, 0, 0]))
}

/// `createpolicy`: a cache hint that nobody looks at.
pub fn policy(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let to = s.operands.first().ok_or("an operand expected")?;
    let to = d.target(to, RegFile::R64)?;
    let zero = d.constant(RegFile::R64, Constant::Bits(0));
    d.emit(Op::Alu(Alu::Hot(Hot::Mov64), [to.index, zero.index, 0, 0, 0]))
}
