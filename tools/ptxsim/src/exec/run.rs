//! The loop that executes a warp until it waits or ends.

use super::observe::observe;
use super::warp::Path;
use super::{Arrival, Cx, Grid, Step};
use crate::code::{ALWAYS, Barrier, Call, Code, Constant, END, Op, Operand, RegFile, Special, Switch};
use crate::error::{Executed, FaultKind, Trap};
use crate::machine::shadow;
use crate::syntax::ast::Space;

/// Instructions a warp executes before another has its turn: a loop that waits for that other must let it run.
pub const SLICE: u64 = 4096;

/// A trap, and the instruction: function and index.
pub type Trapped = (Box<Trap>, usize, u32);

/// Executes until the warp waits, ends, or has had its turn of `slice` instructions. `counts` is raised for each instruction of
/// each function, `budget` lowered.
pub fn run(cx: &mut Cx, counts: &mut [Vec<u64>], budget: &mut u64, slice: u64) -> Result<Step, Trapped> {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("bmi2") {
            // SAFETY: the processor has these.
            return unsafe { run_avx2(cx, counts, budget, slice) };
        }
    }
    body(cx, counts, budget, slice)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2(cx: &mut Cx, counts: &mut [Vec<u64>], budget: &mut u64, slice: u64) -> Result<Step, Trapped> {
    body(cx, counts, budget, slice)
}

/// Without FMA in hardware `mul_add` is a slow call; with it, one instruction: so the same body is compiled for each.
#[inline(always)]
fn body(cx: &mut Cx, counts: &mut [Vec<u64>], budget: &mut u64, mut slice: u64) -> Result<Step, Trapped> {
    loop {
        let Some((function, Path { mut pc, mask, meet })) = resume(cx) else { return Ok(Step::Done) };
        let code: &Code = &cx.grid.module.functions[function];
        let counts = &mut counts[function];
        // Straight on, until the path ends or another becomes the running one.
        loop {
            if pc == meet || pc == END {
                set_pc(cx, pc);
                break;
            }
            if slice == 0 {
                set_pc(cx, pc);
                return Ok(Step::Next);
            }
            slice -= 1;
            if *budget == 0 {
                return Err((Trap::warp(FaultKind::Budget, "the block's instruction budget is used up"), function, pc));
            }
            *budget -= 1;
            let inst = &code.insts[pc as usize];
            counts[pc as usize] += 1;
            let mut active = mask;
            if inst.guard != ALWAYS {
                let guard = Operand { file: RegFile::Pred, index: inst.guard };
                cx.warp.need(guard, mask).map_err(|trap| (trap, function, pc))?;
                let holds = cx.warp.p(inst.guard);
                active &= if inst.negated { !holds } else { holds };
            }
            let here = |trap| (trap, function, pc);
            match &inst.op {
                Op::Alu(alu, regs) => alu.run(cx.warp, regs, active).map_err(here)?,
                Op::Load(access) => {
                    if cx.recorder.is_some() {
                        observe(cx, &inst.op, active, function, pc);
                    }
                    cx.load(access, active).map_err(here)?;
                }
                Op::Store(access) => {
                    if cx.recorder.is_some() {
                        observe(cx, &inst.op, active, function, pc);
                    }
                    cx.store(access, active).map_err(here)?;
                }
                Op::Setp(setp) => setp.run(cx.warp, active).map_err(here)?,
                &Op::Branch { target, meet: joint } => {
                    if active == mask {
                        pc = target;
                    } else if active == 0 {
                        pc += 1;
                    } else {
                        part(cx, joint, &[(target, active), (pc + 1, mask & !active)]);
                        break;
                    }
                    continue;
                }
                other => {
                    if cx.recorder.is_some() {
                        observe(cx, other, active, function, pc);
                    }
                    let step = rare(cx, other, mask, active, pc).map_err(here)?;
                    match step {
                        Go::On => {}
                        Go::Stop(step) => {
                            set_pc(cx, if step == Step::Yield { pc } else { pc + 1 });
                            return Ok(step);
                        }
                        Go::Elsewhere => break,
                    }
                }
            }
            pc += 1;
        }
    }
}

