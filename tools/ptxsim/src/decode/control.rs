//! Branches, calls, barriers, and what the lanes of a warp do together.

use super::names::{Decoder, Wrong};
use super::statement::operands;
use crate::code::{Barrier, BarrierKind, Call, END, Op, Operand, RegFile, Switch};
use crate::exec::collective::{Collective, Reduction, Shuffle, Vote};
use crate::syntax::ast::{self, Statement, Type};

fn name(operand: Option<&ast::Operand>) -> Result<&str, Wrong> {
    match operand {
        Some(ast::Operand::Name(name)) => Ok(name),
        other => Err(format!("a name expected, not {other:?}")),
    }
}

/// Branches, calls, barriers.
pub fn decode(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    match s.parts()[0] {
        "bra" => {
            d.branch_to(0, name(s.operands.first())?);
            d.emit(Op::Branch { target: 0, meet: END })
        }
        "brx" => {
            operands(s, 2)?;
            let index = d.source(&s.operands[0], Type::U32)?.index;
            let table = name(s.operands.get(1))?;
            let labels = d.branch_targets(table).ok_or(format!("no branch targets `{table}`"))?;
            for (way, label) in labels.iter().enumerate() {
                d.branch_to(way, label);
            }
            d.emit(Op::Switch(Box::new(Switch { index, targets: vec![0; labels.len()], meet: END })))
        }
        "call" => call(d, s),
        "ret" => d.emit(Op::Ret),
        "exit" => d.emit(Op::Exit),
        "trap" | "brkpt" => d.emit(Op::Trap),
        _ => barrier(d, s),
    }
}

fn call(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let (mut results, mut arguments, mut callee) = (Vec::new(), Vec::new(), None);
    for operand in &s.operands {
        match operand {
            ast::Operand::Name(name) if callee.is_none() => callee = Some(name),
            ast::Operand::List(list) => {
                let to = if callee.is_none() { &mut results } else { &mut arguments };
                for one in list {
                    let variable = name(Some(one))?;
                    to.push(d.frame_offset(variable).ok_or(format!("`{variable}` is no `.param` variable"))?);
                }
            }
            other => return Err(format!("unknown operand of a call: {other:?}")),
        }
    }
    let callee = callee.ok_or("a call of nothing")?;
    let function =
        d.file.functions.iter().position(|f| f.name == *callee && !f.entry).ok_or(format!("no function `{callee}`"))?;
    let found = &d.file.functions[function];
    if !found.defined {
        return Err(format!("`{callee}` has no body"));
    }
    if (found.params.len(), found.returns.len()) != (arguments.len(), results.len()) {
        return Err(format!("`{callee}` takes {} and gives {}", found.params.len(), found.returns.len()));
    }
    d.emit(Op::Call(Box::new(Call { function, arguments, results })))
}

fn barrier(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let parts = s.parts();
    if s.has("warp") {
        operands(s, 1)?;
        let members = d.source(&s.operands[0], Type::B32)?.index;
        return d.emit(Op::WarpBarrier(members));
    }
    if parts.get(1) == Some(&"cluster") {
        // A cluster of one block: arriving is nothing, and waiting, which orders the block, is its barrier.
        if s.has("arrive") {
            return d.emit(Op::Nothing);
        }
        let id = d.number(0);
        return d.emit(Op::Barrier(Box::new(Barrier {
            kind: BarrierKind::Sync,
            id,
            count: None,
            result: None,
            source: None,
        })));
    }
    let kind = if s.has("arrive") {
        BarrierKind::Arrive
    } else if s.has("popc") {
        BarrierKind::Popc
    } else if s.has("and") {
        BarrierKind::And
    } else if s.has("or") {
        BarrierKind::Or
    } else if s.has("sync") {
        BarrierKind::Sync
    } else {
        return Err(format!("unknown instruction `{}`", s.opcode));
    };
    let reduces = s.has("red");
    let mut rest = &s.operands[..];
    let (mut result, mut source) = (None, None);
    if reduces {
        let [to, middle @ .., predicate] = rest else { return Err("too few operands".into()) };
        result = Some(d.any_target(to)?);
        source = Some(d.predicate(predicate)?);
        rest = middle;
    }
    let [id, count @ ..] = rest else { return Err("a barrier's number expected".into()) };
    let id = d.source(id, Type::U32)?.index;
    let count = match count {
        [] => None,
        [count] => Some(d.source(count, Type::U32)?.index),
        _ => return Err("too many operands".into()),
    };
    d.emit(Op::Barrier(Box::new(Barrier { kind, id, count, result, source })))
}

