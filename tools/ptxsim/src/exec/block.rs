//! A block: its warps take turns until all have ended.

use super::observe::Recorder;
use super::retry::{self, Asked};
use super::run::{SLICE, Trapped, fill_constants, forget_local, run};
use super::shared::{Shared, acquire};
use super::warp::{Warp, WarpState};
use super::{Arrival, Cx, Grid, Step};
use crate::code::BarrierKind;
use crate::error::{Fault, FaultKind, Trap};

/// Rounds in which every warp only asked again, after which nothing will ever change.
const PATIENCE: u32 = 1000;

/// What the warps of a block share.
#[derive(Debug, Default)]
pub struct Block {
    /// `%ctaid`
    pub ctaid: [u32; 3],
    /// Shared memory.
    pub shared: Shared,
    /// Raised by whatever may let a waiting warp go on.
    pub events: u64,
    /// What is in flight.
    pub asynchronous: super::asynchronous::AsyncWork,
    barriers: [Gate; 16],
}

/// A barrier in use.
#[derive(Debug, Default, Clone)]
struct Gate {
    threads: u32,
    expected: Option<u32>,
    waiting: Vec<(u32, Arrival)>,
    holds: Vec<u32>,
    clock: [u32; 32],
}

/// A thread of the host that runs blocks: it keeps registers and shared memory from one to the next.
pub struct Worker {
    block: Block,
    warps: Vec<Warp>,
    last: usize,
    /// Executions of each instruction of each function.
    pub counts: Vec<Vec<u64>>,
    /// What they asked for, if that is counted.
    pub recorder: Option<Box<Recorder>>,
    /// The warps that were told to ask an mbarrier again.
    asked: Vec<Asked>,
}

impl Worker {
    /// A worker for `grid`'s blocks.
    pub fn new(grid: &Grid, profiled: bool) -> Self {
        let threads: u32 = grid.block.iter().product();
        let warps = threads.div_ceil(32);
        Self {
            block: Block::default(),
            warps: (0..warps).map(Warp::new).collect(),
            last: 0,
            counts: grid.module.functions.iter().map(|f| vec![0; f.insts.len()]).collect(),
            recorder: profiled.then(Box::default),
            asked: vec![None; warps as usize],
        }
    }

    /// Runs a block to its end.
    pub fn run(&mut self, grid: &Grid, ctaid: [u32; 3]) -> Result<(), Fault> {
        let threads: u32 = grid.block.iter().product();
        let tracked = grid.checks.uninitialised;
        let block = &mut self.block;
        block.ctaid = ctaid;
        block.events = 0;
        block.asynchronous = super::asynchronous::AsyncWork::default();
        block.barriers = std::array::from_fn(|_| Gate::default());
        block.shared.reset(grid.shared as usize, tracked, grid.checks.races);
        block.shared.global_races = grid.global_races;
        for warp in &mut self.warps {
            let lanes = (threads - warp.id * 32).min(32);
            warp.lanes = u32::MAX >> (32 - lanes);
            warp.exited = 0;
            warp.state = WarpState::Ready;
            warp.paths.clear();
            warp.frames.clear();
            warp.clock = [block.shared.time; 32];
            let entered = warp.enter(&grid.module.functions[grid.function], grid.function, warp.lanes, tracked);
            entered
                .map_err(|trap| Fault::plain(trap.kind, &grid.module.functions[grid.function].name, trap.message))?;
            forget_local(warp, tracked);
            fill_constants(grid, warp, ctaid);
        }
        let mut budget = if grid.budget == 0 { u64::MAX } else { grid.budget };
        let mut idle = 0;
        loop {
            let events = self.block.events;
            let (mut running, mut moved) = (false, false);
            for i in 0..self.warps.len() {
                if self.warps[i].state != WarpState::Ready {
                    continue;
                }
                running = true;
                let recorder = self.recorder.as_deref_mut();
                let (warp, profiled) = (&mut self.warps[i], recorder.is_some());
                let mut cx = Cx { grid, block: &mut self.block, warp, last: &mut self.last, recorder };
                let step = match &mut self.asked[i] {
                    asked @ Some(_) => retry::resume(&mut cx, &mut self.counts, &mut budget, asked),
                    None => run(&mut cx, &mut self.counts, &mut budget, SLICE),
                };
                if profiled && matches!(step, Ok(Step::Pause)) {
                    self.asked[i] = retry::asked(&cx);
                }
                match step.map_err(|trapped| self.locate(grid, i, trapped))? {
                    Step::Pause | Step::Yield => {}
                    Step::Next => moved = true,
                    Step::Done => {
                        self.warps[i].state = WarpState::Done;
                        moved = true;
                    }
                    Step::Barrier(arrival) => {
                        moved = true;
                        self.arrive(i, arrival).map_err(|trapped| self.locate(grid, i, trapped))?;
                    }
                }
            }
            if !running {
                break;
            }
            idle = if moved || self.block.events != events { 0 } else { idle + 1 };
            if idle > PATIENCE {
                let waits = self.warps.iter().position(|w| w.state == WarpState::Ready).unwrap_or(0);
                let trap = Trap::warp(
                    FaultKind::Deadlock,
                    format!("every warp waits for something that no warp will do{}", self.block.asynchronous.waits()),
                );
                return Err(self.locate_warp(grid, waits, trap));
            }
        }
        if let Some(stuck) = self.warps.iter().position(|w| matches!(w.state, WarpState::Waiting(_))) {
            return Err(self.stuck(grid, stuck));
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.end_block();
        }
        self.block
            .asynchronous
            .finish(&self.block.shared, self.warps.len())
            .map_err(|trap| self.locate_warp(grid, 0, trap))
    }

