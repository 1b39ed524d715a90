//! `mbarrier` instructions. The mbarrier's word lies in shared memory; what the word cannot hold lies beside it.

use super::{Landing, shared_offset};
use crate::code::{Address, Operand, Reg};
use crate::error::{Executed, FaultKind, Trap};
use crate::exec::shared::{Shared, acquire};
use crate::exec::{Cx, Step};
use crate::machine::shadow;
use crate::model::mbarrier::{Mbarrier, MbarrierError};

/// An mbarrier in use.
#[derive(Debug)]
pub struct Live {
    /// Its state.
    pub barrier: Mbarrier,
    /// Where it was initialised.
    pub line: u32,
    /// The warp that did, and when.
    pub init: (u32, u32),
    /// Whether a fence has made the initialisation known to asynchronous copies.
    pub fenced: bool,
    /// What will arrive by itself.
    pub landings: Vec<Landing>,
    /// Each warp's question that was answered "not yet" while something was on its way; 0 for none.
    polled: [u64; 32],
    /// What those that arrived have done, in this phase and up to the last one that completed.
    arrived: [u32; 32],
    completed: [u32; 32],
    /// How many phases each thread knows to be complete.
    seen: Vec<u64>,
}

/// What is done with an mbarrier.
#[derive(Debug)]
pub enum Operation {
    /// `mbarrier.init`
    Init(Operand),
    /// `mbarrier.inval`
    Invalidate,
    /// `mbarrier.arrive`, `.arrive_drop`
    Arrive {
        /// Where the state goes.
        state: Option<Operand>,
        /// How many arrive.
        count: Option<Operand>,
        /// `.expect_tx`
        bytes: Option<Operand>,
        /// `.noComplete`
        no_complete: bool,
        /// `arrive_drop`
        drop: bool,
    },
    /// `mbarrier.expect_tx`
    Expect(Operand),
    /// `mbarrier.complete_tx`
    Complete(Operand),
    /// `mbarrier.test_wait`, `.try_wait`
    Test {
        /// The answer.
        done: Reg,
        /// The state, or the parity.
        phase: Operand,
        /// Whether it is the parity.
        parity: bool,
    },
}

/// An instruction on an mbarrier.
#[derive(Debug)]
pub struct Barrier {
    /// Where the mbarrier lies.
    pub at: Address,
    /// What is done.
    pub operation: Operation,
}

impl Barrier {
    /// Executes it for the lanes of `mask`, one after the other.
    pub fn run(&self, cx: &mut Cx, mask: u32, line: u32) -> Executed<Step> {
        let addresses = cx.addresses(&self.at, mask)?;
        let mut step = Step::Next;
        let mut answers = 0;
        let mut states = [0; 32];
        cx.block.asynchronous.questions += 1;
        for lane in super::lanes(mask) {
            let offset = shared_offset(cx, lane, self.at.space, addresses[lane as usize], 8, 8)?;
            let value = |cx: &Cx, operand: Operand| -> Executed<u64> {
                cx.warp.need(operand, 1 << lane)?;
                Ok(cx.warp.wide(operand)[lane as usize])
            };
            match &self.operation {
                Operation::Init(count) => {
                    let count = value(cx, *count)? as u32;
                    init(cx, lane, offset, count, line)?;
                }
                Operation::Invalidate => {
                    operate(cx, lane, offset, |_| Ok(()))?;
                    let live = cx.block.asynchronous.barriers.remove(&offset);
                    if live.is_some_and(|live| !live.landings.is_empty()) {
                        let message = "mbarrier.inval while copies that complete on the barrier are under way";
                        return Err(Trap::lane(FaultKind::Mbarrier, lane, message));
                    }
                    let shared = &mut cx.block.shared;
                    shared.note_write(cx.warp, lane, offset, 8, false)?;
                    shared.shadow[offset..offset + 8].fill(0);
                }
                Operation::Arrive { count, bytes, no_complete, drop, .. } => {
                    let count = count.map_or(Ok(1), |operand| value(cx, operand))? as u32;
                    let bytes = bytes.map_or(Ok(0), |operand| value(cx, operand))? as u32;
                    let mut clock = [0; 32];
                    cx.block.shared.release(cx.warp, &mut clock);
                    states[lane as usize] = operate(cx, lane, offset, |live| {
                        join(&mut live.arrived, &clock);
                        match (no_complete, drop) {
                            (true, _) => live.barrier.arrive_no_complete(count),
                            (_, true) => live.barrier.arrive_drop(count),
                            _ => live.barrier.arrive(count, bytes),
                        }
                    })?;
                }
                Operation::Expect(bytes) => {
                    let bytes = value(cx, *bytes)? as u32;
                    operate(cx, lane, offset, |live| live.barrier.expect(bytes))?;
                }
                Operation::Complete(bytes) => {
                    let bytes = value(cx, *bytes)? as u32;
                    operate(cx, lane, offset, |live| live.barrier.complete(bytes))?;
                }
                Operation::Test { phase, parity, .. } => {
                    let phase = value(cx, *phase)?;
                    if test(cx, lane, offset, phase, *parity)? {
                        answers |= 1 << lane;
                    } else {
                        step = Step::Pause;
                    }
                }
            }
        }
        match self.operation {
            Operation::Test { done, .. } => cx.warp.set_pred(done, mask, answers),
            Operation::Arrive { state: Some(state), .. } => cx.warp.set_wide(state, mask, &states),
            _ => {}
        }
        Ok(step)
    }
}

