//! Statements of asynchronous copies, mbarriers and fences to instructions.

use super::barrier::{self, Barrier};
use super::bulk::{Bulk, Global};
use super::copy::Copy;
use super::{Async, Operation};
use crate::code::{Address, Operand as Register, RegFile};
use crate::decode::{Decoder, Wrong};
use crate::syntax::ast::{Operand, Space, Statement, Type};
use crate::syntax::parser::space_of;

/// Reads a statement whose opcode starts with `cp`, `mbarrier`, `fence.proxy`, `fence.mbarrier_init`, `setmaxnreg`,
/// `elect` or `prefetch.tensormap`.
pub fn decode(s: &Statement, d: &mut Decoder) -> Result<Option<Async>, Wrong> {
    let parts = s.parts();
    let operation = match parts.as_slice() {
        ["cp", "async", "bulk", rest @ ..] => bulk(s, d, rest)?,
        ["cp", "async", rest @ ..] => copy(s, d, rest)?,
        ["mbarrier", rest @ ..] => barrier(s, d, rest)?,
        ["fence", "mbarrier_init", ..] => Some(Operation::FenceInit),
        ["fence", "proxy", "async", rest @ ..] if rest != ["global"] => Some(Operation::FenceProxy),
        ["fence", "proxy", ..] => Some(Operation::Nothing),
        ["setmaxnreg", ..] => Some(registers(s)?),
        ["elect", "sync", ..] => Some(elect(s, d)?),
        ["prefetch", "tensormap", ..] => Some(Operation::TouchMap(d.address(operand(s, 0)?, Space::Generic)?)),
        _ => None,
    };
    Ok(operation.map(|operation| Async { operation, line: s.line }))
}

fn operand(s: &Statement, index: usize) -> Result<&Operand, Wrong> {
    s.operands.get(index).ok_or_else(|| format!("operand {} is missing", index + 1))
}

fn number(s: &Statement, index: usize) -> Result<u32, Wrong> {
    match operand(s, index)? {
        Operand::Int(value) => u32::try_from(*value).map_err(|_| format!("{value} is out of range")),
        other => Err(format!("a number expected, not {other:?}")),
    }
}

fn space(part: &str) -> Space {
    space_of(part).unwrap_or(Space::Generic)
}

fn copy(s: &Statement, d: &mut Decoder, parts: &[&str]) -> Result<Option<Operation>, Wrong> {
    Ok(Some(match parts {
        ["ca" | "cg", to, from, ..] => {
            let (to, from) = (space(to), space(from));
            if [to, from] != [Space::Shared, Space::Global] {
                return Ok(None);
            }
            let (mut source_size, mut ignore) = (None, None);
            // A cache policy may follow: a 64-bit register.
            for more in s.operands.get(3..).unwrap_or(&[]) {
                match d.any_source(more, Type::U32)? {
                    register if register.file == RegFile::Pred => ignore = Some(d.predicate(more)?),
                    register if register.file == RegFile::R32 => source_size = Some(register),
                    _ => {}
                }
            }
            Operation::Copy(Copy {
                to: d.address(operand(s, 0)?, to)?,
                from: d.address(operand(s, 1)?, from)?,
                size: number(s, 2)?,
                l2_only: parts[0] == "cg",
                source_size,
                ignore,
            })
        }
        ["commit_group"] => Operation::Commit,
        ["wait_group"] => Operation::Wait(Some(number(s, 0)?)),
        ["wait_all"] => Operation::Wait(None),
        ["mbarrier", "arrive", rest @ ..] => {
            let space = rest.iter().find_map(|part| space_of(part)).unwrap_or(Space::Generic);
            Operation::ArriveAfterCopies(d.address(operand(s, 0)?, space)?, !s.has("noinc"))
        }
        _ => return Ok(None),
    }))
}

/// `[map, {coordinates}]`
fn tensor(d: &mut Decoder, at: &Operand, offsets: Option<&Operand>) -> Result<Global, Wrong> {
    let Operand::Address { more, .. } = at else { return Err(format!("a tensor map expected, not {at:?}")) };
    let [coordinates @ Operand::Vector(_)] = more.as_slice() else {
        return Err("coordinates expected beside the tensor map".into());
    };
    Ok(Global::Tensor {
        map: d.address(at, Space::Generic)?,
        coordinates: vector(d, coordinates)?,
        offsets: offsets.map(|offsets| vector(d, offsets)).transpose()?,
    })
}

fn vector(d: &mut Decoder, operand: &Operand) -> Result<Vec<Register>, Wrong> {
    match operand {
        Operand::Vector(all) => all.iter().map(|one| d.source(one, Type::U32)).collect(),
        other => Err(format!("a vector expected, not {other:?}")),
    }
}

