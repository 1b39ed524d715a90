//! `cp.async.bulk` and `cp.async.bulk.tensor`: the copies of TMA, through the asynchronous proxy.

use super::flight::Flight;
use super::{Landing, barrier, shared_offset};
use crate::code::{Address, Operand};
use crate::error::{Executed, FaultKind, Trap};
use crate::exec::Cx;
use crate::machine::shadow;
use crate::model::in_flight::{Hold, Ticket};
use crate::model::tensor_map::{BYTES, TensorMap};
use crate::model::tma::{Plan, Run, SHARED_ALIGNMENT};

/// The global side of a copy.
#[derive(Debug)]
pub enum Global {
    /// Consecutive bytes, as many as the register says.
    Linear(Address, Operand),
    /// A box of a tensor.
    Tensor {
        /// Where its map lies.
        map: Address,
        /// From the contiguous dimension up.
        coordinates: Vec<Operand>,
        /// im2col mode's.
        offsets: Option<Vec<Operand>>,
    },
}

/// A copy between global and shared memory.
#[derive(Debug)]
pub struct Bulk {
    /// The shared side.
    pub shared: Address,
    /// The global side.
    pub global: Global,
    /// For a copy to shared memory, the mbarrier on which its bytes complete; a copy to global memory has none.
    pub barrier: Option<Address>,
}

impl Bulk {
    /// Issues it for the lanes of `mask`.
    pub fn run(&self, cx: &mut Cx, mask: u32, line: u32) -> Executed {
        let shared = cx.addresses(&self.shared, mask)?;
        for lane in super::lanes(mask) {
            let plan = self.plan(cx, lane)?;
            let alignment = if matches!(self.global, Global::Tensor { .. }) { SHARED_ALIGNMENT } else { 16 };
            let offset =
                shared_offset(cx, lane, self.shared.space, shared[lane as usize], plan.bytes as u32, alignment)?;
            let name =
                if matches!(self.global, Global::Tensor { .. }) { "cp.async.bulk.tensor" } else { "cp.async.bulk" };
            let ticket = cx.block.shared.flights.begin(Flight { name, line, warp: cx.warp.id, lane });
            match &self.barrier {
                Some(at) => load(cx, lane, &plan, offset, ticket, at)?,
                None => store(cx, lane, &plan, offset, ticket)?,
            }
        }
        Ok(())
    }

    /// What the copy of a lane moves.
    pub fn plan(&self, cx: &mut Cx, lane: u32) -> Executed<Plan> {
        let value = |cx: &Cx, operand: &Operand| -> Executed<u64> {
            cx.warp.need(*operand, 1 << lane)?;
            Ok(cx.warp.wide(*operand)[lane as usize])
        };
        match &self.global {
            Global::Linear(at, size) => {
                let global = cx.addresses(at, 1 << lane)?[lane as usize];
                let bytes = value(cx, size)? as u32 as usize;
                if !bytes.is_multiple_of(16) || bytes == 0 {
                    let message = format!("a bulk copy of {bytes} bytes, which is no multiple of 16");
                    return Err(Trap::lane(FaultKind::Undefined, lane, message));
                }
                if !global.is_multiple_of(16) {
                    return Err(Trap::lane(
                        FaultKind::Misaligned,
                        lane,
                        format!("a bulk copy at {global:#x}, which is no multiple of 16"),
                    ));
                }
                Ok(Plan::linear(Run { global, offset: 0, bytes }))
            }
            Global::Tensor { map, coordinates, offsets } => {
                let map = read_map(cx, lane, map)?;
                let coordinates: Vec<i32> =
                    coordinates.iter().map(|c| value(cx, c).map(|c| c as i32)).collect::<Result<_, _>>()?;
                let offsets: Option<Vec<u16>> = match offsets {
                    None => None,
                    Some(all) => Some(all.iter().map(|o| value(cx, o).map(|o| o as u16)).collect::<Result<_, _>>()?),
                };
                map.plan(&coordinates, offsets.as_deref())
                    .map_err(|e| Trap::lane(FaultKind::Descriptor, lane, e.to_string()))
            }
        }
    }
}