/// `shfl`, `vote`, `match`, `redux`, `activemask`.
pub fn collective(d: &mut Decoder, s: &Statement) -> Result<(), Wrong> {
    let unknown = || format!("unknown instruction `{}`", s.opcode);
    let sync = s.has("sync");
    let split = |operand: &ast::Operand| match operand {
        ast::Operand::Pair(a, b) => ((**a).clone(), Some((**b).clone())),
        other => (other.clone(), None),
    };
    let to = s.operands.first().ok_or("operands expected")?;
    let collective = match s.parts()[0] {
        "activemask" => Collective::Active(d.target(to, RegFile::R32)?.index),
        "shfl" => {
            operands(s, if sync { 5 } else { 4 })?;
            let mode = s.opcode.split('.').find_map(|part| {
                Some(match part {
                    "up" => Shuffle::Up,
                    "down" => Shuffle::Down,
                    "bfly" => Shuffle::Butterfly,
                    "idx" => Shuffle::Index,
                    _ => return None,
                })
            });
            let (to, valid) = split(to);
            let valid = valid.map(|v| d.target(&v, RegFile::Pred)).transpose()?.map(|v| v.index);
            Collective::Shuffle {
                mode: mode.ok_or_else(unknown)?,
                to: d.target(&to, RegFile::R32)?.index,
                valid,
                value: d.source(&s.operands[1], Type::B32)?.index,
                by: d.source(&s.operands[2], Type::B32)?.index,
                clamp: d.source(&s.operands[3], Type::B32)?.index,
                members: s.operands.get(4).map(|m| d.source(m, Type::B32)).transpose()?.map(|m| m.index),
            }
        }
        "vote" => {
            operands(s, if sync { 3 } else { 2 })?;
            let (vote, file) = if s.has("ballot") {
                (Vote::Ballot, RegFile::R32)
            } else if s.has("all") {
                (Vote::All, RegFile::Pred)
            } else if s.has("any") {
                (Vote::Any, RegFile::Pred)
            } else if s.has("uni") {
                (Vote::Uniform, RegFile::Pred)
            } else {
                return Err(unknown());
            };
            let to: Operand = d.target(to, file)?;
            let (of, negated) = d.predicate(&s.operands[1])?;
            let members = s.operands.get(2).map(|m| d.source(m, Type::B32)).transpose()?.map(|m| m.index);
            Collective::Vote { vote, to, of, negated, members }
        }
        "match" => {
            operands(s, 3)?;
            let (to, agreed) = split(to);
            Collective::Match {
                all: s.has("all"),
                to: d.target(&to, RegFile::R32)?.index,
                agreed: agreed.map(|a| d.target(&a, RegFile::Pred)).transpose()?.map(|a| a.index),
                value: d.source(&s.operands[1], s.last_type().unwrap_or(Type::B32))?,
                members: d.source(&s.operands[2], Type::B32)?.index,
            }
        }
        _ => {
            operands(s, 3)?;
            let signed = s.last_type() == Some(Type::S32);
            let float = s.last_type() == Some(Type::F32);
            let of_floats = |greatest| Reduction::Float { greatest, abs: s.has("abs"), nan: s.has("NaN") };
            let reduction = s.opcode.split('.').find_map(|part| {
                Some(match part {
                    "add" => Reduction::Add,
                    "min" if float => of_floats(false),
                    "max" if float => of_floats(true),
                    "min" if signed => Reduction::MinS,
                    "min" => Reduction::MinU,
                    "max" if signed => Reduction::MaxS,
                    "max" => Reduction::MaxU,
                    "and" => Reduction::And,
                    "or" => Reduction::Or,
                    "xor" => Reduction::Xor,
                    _ => return None,
                })
            });
            Collective::Reduce {
                reduction: reduction.ok_or_else(unknown)?,
                to: d.target(to, RegFile::R32)?.index,
                value: d.source(&s.operands[1], Type::B32)?.index,
                members: d.source(&s.operands[2], Type::B32)?.index,
            }
        }
    };
    d.emit(Op::Collective(Box::new(collective)))
}