fn join(to: &mut [u32; 32], from: &[u32; 32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = (*to).max(*from));
}

fn init(cx: &mut Cx, lane: u32, offset: usize, count: u32, line: u32) -> Executed {
    let wrong = |message: String| Trap::lane(FaultKind::Mbarrier, lane, message);
    if let Some(live) = cx.block.asynchronous.barriers.get(&offset) {
        return Err(wrong(format!("mbarrier.init over a live barrier, initialised at line {}", live.line)));
    }
    let barrier = Mbarrier::new(count).map_err(|e| wrong(e.to_string()))?;
    let shared = &mut cx.block.shared;
    shared.check_write(lane, offset, 8)?;
    shared.note_write(cx.warp, lane, offset, 8, false)?;
    let init = (cx.warp.id, shared.time);
    write(shared, offset, &barrier);
    let live = Live {
        barrier,
        line,
        init,
        fenced: false,
        landings: Vec::new(),
        polled: [0; 32],
        arrived: [0; 32],
        completed: [0; 32],
        seen: Vec::new(),
    };
    cx.block.asynchronous.barriers.insert(offset, live);
    Ok(())
}

fn write(shared: &mut Shared, offset: usize, barrier: &Mbarrier) {
    shared.data[offset..offset + 8].copy_from_slice(&barrier.word().to_le_bytes());
    shared.shadow[offset..offset + 8].fill(shadow::INIT);
}

/// Does something with the live mbarrier at `offset` and keeps its word up to date.
pub fn operate<T>(
    cx: &mut Cx,
    lane: u32,
    offset: usize,
    action: impl FnOnce(&mut Live) -> Result<T, MbarrierError>,
) -> Executed<T> {
    let wrong = |message: String| Trap::lane(FaultKind::Mbarrier, lane, message);
    let Some(live) = cx.block.asynchronous.barriers.get_mut(&offset) else {
        return Err(wrong(format!(
            "there is no barrier at shared address {offset:#x}: mbarrier.init was not executed"
        )));
    };
    let shared = &mut cx.block.shared;
    let (warp, time) = live.init;
    if shared.races && warp != cx.warp.id && time >= cx.warp.clock[warp as usize] {
        let message =
            format!("a barrier that warp {warp} initialised at line {} with no barrier in between", live.line);
        return Err(Trap::lane(FaultKind::Race, lane, message));
    }
    if shared.data[offset..offset + 8] != live.barrier.word().to_le_bytes() {
        return Err(wrong(format!("the mbarrier at shared address {offset:#x} was overwritten by an ordinary store")));
    }
    let phase = live.barrier.phase();
    let result = action(live).map_err(|e| wrong(format!("the mbarrier of line {}: {e}", live.line)))?;
    if live.barrier.phase() != phase {
        live.completed = live.arrived;
        cx.block.events += 1;
    }
    write(&mut cx.block.shared, offset, &live.barrier);
    Ok(result)
}

/// Whether a phase is complete. The first time that the answer would hang on what is still on its way, it is no: a
/// kernel that does not ask again has not waited.
fn test(cx: &mut Cx, lane: u32, offset: usize, wanted: u64, parity: bool) -> Executed<bool> {
    let thread = cx.warp.id as usize * 32 + lane as usize;
    let ask = |live: &mut Live| {
        if live.seen.len() <= thread {
            live.seen.resize(thread + 1, 0);
        }
        match parity {
            true => live.barrier.test_parity(wanted & 1 != 0, live.seen[thread]),
            false => live.barrier.test(wanted),
        }
    };
    let mut done = operate(cx, lane, offset, ask)?;
    let (question, warp) = (cx.block.asynchronous.questions, cx.warp.id as usize);
    if !done {
        let landings = operate(cx, lane, offset, |live| {
            if live.landings.is_empty() {
                return Ok(None);
            }
            // A warp must have asked before; all lanes of one instruction get the same answer.
            if live.polled[warp] == 0 || live.polled[warp] == question {
                live.polled[warp] = question;
                return Ok(Some(Vec::new()));
            }
            live.polled = [0; 32];
            Ok(Some(std::mem::take(&mut live.landings)))
        })?;
        // When something is on its way, whoever asks again may go on.
        cx.block.events += u64::from(landings.is_some());
        let landings = landings.unwrap_or_default();
        for landing in landings {
            landing.tickets.iter().for_each(|&ticket| cx.block.shared.land(ticket));
            operate(cx, lane, offset, |live| {
                join(&mut live.arrived, &landing.clock);
                if landing.arrives { live.barrier.arrive(1, 0).map(drop) } else { live.barrier.complete(landing.bytes) }
            })?;
        }
        done = operate(cx, lane, offset, ask)?;
    }
    if done {
        let completed = operate(cx, lane, offset, |live| {
            // The answer is about the phase before the one under way.
            live.seen[thread] = live.seen[thread].max(live.barrier.phase());
            Ok(live.completed)
        })?;
        acquire(cx.warp, &completed);
    }
    Ok(done)
}
