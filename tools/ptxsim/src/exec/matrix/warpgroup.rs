//! `wgmma`: products of a warpgroup, each warp its 16 rows, with the waits and fences that they need.
//!
//! A product is computed when it is issued. Until its group has been awaited its accumulators count as never written,
//! so that any use is found where registers are checked anyway, and its operands in shared memory are held.

use crate::code::{Operand, Reg, RegFile};
use crate::error::{Executed, FaultKind, Trap};
use crate::exec::Cx;
use crate::exec::asynchronous::flight::Flight;
use crate::model::WarpRegister;
use crate::model::cp_async::Groups;
use crate::model::in_flight::{Hold, Ticket};
use crate::model::wgmma::{M, WARPS, Wgmma};
use std::collections::HashMap;

/// Operand A.
#[derive(Debug)]
pub enum A {
    /// A descriptor.
    Shared(Reg),
    /// Four registers.
    Registers(Vec<Reg>),
}

/// A `wgmma.mma_async`.
#[derive(Debug)]
pub struct Product {
    /// Shape and types.
    pub wgmma: Wgmma,
    /// The accumulators.
    pub d: Vec<Reg>,
    /// Operand A.
    pub a: A,
    /// The descriptor of operand B.
    pub b: Reg,
    /// The predicate without which the accumulators count as zero.
    pub scale: Operand,
}

/// What one warp has of a warpgroup's work.
#[derive(Debug, Default)]
pub struct Warpgroup {
    groups: Groups<Issued>,
    /// Accumulators in flight: how many products own each, and the line of the last.
    pending: HashMap<usize, (u32, u32)>,
    /// The values that registers had at the last `wgmma.fence`, or that products have left in them since.
    fenced: Option<HashMap<usize, WarpRegister>>,
    /// `wgmma.mma_async` executed.
    products: u64,
    /// `setmaxnreg` executed, and what the last one asked for.
    pub register_changes: u64,
    /// See there.
    pub registers: Option<u32>,
}

/// A product under way.
#[derive(Debug)]
struct Issued {
    line: u32,
    ticket: Ticket,
    accumulators: Vec<usize>,
    /// Operand A's registers, which must keep their values.
    a: Vec<(usize, WarpRegister)>,
}

fn hazard(message: String) -> Box<Trap> {
    Trap::warp(FaultKind::AsyncHazard, message)
}

fn whole_warpgroup(cx: &Cx, mask: u32, name: &str) -> Executed {
    let first = cx.warp.id / WARPS as u32 * WARPS as u32;
    let threads = cx.grid.block.iter().product::<u32>();
    if mask != u32::MAX || (first + WARPS as u32) * 32 > threads {
        let message = format!(
            "{name} executed by a part of a warpgroup: lanes {mask:#010x} of warp {}, {threads} threads in the block",
            cx.warp.id
        );
        return Err(Trap::warp(FaultKind::DivergentBarrier, message));
    }
    Ok(())
}

