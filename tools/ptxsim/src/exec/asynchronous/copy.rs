//! `cp.async`: each thread's own copies, and its groups of them.

use super::flight::Flight;
use super::{Landing, shared_offset};
use crate::code::{Address, Operand, Reg};
use crate::error::{Executed, FaultKind, Trap};
use crate::exec::Cx;
use crate::machine::shadow;
use crate::model::cp_async::CpAsync;
use crate::model::in_flight::{Hold, Ticket};

/// A `cp.async.ca` or `.cg`.
#[derive(Debug)]
pub struct Copy {
    /// In shared memory.
    pub to: Address,
    /// In global memory.
    pub from: Address,
    /// Bytes written.
    pub size: u32,
    /// `.cg`
    pub l2_only: bool,
    /// How many bytes are read.
    pub source_size: Option<Operand>,
    /// The predicate that reads nothing, and whether it is negated.
    pub ignore: Option<(Reg, bool)>,
}

impl Copy {
    /// Issues it for the lanes of `mask`.
    pub fn run(&self, cx: &mut Cx, mask: u32, line: u32) -> Executed {
        let to = cx.addresses(&self.to, mask)?;
        let from = cx.addresses(&self.from, mask)?;
        let sizes = match self.source_size {
            Some(operand) => {
                cx.warp.need(operand, mask)?;
                Some(cx.warp.wide(operand))
            }
            None => None,
        };
        for lane in super::lanes(mask) {
            let ignored = self.ignore.is_some_and(|(reg, negated)| (cx.warp.p(reg) >> lane & 1 != 0) != negated);
            let source_size = sizes.map(|sizes| sizes[lane as usize] as u32);
            let copy = CpAsync::new(self.size, self.l2_only, source_size, ignored)
                .map_err(|e| Trap::lane(FaultKind::Undefined, lane, e.to_string()))?;
            let offset = shared_offset(cx, lane, self.to.space, to[lane as usize], copy.size, copy.size)?;
            let ticket = self.issue(cx, lane, offset, from[lane as usize], copy, line)?;
            let thread = cx.warp.id as usize * 32 + lane as usize;
            cx.block.asynchronous.thread(thread).copies.push(ticket);
        }
        Ok(())
    }

    fn issue(&self, cx: &mut Cx, lane: u32, offset: usize, from: u64, copy: CpAsync, line: u32) -> Executed<Ticket> {
        let (len, read) = (copy.size as usize, copy.source_size as usize);
        if !from.is_multiple_of(u64::from(copy.size)) {
            return Err(Trap::lane(FaultKind::Misaligned, lane, format!("{len} bytes at {from:#x}")));
        }
        let mut bytes = [0u8; 16];
        if read > 0 {
            cx.read_global(lane, from, &mut bytes[..read])?;
        }
        let shared = &mut cx.block.shared;
        shared.check_write(lane, offset, len)?;
        shared.note_write(cx.warp, lane, offset, len, false)?;
        shared.data[offset..offset + len].copy_from_slice(&bytes[..len]);
        shared.shadow[offset..offset + len].fill(shadow::INIT);
        let ticket = shared.flights.begin(Flight { name: "cp.async", line, warp: cx.warp.id, lane });
        if cx.grid.checks.asynchronous {
            shared.hold(ticket, Hold::Write, offset, len);
        }
        Ok(ticket)
    }
}

/// `cp.async.commit_group`.
pub fn commit(cx: &mut Cx, mask: u32) {
    for thread in super::threads(cx, mask) {
        cx.block.asynchronous.thread(thread).copies.commit();
    }
}

/// `cp.async.wait_group pending`, or `wait_all` for none. The data counts as written now: a barrier that lay between
/// the copy and its wait tells nobody of it.
pub fn wait(cx: &mut Cx, mask: u32, pending: Option<u32>) -> Executed {
    for lane in super::lanes(mask) {
        let thread = cx.warp.id as usize * 32 + lane as usize;
        let copies = &mut cx.block.asynchronous.thread(thread).copies;
        let done: Vec<Ticket> = match pending {
            Some(pending) => copies.wait(pending as usize).collect(),
            None => copies.wait_all().collect(),
        };
        for ticket in done {
            land(cx, lane, ticket)?;
        }
    }
    cx.block.events += 1;
    Ok(())
}

fn land(cx: &mut Cx, lane: u32, ticket: Ticket) -> Executed {
    let shared = &mut cx.block.shared;
    let ranges = shared.flights.ranges(ticket).to_vec();
    shared.land(ticket);
    for (_, offset, len) in ranges {
        shared.note_write(cx.warp, lane, offset, len, false)?;
    }
    Ok(())
}

/// `cp.async.mbarrier.arrive`: an arrival once all copies of the thread so far are complete.
pub fn arrive(cx: &mut Cx, mask: u32, at: &Address, count: bool) -> Executed {
    let addresses = cx.addresses(at, mask)?;
    for lane in super::lanes(mask) {
        let offset = shared_offset(cx, lane, at.space, addresses[lane as usize], 8, 8)?;
        let thread = cx.warp.id as usize * 32 + lane as usize;
        let tickets: Vec<Ticket> = cx.block.asynchronous.thread(thread).copies.iter().copied().collect();
        let mut clock = [0; 32];
        cx.block.shared.release(cx.warp, &mut clock);
        super::barrier::operate(cx, lane, offset, |live| {
            if count {
                live.barrier.expect_arrival()?;
            }
            live.landings.push(Landing { tickets, bytes: 0, arrives: true, clock });
            Ok(())
        })?;
    }
    Ok(())
}