/// What follows a rare instruction.
enum Go {
    On,
    Stop(Step),
    /// Paths changed.
    Elsewhere,
}

#[inline(never)]
fn rare(cx: &mut Cx, op: &Op, mask: u32, active: u32, pc: u32) -> Executed<Go> {
    if active == 0 && !matches!(op, Op::Nothing) {
        return Ok(Go::On);
    }
    let stop = |step| if step == Step::Next { Go::On } else { Go::Stop(step) };
    match op {
        Op::Alu(..) | Op::Load(_) | Op::Store(_) | Op::Setp(_) | Op::Branch { .. } | Op::Nothing => {}
        Op::Float(float) => float.run(cx.warp, active)?,
        Op::Convert(convert) => convert.run(cx.warp, active)?,
        Op::Atomic(atomic) => atomic.run(cx, active)?,
        Op::Collective(collective) => collective.run(cx.warp, active)?,
        Op::Matrix(matrix) => return matrix.run(cx, active).map(stop),
        Op::Async(operation) => return operation.run(cx, active).map(stop),
        Op::Barrier(barrier) => return arrive(cx, barrier, active).map(|a| Go::Stop(Step::Barrier(a))),
        Op::WarpBarrier(members) => {
            super::collective::gather(cx.warp, Some(*members), active)?;
        }
        Op::Clock(to) => {
            let now = u64::from(cx.block.shared.time) << 10 | cx.block.events & 0x3ff;
            cx.warp.set_wide(*to, active, &[now; 32]);
        }
        Op::IsSpace(to, address, space) => {
            cx.warp.need(*address, active)?;
            let at = cx.warp.wide(*address);
            let wanted = if *space == Space::Const { Space::Global } else { *space };
            let bits = (0..32).fold(0, |m, l| m | u32::from(super::memory::place(at[l]).0 == wanted) << l);
            cx.warp.set_pred(*to, active, bits);
        }
        Op::Switch(switch) => return choose(cx, switch, mask, active, pc),
        Op::Call(call) => {
            set_pc(cx, pc + 1);
            enter(cx, call, active)?;
            return Ok(Go::Elsewhere);
        }
        Op::Ret | Op::Exit => {
            set_pc(cx, pc + 1);
            let frame = cx.warp.frames.last().map_or(0, |f| f.paths);
            let whole = matches!(op, Op::Exit) || cx.warp.frames.len() <= 1;
            let from = if whole { 0 } else { frame };
            for path in &mut cx.warp.paths[from..] {
                path.mask &= !active;
            }
            if whole {
                cx.warp.exited |= active;
                for frame in &mut cx.warp.frames {
                    frame.mask &= !active;
                }
            }
            return Ok(Go::Elsewhere);
        }
        Op::Trap => return Err(Trap::lane(FaultKind::Trap, active.trailing_zeros(), "the kernel stopped itself")),
    }
    Ok(Go::On)
}

#[inline(always)]
fn set_pc(cx: &mut Cx, pc: u32) {
    if let Some(path) = cx.warp.paths.last_mut() {
        path.pc = pc;
    }
}

/// The path to go on with: paths that reached their meeting point, or have no lanes left, are dropped, and functions without paths left.
fn resume(cx: &mut Cx) -> Option<(usize, Path)> {
    loop {
        let frame = *cx.warp.frames.last()?;
        match cx.warp.paths.last() {
            Some(&top) if cx.warp.paths.len() > frame.paths => {
                if top.mask != 0 && top.pc != top.meet && top.pc != END {
                    return Some((frame.function, top));
                }
                cx.warp.paths.pop();
            }
            _ => leave(cx),
        }
    }
}

/// The instruction that the warp executes next: function and index; none if it has ended.
pub fn next(cx: &mut Cx) -> Option<(usize, u32)> {
    resume(cx).map(|(function, path)| (function, path.pc))
}

