//! Arithmetic in words longer than registers: `add.cc`, `addc` and their kin, through the carry of each thread.
//!
//! The carry is a predicate here, which nobody has written before the first `.cc`.

use super::arithmetic::emit;
use super::names::{Decoder, Wrong, file_of};
use super::statement::operands;
use crate::code::{Operand, RegFile};
use crate::exec::table::{Alu, Cold, Hot};
use crate::syntax::ast::{Statement, Type};

/// Decodes `add.cc`, `addc`, `sub.cc`, `subc`, `mad.cc` and `madc`.
pub fn decode(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let head = s.parts()[0];
    let ty = s.last_type().ok_or("an addition without a type")?;
    let multiplies = head.starts_with("mad");
    operands(s, if multiplies { 4 } else { 3 })?;
    let to = d.target(&s.operands[0], file_of(ty))?;
    let mut from = s.operands[1..].iter().map(|o| d.source(o, ty)).collect::<Result<Vec<_>, _>>()?;
    if multiplies {
        let product = d.scratch(file_of(ty));
        emit(d, product_of(ty, s.has("hi")), product, &from[..2])?;
        from.splice(..2, [product]);
    }
    let carry = d.carry();
    let before = if head.ends_with('c') { carry } else { no_carry(d) };
    from.push(before);
    let wide = file_of(ty) == RegFile::R64;
    let (value, next) = match (head.starts_with("sub"), wide) {
        (false, false) => (Cold::AddCarry32, Cold::CarryOfAdd32),
        (false, true) => (Cold::AddCarry64, Cold::CarryOfAdd64),
        (true, false) => (Cold::SubBorrow32, Cold::BorrowOfSub32),
        (true, true) => (Cold::SubBorrow64, Cold::BorrowOfSub64),
    };
    // The result may overwrite an operand, and the new carry the old one: both are made of the old values.
    let after = d.scratch(RegFile::Pred);
    if s.has("cc") {
        emit(d, Alu::Cold(next), after, &from)?;
    }
    emit(d, Alu::Cold(value), to, &from)?;
    if s.has("cc") { emit(d, Alu::Cold(Cold::MovPred), carry, &[after]) } else { Ok(()) }
}

fn no_carry(d: &mut Decoder) -> Operand {
    d.constant(RegFile::Pred, crate::code::Constant::Bits(0))
}

/// One half of a product.
fn product_of(ty: Type, high: bool) -> Alu {
    match (ty, high) {
        (Type::U32 | Type::S32, false) => Alu::Hot(Hot::MulLo32),
        (_, false) => Alu::Cold(Cold::MulLo64),
        (Type::U32, true) => Alu::Cold(Cold::MulHiU32),
        (Type::S32, true) => Alu::Cold(Cold::MulHiS32),
        (Type::U64, true) => Alu::Cold(Cold::MulHiU64),
        (_, true) => Alu::Cold(Cold::MulHiS64),
    }
}