fn bulk(s: &Statement, d: &mut Decoder, parts: &[&str]) -> Result<Option<Operation>, Wrong> {
    Ok(Some(match parts {
        ["commit_group"] => Operation::BulkCommit,
        ["wait_group", ..] => Operation::BulkWait(number(s, 0)?),
        ["prefetch", "tensor", ..] => Operation::TouchMap(d.address(operand(s, 0)?, Space::Generic)?),
        ["tensor", _, to, from, ..] => {
            if s.opcode.contains("multicast") || s.opcode.contains("gather4") || s.opcode.contains("im2col::w") {
                return Ok(None);
            }
            match [space(to), space(from)] {
                [Space::Shared, Space::Global] => Operation::Bulk(Bulk {
                    shared: d.address(operand(s, 0)?, Space::Shared)?,
                    global: {
                        let offsets = if s.has("im2col") { Some(operand(s, 3)?) } else { None };
                        tensor(d, operand(s, 1)?, offsets)?
                    },
                    barrier: Some(d.address(operand(s, 2)?, Space::Shared)?),
                }),
                [Space::Global, Space::Shared] if !s.has("im2col") && !s.has("im2col_no_offs") => {
                    Operation::Bulk(Bulk {
                        shared: d.address(operand(s, 1)?, Space::Shared)?,
                        global: tensor(d, operand(s, 0)?, None)?,
                        barrier: None,
                    })
                }
                _ => return Ok(None),
            }
        }
        [to, from, ..] => {
            let linear = |d: &mut Decoder, at: &Operand| -> Result<Global, Wrong> {
                Ok(Global::Linear(d.address(at, Space::Global)?, d.source(operand(s, 2)?, Type::U32)?))
            };
            match [space(to), space(from)] {
                [Space::Shared, Space::Global] if !s.opcode.contains("multicast") => Operation::Bulk(Bulk {
                    shared: d.address(operand(s, 0)?, Space::Shared)?,
                    global: linear(d, operand(s, 1)?)?,
                    barrier: Some(d.address(operand(s, 3)?, Space::Shared)?),
                }),
                [Space::Global, Space::Shared] => Operation::Bulk(Bulk {
                    shared: d.address(operand(s, 1)?, Space::Shared)?,
                    global: linear(d, operand(s, 0)?)?,
                    barrier: None,
                }),
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    }))
}

fn barrier(s: &Statement, d: &mut Decoder, parts: &[&str]) -> Result<Option<Operation>, Wrong> {
    let space = parts.iter().find_map(|part| space_of(part)).unwrap_or(Space::Generic);
    // What is written comes before the address, what is read after it.
    let Some(index) = s.operands.iter().position(|o| matches!(o, Operand::Address { .. })) else { return Ok(None) };
    let at: Address = d.address(&s.operands[index], space)?;
    let read = |d: &mut Decoder, offset: usize| -> Result<Option<Register>, Wrong> {
        s.operands.get(index + offset).map(|o| d.source(o, Type::U32)).transpose()
    };
    let needed = |found: Option<Register>| found.ok_or_else(|| Wrong::from("a count is missing"));
    let operation = match parts.first().copied().unwrap_or("") {
        "init" => barrier::Operation::Init(needed(read(d, 1)?)?),
        "inval" => barrier::Operation::Invalidate,
        "expect_tx" => barrier::Operation::Expect(needed(read(d, 1)?)?),
        "complete_tx" => barrier::Operation::Complete(needed(read(d, 1)?)?),
        name @ ("arrive" | "arrive_drop") => {
            let state = match index {
                0 => None,
                _ => Some(d.target(&s.operands[0], RegFile::R64)?),
            };
            let expects = s.has("expect_tx");
            let operand = read(d, 1)?;
            barrier::Operation::Arrive {
                state,
                count: operand.filter(|_| !expects),
                bytes: operand.filter(|_| expects),
                no_complete: s.has("noComplete"),
                drop: name == "arrive_drop",
            }
        }
        "test_wait" | "try_wait" => {
            let parity = s.has("parity");
            let phase = s.operands.get(index + 1).ok_or("a phase is missing")?;
            barrier::Operation::Test {
                done: d.target(operand(s, 0)?, RegFile::Pred)?.index,
                phase: d.source(phase, if parity { Type::U32 } else { Type::B64 })?,
                parity,
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(Operation::Barrier(Barrier { at, operation })))
}

fn registers(s: &Statement) -> Result<Operation, Wrong> {
    let count = number(s, 0)?;
    if !(24..=256).contains(&count) || !count.is_multiple_of(8) {
        return Err(format!("{count} registers: not a multiple of 8 between 24 and 256"));
    }
    Ok(Operation::Registers(s.has("inc"), count))
}

fn elect(s: &Statement, d: &mut Decoder) -> Result<Operation, Wrong> {
    let (chosen, here) = match operand(s, 0)? {
        Operand::Pair(chosen, here) => (Some(d.target(chosen, RegFile::R32)?), &**here),
        here => (None, here),
    };
    let here = d.target(here, RegFile::Pred)?.index;
    Ok(Operation::Elect(chosen, here, d.source(operand(s, 1)?, Type::B32)?))
}