/// Splits the running path: each part goes its own way until `meet`.
fn part(cx: &mut Cx, meet: u32, ways: &[(u32, u32)]) {
    let Some(top) = cx.warp.paths.last_mut() else { return };
    // When the path below waits at the same place, it can wait for these parts too.
    if top.meet == meet {
        cx.warp.paths.pop();
    } else {
        top.pc = meet;
    }
    for &(pc, mask) in ways.iter().rev() {
        if mask != 0 && pc != meet {
            cx.warp.paths.push(Path { pc, mask, meet });
        }
    }
}

fn choose(cx: &mut Cx, switch: &Switch, mask: u32, active: u32, pc: u32) -> Executed<Go> {
    let index = *cx.warp.v32(switch.index);
    cx.warp.need(Operand { file: RegFile::R32, index: switch.index }, active)?;
    let mut ways = vec![(pc + 1, mask & !active)];
    for lane in (0..32).filter(|l| active >> l & 1 != 0) {
        let Some(&target) = switch.targets.get(index[lane] as usize) else {
            return Err(Trap::lane(FaultKind::Undefined, lane as u32, format!("branch table index {}", index[lane])));
        };
        match ways.iter_mut().find(|w| w.0 == target) {
            Some(way) => way.1 |= 1 << lane,
            None => ways.push((target, 1 << lane)),
        }
    }
    part(cx, switch.meet, &ways);
    Ok(Go::Elsewhere)
}

fn arrive(cx: &mut Cx, barrier: &Barrier, active: u32) -> Executed<Arrival> {
    let warp = &*cx.warp;
    if active != warp.lanes {
        let absent = warp.lanes & !active;
        let gone = absent & warp.exited;
        let message = format!(
            "the warp arrives with lanes {active:#010x}; {} have exited, {} are elsewhere",
            gone.count_ones(),
            (absent & !gone).count_ones()
        );
        return Err(Trap::lane(FaultKind::DivergentBarrier, active.trailing_zeros(), message));
    }
    let uniform = |reg| -> Executed<u32> {
        warp.need(Operand { file: RegFile::R32, index: reg }, active)?;
        let values = warp.v32(reg);
        let first = values[active.trailing_zeros() as usize & 31];
        match (0..32).find(|&l| active >> l & 1 != 0 && values[l as usize] != first) {
            None => Ok(first),
            Some(l) => {
                Err(Trap::lane(FaultKind::DivergentBarrier, l, "lanes of a warp name different barriers or counts"))
            }
        }
    };
    let id = uniform(barrier.id)?;
    let count = barrier.count.map(uniform).transpose()?;
    if id >= 16 {
        return Err(Trap::warp(FaultKind::Undefined, format!("barrier {id}: there are 16")));
    }
    if let Some(count) = count
        && (count == 0 || count % 32 != 0)
    {
        return Err(Trap::warp(FaultKind::Undefined, format!("a barrier of {count} threads: not a multiple of 32")));
    }
    let holds = match barrier.source {
        None => 0,
        Some((reg, negated)) => {
            warp.need(Operand { file: RegFile::Pred, index: reg }, active)?;
            (warp.p(reg) ^ if negated { u32::MAX } else { 0 }) & active
        }
    };
    Ok(Arrival { id, count, kind: barrier.kind, holds, result: barrier.result })
}

fn enter(cx: &mut Cx, call: &Call, active: u32) -> Executed {
    let caller = cx.warp.frames.last().map_or(0, |f| f.local);
    let code = &cx.grid.module.functions[call.function];
    cx.warp.enter(code, call.function, active, cx.grid.checks.uninitialised)?;
    fill_constants(cx.grid, cx.warp, cx.block.ctaid);
    let callee = cx.warp.frames.last().map_or(0, |f| f.local);
    for (from, to) in call.arguments.iter().zip(&code.params) {
        copy_local(cx, active, callee + to.offset as usize, caller + *from as usize, to.size as usize);
    }
    Ok(())
}

