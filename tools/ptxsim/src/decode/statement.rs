//! A statement to instructions: which family decodes it.

use super::names::{Decoder, Wrong};
use super::{arithmetic, carry, control, forms, memory};
use crate::code::Op;
use crate::exec::{asynchronous, matrix};
use crate::syntax::ast::Statement;

/// Decodes a statement.
pub fn decode(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let opcode = forms::in_order(&s.opcode)?;
    let sorted;
    let s = if *opcode == s.opcode {
        s
    } else {
        sorted = Statement { opcode: opcode.into_owned(), ..s.clone() };
        &sorted
    };
    let unknown = || Err(format!("unknown instruction `{}`", s.opcode));
    let parts = s.parts();
    match parts[0] {
        "mma" | "ldmatrix" | "stmatrix" | "movmatrix" | "wgmma" => match matrix::decode(s, d)? {
            Some(matrix) => d.emit(Op::Matrix(Box::new(matrix))),
            None => unknown(),
        },
        "cp" | "mbarrier" | "setmaxnreg" | "elect" => asynchronous_or(d, s, unknown),
        "fence" if parts[1..].iter().any(|p| p.starts_with("proxy") || *p == "mbarrier_init") => {
            asynchronous_or(d, s, unknown)
        }
        "prefetch" if s.has("tensormap") => asynchronous_or(d, s, unknown),
        "ld" | "ldu" | "st" => memory::access(d, s),
        "atom" | "red" => memory::atomic(d, s),
        "cvta" => memory::cvta(d, s),
        "isspacep" => memory::isspacep(d, s),
        "mapa" => memory::mapa(d, s),
        // Memory is in order here, and nothing is ever late.
        "membar" | "fence" | "prefetch" | "prefetchu" | "nanosleep" | "griddepcontrol" | "discard"
        | "applypriority" | "pmevent" => d.emit(Op::Nothing),
        "createpolicy" => memory::policy(d, s),
        "bra" | "brx" | "call" | "ret" | "exit" | "trap" | "brkpt" | "bar" | "barrier" => control::decode(d, s),
        "shfl" | "vote" | "match" | "redux" | "activemask" => control::collective(d, s),
        "addc" | "subc" | "madc" => carry::decode(d, s),
        _ if s.has("cc") => carry::decode(d, s),
        _ => arithmetic::decode(d, s),
    }
}

fn asynchronous_or(d: &mut Decoder, s: &Statement, unknown: impl Fn() -> Result<(), Wrong>) -> Result<(), Wrong> {
    match asynchronous::decode(s, d)? {
        Some(operation) => d.emit(Op::Async(Box::new(operation))),
        None => unknown(),
    }
}

/// Fails unless there are `n` operands.
pub fn operands(s: &Statement, n: usize) -> Result<(), Wrong> {
    if s.operands.len() == n { Ok(()) } else { Err(format!("{n} operands expected, not {}", s.operands.len())) }
}