    /// A warp arrives at a barrier; the last one opens it.
    fn arrive(&mut self, i: usize, arrival: Arrival) -> Result<(), Trapped> {
        let all = self.warps.len() as u32 * 32;
        let gate = &mut self.block.barriers[arrival.id as usize];
        let expected = arrival.count.unwrap_or(all);
        let fail = |warp: &Warp, kind, message: String| {
            let (function, pc) = place(warp);
            Err((Trap::warp(kind, message), function, pc))
        };
        if *gate.expected.get_or_insert(expected) != expected {
            let before = gate.expected.unwrap_or(0);
            let message = format!("barrier {} is used with {expected} threads and with {before} at once", arrival.id);
            return fail(&self.warps[i], FaultKind::DivergentBarrier, message);
        }
        self.block.shared.release(&self.warps[i], &mut gate.clock);
        gate.threads += 32;
        gate.holds.push(arrival.holds.count_ones() << 8 | self.warps[i].lanes.count_ones());
        self.block.events += 1;
        if arrival.kind != BarrierKind::Arrive {
            self.warps[i].state = WarpState::Waiting(arrival.id);
            gate.waiting.push((i as u32, arrival));
        }
        if gate.threads > expected {
            let message = format!("{} threads at barrier {}, which expects {expected}", gate.threads, arrival.id);
            return fail(&self.warps[i], FaultKind::DivergentBarrier, message);
        }
        if gate.threads < expected {
            return Ok(());
        }
        let gate = std::mem::take(gate);
        self.block.shared.tick();
        let hold: u32 = gate.holds.iter().map(|h| h >> 8).sum();
        let asked: u32 = gate.holds.iter().map(|h| h & 0xff).sum();
        for (w, arrival) in gate.waiting {
            let warp = &mut self.warps[w as usize];
            warp.state = WarpState::Ready;
            acquire(warp, &gate.clock);
            let value = match arrival.kind {
                BarrierKind::Popc => u64::from(hold),
                BarrierKind::And => u64::from(hold == asked),
                BarrierKind::Or => u64::from(hold > 0),
                BarrierKind::Sync | BarrierKind::Arrive => continue,
            };
            if let Some(to) = arrival.result {
                warp.set_wide(to, warp.lanes, &[value; 32]);
            }
        }
        Ok(())
    }

    /// All others have ended, and this one waits at a barrier still.
    fn stuck(&self, grid: &Grid, i: usize) -> Fault {
        let WarpState::Waiting(id) = self.warps[i].state else {
            return Fault::plain(FaultKind::Deadlock, "", "no warp can run");
        };
        let gate = &self.block.barriers[id as usize];
        let exited: u32 = self.warps.iter().map(|w| (w.exited & w.lanes).count_ones()).sum();
        let (kind, why) = if exited > 0 {
            (FaultKind::DivergentBarrier, format!("{exited} threads of the block have exited"))
        } else {
            (FaultKind::Deadlock, "the others wait elsewhere".to_string())
        };
        let expected = gate.expected.unwrap_or(0);
        let message = format!("barrier {id} has {} of {expected} threads, and {why}", gate.threads);
        self.locate_warp(grid, i, Trap::warp(kind, message))
    }

    fn locate_warp(&self, grid: &Grid, i: usize, trap: Box<Trap>) -> Fault {
        let (function, pc) = place(&self.warps[i]);
        self.locate(grid, i, (trap, function, pc))
    }

    /// A trap with its place.
    fn locate(&self, grid: &Grid, i: usize, (trap, function, pc): Trapped) -> Fault {
        let warp = &self.warps[i];
        let trap = self.block.asynchronous.explain(warp.id, trap);
        let module = grid.module;
        let line = module.functions[function].insts.get(pc as usize).map_or(0, |inst| inst.line);
        let running = warp.paths.last().map_or(warp.lanes, |p| if p.mask == 0 { warp.lanes } else { p.mask });
        let lane = trap.lane.unwrap_or_else(|| running.trailing_zeros().min(31));
        let t = warp.id * 32 + lane;
        let [x, y, _] = grid.block;
        Fault {
            kind: trap.kind,
            message: trap.message,
            kernel: module.functions[grid.function].name.clone(),
            line,
            text: module.line(line).to_string(),
            block: self.block.ctaid,
            thread: [t % x, t / x % y, t / (x * y)],
        }
    }
}

/// Where a warp that waits is: behind the instruction that made it wait.
fn place(warp: &Warp) -> (usize, u32) {
    let function = warp.frames.last().map_or(0, |f| f.function);
    (function, warp.paths.last().map_or(0, |p| p.pc.saturating_sub(1)))
}