fn leave(cx: &mut Cx) {
    let Some(frame) = cx.warp.frames.last().copied() else { return };
    if let [.., caller, _] = cx.warp.frames[..]
        && let Some(path) = cx.warp.paths.last()
    {
        let code = &cx.grid.module.functions[frame.function];
        if let Some(Op::Call(call)) =
            cx.grid.module.functions[caller.function].insts.get(path.pc.wrapping_sub(1) as usize).map(|i| &i.op)
        {
            for (to, from) in call.results.iter().zip(&code.returns) {
                copy_local(
                    cx,
                    frame.mask,
                    caller.local + *to as usize,
                    frame.local + from.offset as usize,
                    from.size as usize,
                );
            }
        }
    }
    cx.warp.leave();
}

fn copy_local(cx: &mut Cx, mask: u32, to: usize, from: usize, len: usize) {
    let local = &mut cx.warp.local;
    for lane in (0..32).filter(|l| mask >> l & 1 != 0) {
        let base = lane * local.size;
        local.data.copy_within(base + from..base + from + len, base + to);
        local.shadow.copy_within(base + from..base + from + len, base + to);
    }
}

/// Fills the running function's constant and special registers.
pub fn fill_constants(grid: &Grid, warp: &mut super::warp::Warp, ctaid: [u32; 3]) {
    let Some(frame) = warp.frames.last().copied() else { return };
    for (operand, constant) in &grid.module.functions[frame.function].constants {
        let lanes: [u64; 32] = match constant {
            Constant::Bits(bits) => [*bits; 32],
            Constant::Symbol(name, offset) => {
                [grid.symbols.get(name).map_or(0, |a| a.wrapping_add(*offset as u64)); 32]
            }
            Constant::Local(offset) => [(frame.local as u64).wrapping_add(*offset as u64); 32],
            Constant::Dynamic(offset) => [u64::from(grid.shared - grid.dynamic).wrapping_add(*offset as u64); 32],
            Constant::Special(special) => special_register(grid, warp.id, ctaid, *special),
        };
        warp.set_wide(*operand, u32::MAX, &lanes);
    }
}

fn special_register(grid: &Grid, warp: u32, ctaid: [u32; 3], special: Special) -> [u64; 32] {
    let [x, y, z] = grid.block;
    let lanes = |f: &dyn Fn(u32) -> u32| std::array::from_fn(|l| u64::from(f(l as u32)));
    let same = |v: u32| [u64::from(v); 32];
    let axis = |of: [u32; 3], i: u8| same(of.get(usize::from(i)).copied().unwrap_or(0));
    match special {
        Special::Tid(i) => lanes(&|l| {
            let t = warp * 32 + l;
            match i {
                0 => t % x,
                1 => t / x % y,
                _ => t / (x * y) % z,
            }
        }),
        Special::Ntid(i) => axis(grid.block, i),
        Special::Ctaid(i) => axis(ctaid, i),
        Special::Nctaid(i) => axis(grid.grid, i),
        Special::LaneId => lanes(&|l| l),
        Special::WarpId => same(warp),
        Special::WarpCount => same((x * y * z).div_ceil(32)),
        Special::LaneMaskEq => lanes(&|l| 1 << l),
        Special::LaneMaskLt => lanes(&|l| (1 << l) - 1),
        Special::LaneMaskLe => lanes(&|l| (2u64.wrapping_shl(l) as u32).wrapping_sub(1)),
        Special::LaneMaskGt => lanes(&|l| !(2u64.wrapping_shl(l) as u32).wrapping_sub(1)),
        Special::LaneMaskGe => lanes(&|l| !((1 << l) - 1)),
        Special::DynamicShared => same(grid.dynamic),
        Special::TotalShared => same(grid.shared),
        Special::Zero => same(0),
        Special::One => same(1),
    }
}

/// Marks a block's fresh local memory as never written.
pub fn forget_local(warp: &mut super::warp::Warp, tracked: bool) {
    warp.local.shadow.fill(if tracked { 0 } else { shadow::INIT });
}