impl Product {
    /// Issues it for one warp.
    pub fn run(&self, cx: &mut Cx, mask: u32, line: u32) -> Executed {
        whole_warpgroup(cx, mask, "wgmma.mma_async")?;
        let base = cx.warp.base[1];
        let at = |reg: Reg| base + reg as usize;
        let in_registers: &[Reg] = match &self.a {
            A::Registers(registers) => registers,
            A::Shared(_) => &[],
        };
        let scale = self.scale(cx, mask)?;
        for &reg in in_registers {
            cx.warp.need(Operand { file: RegFile::R32, index: reg }, mask)?;
        }
        self.check_accumulators(cx, mask, scale)?;
        let checked = cx.grid.checks.asynchronous;
        if checked {
            check_fence(cx, in_registers.iter().map(|&reg| ("A", at(reg))))?;
            let state = cx.block.asynchronous.warp(cx.warp.id);
            let free: Vec<_> =
                self.d.iter().map(|&reg| at(reg)).filter(|reg| !state.pending.contains_key(reg)).collect();
            check_fence(cx, free.into_iter().map(|reg| ("the accumulator", reg)))?;
        }

        let (n, k, warp) = (self.wgmma.n, self.wgmma.k(), cx.warp.id as usize % WARPS);
        let ticket = cx.block.shared.flights.begin(Flight { name: "wgmma.mma_async", line, warp: cx.warp.id, lane: 0 });
        let mut a = vec![0.0; M * k];
        match &self.a {
            A::Registers(registers) => {
                let values: Vec<WarpRegister> = registers.iter().map(|&reg| *cx.warp.v32(reg)).collect();
                self.wgmma.read_a(warp, &values, &mut a);
            }
            A::Shared(descriptor) => {
                let descriptor = uniform(cx, *descriptor, mask)?;
                let units = self.wgmma.a_units(descriptor, cx.block.shared.len as u32).map_err(malformed)?;
                for (row, l, address) in units.into_iter().filter(|(row, ..)| row / 16 == warp) {
                    let unit = read_unit(cx, ticket, address)?;
                    self.wgmma.place_a(&mut a, row, l, &unit);
                }
            }
        }
        let mut b = vec![0.0; k * n];
        let descriptor = uniform(cx, self.b, mask)?;
        for (column, l, address) in self.wgmma.b_units(descriptor, cx.block.shared.len as u32).map_err(malformed)? {
            let unit = read_unit(cx, ticket, address)?;
            self.wgmma.place_b(&mut b, column, l, &unit);
        }

        let mut registers: Vec<WarpRegister> = self.d.iter().map(|&reg| *cx.warp.v32(reg)).collect();
        let mut d = vec![0.0; 16 * n];
        if scale {
            self.wgmma.accumulator.read(n, &registers, &mut d);
        }
        self.wgmma.multiply(&mut a[warp * 16 * k..][..16 * k], &b, &mut d);
        self.wgmma.accumulator.write(n, &d, &mut registers);
        for (&reg, value) in self.d.iter().zip(&registers) {
            cx.warp.set32(reg, mask, value);
        }
        let state = cx.block.asynchronous.warp(cx.warp.id);
        state.products += 1;
        if !checked {
            cx.block.shared.land(ticket);
            return Ok(());
        }
        if let Some(fenced) = &mut state.fenced {
            fenced.extend(self.d.iter().map(|&reg| at(reg)).zip(registers));
        }
        for &reg in &self.d {
            let pending = state.pending.entry(at(reg)).or_default();
            *pending = (pending.0 + 1, line);
            cx.warp.valid32[at(reg)] = 0;
        }
        let a = in_registers.iter().map(|&reg| (at(reg), *cx.warp.v32(reg))).collect();
        state.groups.push(Issued { line, ticket, accumulators: self.d.iter().map(|&reg| at(reg)).collect(), a });
        Ok(())
    }

    /// The registers it reads or writes.
    pub fn registers(&self) -> impl Iterator<Item = Reg> {
        let a = match &self.a {
            A::Registers(registers) => registers.as_slice(),
            A::Shared(_) => &[],
        };
        self.d.iter().chain(a).copied()
    }

    fn scale(&self, cx: &Cx, mask: u32) -> Executed<bool> {
        cx.warp.need(self.scale, mask)?;
        let lanes = cx.warp.wide(self.scale);
        match lanes.iter().filter(|&&lane| lane & 1 != 0).count() {
            0 => Ok(false),
            32 => Ok(true),
            _ => Err(Trap::warp(FaultKind::Undefined, "scale-d differs among the lanes of a warp")),
        }
    }

    /// Accumulators must be written, or be those of a product under way and untouched since.
    fn check_accumulators(&self, cx: &mut Cx, mask: u32, scale: bool) -> Executed {
        for &reg in &self.d {
            let index = cx.warp.base[1] + reg as usize;
            match cx.block.asynchronous.warp(cx.warp.id).pending.get(&index) {
                Some(&(_, line)) if cx.warp.valid32[index] != 0 => return Err(overwritten(line)),
                Some(_) => {}
                None if scale => cx.warp.need(Operand { file: RegFile::R32, index: reg }, mask)?,
                None => {}
            }
        }
        Ok(())
    }
}

fn malformed(error: crate::model::wgmma::WgmmaError) -> Box<Trap> {
    Trap::warp(FaultKind::Descriptor, error.to_string())
}

fn overwritten(line: u32) -> Box<Trap> {
    hazard(format!("an accumulator of the wgmma.mma_async of line {line} was written before its wgmma.wait_group"))
}

