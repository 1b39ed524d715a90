//! Asynchronous copies and what orders them: `cp.async`, `cp.async.bulk`, `mbarrier`, `fence.proxy`, `setmaxnreg`,
//! `elect.sync`.
//!
//! A copy's bytes are moved when it is issued, and owned by it ([`flight`]) until the program has waited as PTX says
//! it must: `cp.async` at the thread's `wait_group`, bulk copies at their mbarrier's phase or their group's wait.
//! A question about a phase that hangs on a copy under way is answered "not yet" once, and only when it is asked again
//! does the copy land: so a wait that is no loop is no wait.

pub mod barrier;
pub mod bulk;
mod bytes;
pub mod copy;
mod decode;
pub mod flight;
mod observe;
mod registers;

pub use decode::decode;

use super::matrix::Warpgroup;
use super::memory::place;
use super::{Cx, Step};
use crate::code::{Address, Operand, Reg};
use crate::error::{Executed, FaultKind, Trap};
use crate::model::cp_async::Groups;
use crate::model::in_flight::Ticket;
use crate::syntax::ast::Space;
use std::collections::BTreeMap;

/// An asynchronous instruction and its line.
#[derive(Debug)]
pub struct Async {
    /// What is done.
    pub operation: Operation,
    /// The line in the PTX.
    pub line: u32,
}

/// What is done.
#[derive(Debug)]
pub enum Operation {
    /// `cp.async`
    Copy(copy::Copy),
    /// `cp.async.commit_group`
    Commit,
    /// `cp.async.wait_group`, or `wait_all` without a number.
    Wait(Option<u32>),
    /// `cp.async.mbarrier.arrive`; counted beside the expected arrivals, unless `.noinc`.
    ArriveAfterCopies(Address, bool),
    /// `cp.async.bulk`
    Bulk(bulk::Bulk),
    /// `cp.async.bulk.commit_group`
    BulkCommit,
    /// `cp.async.bulk.wait_group`
    BulkWait(u32),
    /// `prefetch.tensormap`, `cp.async.bulk.prefetch.tensor`: the map must be one.
    TouchMap(Address),
    /// `mbarrier`
    Barrier(barrier::Barrier),
    /// `fence.proxy.async`
    FenceProxy,
    /// `fence.mbarrier_init`
    FenceInit,
    /// `setmaxnreg`: whether it asks for more, and for how many.
    Registers(bool, u32),
    /// A fence of proxies that are one here.
    Nothing,
    /// `elect.sync`: the chosen lane, whether it is this one, the members.
    Elect(Option<Operand>, Reg, Operand),
}

/// What one thread has under way.
#[derive(Debug, Default)]
pub struct Thread {
    /// `cp.async`
    pub copies: Groups<Ticket>,
    /// Bulk copies to global memory.
    pub stores: Groups<Ticket>,
}

/// What an mbarrier will be told when it is asked.
#[derive(Debug)]
pub struct Landing {
    /// The copies that are complete then.
    pub tickets: Vec<Ticket>,
    /// Their bytes, as far as the mbarrier counts them.
    pub bytes: u32,
    /// Whether it is an arrival.
    pub arrives: bool,
    /// What the issuing warp had done.
    pub clock: [u32; 32],
}

/// What a block has in flight.
#[derive(Debug, Default)]
pub struct AsyncWork {
    /// The mbarriers in use, by their offset in shared memory.
    pub barriers: BTreeMap<usize, barrier::Live>,
    /// Executions of mbarrier instructions.
    pub questions: u64,
    /// What each warp has of `wgmma` and `setmaxnreg`.
    pub warps: Vec<Warpgroup>,
    threads: Vec<Thread>,
}

/// The lanes of a mask.
pub fn lanes(mask: u32) -> impl Iterator<Item = u32> {
    (0..32).filter(move |lane| mask >> lane & 1 != 0)
}

/// The threads of a mask, as numbers in the block.
fn threads(cx: &Cx, mask: u32) -> impl Iterator<Item = usize> + use<> {
    let first = cx.warp.id as usize * 32;
    lanes(mask).map(move |lane| first + lane as usize)
}

/// The offset in shared memory of `len` bytes at an address of `space`, which must lie inside and be aligned.
pub fn shared_offset(cx: &Cx, lane: u32, space: Space, address: u64, len: u32, alignment: u32) -> Executed<usize> {
    let (found, offset) = if space == Space::Shared && address >> 32 == 0 { (space, address) } else { place(address) };
    if found != Space::Shared {
        return Err(Trap::lane(FaultKind::OutOfBounds, lane, format!("{address:#x} is no address in shared memory")));
    }
    if !offset.is_multiple_of(u64::from(alignment)) {
        let message = format!("shared address {offset:#x} is no multiple of {alignment}");
        return Err(Trap::lane(FaultKind::Misaligned, lane, message));
    }
    let size = cx.block.shared.len as u64;
    if offset + u64::from(len) > size {
        let message = format!("{len} bytes at {offset:#x} of shared memory, which has {size}");
        return Err(Trap::lane(FaultKind::OutOfBounds, lane, message));
    }
    Ok(offset as usize)
}