/// The tensor map at an address, as `prefetch.tensormap` and the copies read it.
pub fn read_map(cx: &mut Cx, lane: u32, at: &Address) -> Executed<TensorMap> {
    let address = cx.addresses(at, 1 << lane)?[lane as usize];
    let mut bytes = [0; BYTES];
    if !address.is_multiple_of(64) {
        return Err(Trap::lane(
            FaultKind::Misaligned,
            lane,
            format!("a tensor map at {address:#x}, which is no multiple of 64"),
        ));
    }
    cx.read_generic(lane, address, &mut bytes)?;
    TensorMap::from_bytes(&bytes).map_err(|e| Trap::lane(FaultKind::Descriptor, lane, e.to_string()))
}

fn load(cx: &mut Cx, lane: u32, plan: &Plan, offset: usize, ticket: Ticket, at: &Address) -> Executed {
    // What lies outside the tensor is zero.
    let mut bytes = vec![0; plan.bytes];
    for run in &plan.runs {
        cx.read_global(lane, run.global, &mut bytes[run.offset..][..run.bytes])?;
    }
    let shared = &mut cx.block.shared;
    for (from, to) in plan.units(offset as u32) {
        let to = to as usize;
        shared.check_write(lane, to, 16)?;
        shared.note_async_write(cx.warp, lane, to, 16)?;
        shared.data[to..to + 16].copy_from_slice(&bytes[from..from + 16]);
        shared.shadow[to..to + 16].fill(shadow::INIT);
        if cx.grid.checks.asynchronous {
            shared.hold(ticket, Hold::Write, to, 16);
        }
    }
    let mut clock = [0; 32];
    cx.block.shared.release(cx.warp, &mut clock);
    let address = cx.addresses(at, 1 << lane)?[lane as usize];
    let barrier = shared_offset(cx, lane, at.space, address, 8, 8)?;
    let bytes = plan.bytes as u32;
    let fenced = barrier::operate(cx, lane, barrier, |live| {
        live.landings.push(Landing { tickets: vec![ticket], bytes, arrives: false, clock });
        Ok(live.fenced)
    })?;
    if !fenced && cx.grid.checks.asynchronous {
        let message =
            "the mbarrier's init is not fenced: fence.mbarrier_init or fence.proxy.async must follow mbarrier.init";
        return Err(Trap::lane(FaultKind::AsyncHazard, lane, message));
    }
    Ok(())
}

fn store(cx: &mut Cx, lane: u32, plan: &Plan, offset: usize, ticket: Ticket) -> Executed {
    let mut bytes = vec![0; plan.bytes];
    for (to, from) in plan.units(offset as u32) {
        let from = from as usize;
        cx.read_async(lane, from, &mut bytes[to..to + 16])?;
        if cx.grid.checks.asynchronous {
            cx.block.shared.hold(ticket, Hold::Read, from, 16);
        }
    }
    for run in &plan.runs {
        cx.write_global(lane, run.global, &bytes[run.offset..][..run.bytes])?;
    }
    let thread = cx.warp.id as usize * 32 + lane as usize;
    cx.block.asynchronous.thread(thread).stores.push(ticket);
    Ok(())
}

/// `cp.async.bulk.commit_group`.
pub fn commit(cx: &mut Cx, mask: u32) {
    for thread in super::threads(cx, mask) {
        cx.block.asynchronous.thread(thread).stores.commit();
    }
}

/// `cp.async.bulk.wait_group`. With `.read` the source is free; the written bytes are in place in any case.
pub fn wait(cx: &mut Cx, mask: u32, pending: u32) {
    for thread in super::threads(cx, mask) {
        let done: Vec<Ticket> = cx.block.asynchronous.thread(thread).stores.wait(pending as usize).collect();
        done.into_iter().for_each(|ticket| cx.block.shared.land(ticket));
    }
    cx.block.events += 1;
}