/// The value that a 64-bit register has in all lanes.
fn uniform(cx: &Cx, reg: Reg, mask: u32) -> Executed<u64> {
    cx.warp.need(Operand { file: RegFile::R64, index: reg }, mask)?;
    let lanes = cx.warp.v64(reg);
    if lanes.iter().any(|lane| lane != &lanes[0]) {
        return Err(Trap::warp(FaultKind::Undefined, "a matrix descriptor differs among the lanes of a warp"));
    }
    Ok(lanes[0])
}

fn read_unit(cx: &mut Cx, ticket: Ticket, address: u32) -> Executed<[u8; 16]> {
    let mut unit = [0; 16];
    cx.read_async(0, address as usize, &mut unit)?;
    if cx.grid.checks.asynchronous {
        cx.block.shared.hold(ticket, Hold::Read, address as usize, 16);
    }
    Ok(unit)
}

/// Registers must not have changed since the last `wgmma.fence`, but by products.
fn check_fence(cx: &mut Cx, registers: impl Iterator<Item = (&'static str, usize)>) -> Executed {
    let state = cx.block.asynchronous.warp(cx.warp.id);
    for (what, reg) in registers {
        let Some(fenced) = &state.fenced else {
            return Err(hazard("no wgmma.fence orders the registers' writes before this product".into()));
        };
        if fenced.get(&reg).is_some_and(|value| value != &cx.warp.r32[reg]) {
            return Err(hazard(format!("a register of {what} was written after the last wgmma.fence")));
        }
    }
    Ok(())
}

/// `wgmma.fence`: notes what all registers hold.
pub fn fence(cx: &mut Cx, mask: u32) -> Executed {
    whole_warpgroup(cx, mask, "wgmma.fence")?;
    if !cx.grid.checks.asynchronous {
        return Ok(());
    }
    let base = cx.warp.base[1];
    let function = cx.warp.frames.last().map_or(cx.grid.function, |frame| frame.function);
    let used = super::product_registers(&cx.grid.module.functions[function]);
    let values = used.into_iter().map(|reg| (base + reg as usize, cx.warp.r32[base + reg as usize])).collect();
    cx.block.asynchronous.warp(cx.warp.id).fenced = Some(values);
    Ok(())
}

/// `wgmma.commit_group`.
pub fn commit(cx: &mut Cx, mask: u32) -> Executed {
    whole_warpgroup(cx, mask, "wgmma.commit_group")?;
    cx.block.asynchronous.warp(cx.warp.id).groups.commit();
    Ok(())
}

/// `wgmma.wait_group pending`.
pub fn wait(cx: &mut Cx, mask: u32, pending: u32) -> Executed {
    whole_warpgroup(cx, mask, "wgmma.wait_group")?;
    let state = cx.block.asynchronous.warp(cx.warp.id);
    for issued in state.groups.wait(pending as usize) {
        cx.block.shared.land(issued.ticket);
        for (reg, value) in issued.a {
            if cx.warp.r32[reg] != value {
                let line = issued.line;
                return Err(hazard(format!(
                    "a register of A was written while the wgmma.mma_async of line {line} still read it"
                )));
            }
        }
        for reg in issued.accumulators {
            let Some(owners) = state.pending.get_mut(&reg) else { continue };
            if cx.warp.valid32[reg] != 0 {
                return Err(overwritten(issued.line));
            }
            owners.0 -= 1;
            if owners.0 == 0 {
                state.pending.remove(&reg);
                cx.warp.valid32[reg] = u32::MAX;
            }
        }
    }
    Ok(())
}

impl Warpgroup {
    /// The line of the last product whose accumulators are still its own.
    pub fn in_flight(&self) -> Option<u32> {
        self.pending.values().map(|&(_, line)| line).max()
    }
}

/// At the end of a block: the warps of a warpgroup must have done the same.
pub fn finish(warps: &[Warpgroup]) -> Executed {
    for (group, warps) in warps.chunks(WARPS).enumerate() {
        let differs = |count: fn(&Warpgroup) -> u64| {
            let first = count(&warps[0]);
            warps.iter().any(|warp| count(warp) != first)
        };
        for (name, differ) in
            [("wgmma.mma_async", differs(|warp| warp.products)), ("setmaxnreg", differs(|warp| warp.register_changes))]
        {
            if differ {
                let message = format!("the warps of warpgroup {group} did not execute {name} equally often");
                return Err(Trap::warp(FaultKind::DivergentBarrier, message));
            }
        }
    }
    Ok(())
}