impl Async {
    /// Executes it for the lanes of `mask`.
    pub fn run(&self, cx: &mut Cx, mask: u32) -> Executed<Step> {
        let line = self.line;
        match &self.operation {
            Operation::Copy(copy) => copy.run(cx, mask, line)?,
            Operation::Commit => copy::commit(cx, mask),
            Operation::Wait(pending) => copy::wait(cx, mask, *pending)?,
            Operation::ArriveAfterCopies(at, count) => copy::arrive(cx, mask, at, *count)?,
            Operation::Bulk(bulk) => bulk.run(cx, mask, line)?,
            Operation::BulkCommit => bulk::commit(cx, mask),
            Operation::BulkWait(pending) => bulk::wait(cx, mask, *pending),
            Operation::TouchMap(at) => {
                for lane in lanes(mask) {
                    bulk::read_map(cx, lane, at)?;
                }
            }
            Operation::Barrier(barrier) => return barrier.run(cx, mask, line),
            Operation::FenceProxy => {
                cx.block.shared.fence_proxy(cx.warp);
                cx.block.asynchronous.fence_init(cx.warp.id);
            }
            Operation::Nothing => {}
            Operation::FenceInit => cx.block.asynchronous.fence_init(cx.warp.id),
            Operation::Registers(more, count) => registers::set_max(cx, mask, *more, *count)?,
            Operation::Elect(chosen, here, members) => elect(cx, mask, *chosen, *here, *members)?,
        }
        Ok(Step::Next)
    }
}

/// `elect.sync`: the first of the members.
fn elect(cx: &mut Cx, mask: u32, chosen: Option<Operand>, here: Reg, members: Operand) -> Executed {
    let members = super::collective::gather(cx.warp, Some(members.index), mask)?;
    let first = members.trailing_zeros();
    if let Some(chosen) = chosen {
        cx.warp.set_wide(chosen, mask, &[u64::from(first); 32]);
    }
    cx.warp.set_pred(here, mask, 1 << first);
    Ok(())
}

impl AsyncWork {
    /// What `thread` of the block has under way.
    pub fn thread(&mut self, thread: usize) -> &mut Thread {
        if self.threads.len() <= thread {
            self.threads.resize_with(thread + 1, Thread::default);
        }
        &mut self.threads[thread]
    }

    /// What `warp` has of matrix products.
    pub fn warp(&mut self, warp: u32) -> &mut Warpgroup {
        let warp = warp as usize;
        if self.warps.len() <= warp {
            self.warps.resize_with(warp + 1, Warpgroup::default);
        }
        &mut self.warps[warp]
    }

    fn fence_init(&mut self, warp: u32) {
        self.barriers.values_mut().filter(|live| live.init.0 == warp).for_each(|live| live.fenced = true);
    }

    /// What the mbarriers wait for, for a block that cannot go on.
    pub fn waits(&self) -> String {
        let mut out = String::new();
        for live in self.barriers.values() {
            let (pending, expected) = (live.barrier.pending(), live.barrier.expected());
            let (line, phase) = (live.line, live.barrier.phase());
            out +=
                &format!("; the mbarrier of line {line} waits in phase {phase} for {pending} of {expected} arrivals");
            let bytes = live.barrier.pending_bytes();
            if bytes != 0 {
                out += &format!(" and {bytes} bytes, of which no copy is under way");
            }
        }
        out
    }

    /// A register that counts as never written may be one that a product still owns.
    pub fn explain(&self, warp: u32, mut trap: Box<Trap>) -> Box<Trap> {
        if trap.kind == FaultKind::UninitialisedRegister
            && let Some(line) = self.warps.get(warp as usize).and_then(Warpgroup::in_flight)
        {
            trap.kind = FaultKind::AsyncHazard;
            trap.message += &format!(": the wgmma.mma_async of line {line} has not been awaited");
        }
        trap
    }

    /// Called when the block's last thread has exited: what is still in flight is a fault.
    pub fn finish(&mut self, shared: &super::shared::Shared, warps: usize) -> Executed {
        self.warps.resize_with(warps, Warpgroup::default);
        if let Some(flight) = shared.flights.iter().next() {
            let message = format!("the block's threads exit while {flight} (warp {}) is under way", flight.warp);
            return Err(Trap::warp(FaultKind::AsyncHazard, message));
        }
        super::matrix::finish(&self.warps)
    }
}
