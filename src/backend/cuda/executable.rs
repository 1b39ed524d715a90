//! A planned graph on the device.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::bind::{Bound, Prepared};
use super::context::Arg;
use super::driver::{Driver, EventId, GraphId, Launch, Memory, Pinned, Stream};
use super::{Cuda, CudaModule};
use crate::backend::{Executable, check_inputs};
use crate::graph::{Region, Source, View};
use crate::{Plan, Result, Shape};

/// Elements that a thread of the conversions takes.
const CONVERTED: usize = 4;

/// A planned graph on the device, with an arena of its own. Runs are one after the other; in a stream of batches, one
/// is brought in while the one before runs.
pub struct CudaExecutable {
    module: CudaModule,
    plan: Plan,
    bound: Bound,
    arena: Memory,
    slots: Mutex<Slots>,
}

/// The way in and out: the second slot is made by the first stream of batches.
struct Slots {
    first: Slot,
    second: Option<Slot>,
}

/// What one batch needs on its way: staged on the device, so that the arena is free for the batch before.
struct Slot {
    upload: Pinned,
    staged: Memory,
    /// Inputs from where they are staged to the arena, and outputs from there, by kernels or copies.
    moves_in: Vec<Move>,
    moves_out: Vec<Move>,
    results: Memory,
    download: Pinned,
    uploaded: Event,
    finished: Event,
    /// Runs so far: the first is not captured, so that what the driver loads late is loaded.
    runs: u64,
    graph: Option<Graph>,
}

/// Values from here to there.
enum Move {
    Copy { to: u64, from: u64, bytes: usize },
    Convert(Launch),
}

/// An event, given back when dropped.
struct Event {
    driver: Arc<dyn Driver>,
    id: EventId,
}

impl Event {
    fn new(driver: &Arc<dyn Driver>) -> Result<Event> {
        Ok(Event { id: driver.event()?, driver: driver.clone() })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.driver.release_event(self.id);
    }
}

/// Captured work, given back when dropped.
struct Graph {
    driver: Arc<dyn Driver>,
    id: GraphId,
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.driver.release_graph(self.id);
    }
}

/// Bytes of f32 values side by side, each value beginning at a multiple of 256 bytes, and where each begins.
fn side_by_side(views: &[View]) -> (Vec<usize>, usize) {
    let mut at = 0;
    let starts = views.iter().map(|view| {
        let start = at;
        at += (4 * view.shape.elements()).next_multiple_of(256);
        start
    });
    (starts.collect(), at)
}

impl Slot {
    fn new(module: &CudaModule, plan: &Plan, arena: u64) -> Result<Slot> {
        let cuda = module.cuda();
        let driver = cuda.driver();
        let (inputs, input_bytes) = side_by_side(&plan.inputs);
        let (outputs, output_bytes) = side_by_side(&plan.outputs);
        let staged = cuda.memory("the inputs", input_bytes)?;
        let results = cuda.memory("the outputs", output_bytes)?;
        // They are fetched with the gaps between them.
        driver.clear(Stream::Compute, results.address(), results.bytes())?;
        let bytes = |view: &View| if view.exact { 4 } else { module.precision().bytes() };
        let in_memory = |view: &View| {
            let base = match view.region {
                Region::State(slot) => module.state(slot),
                _ => arena,
            };
            base + (view.offset * bytes(view)) as u64
        };
        let mut moves_in = Vec::new();
        for (view, at) in plan.inputs.iter().zip(inputs).filter(|(view, _)| view.shape.elements() > 0) {
            moves_in.push(movement(module, view, in_memory(view), staged.address() + at as u64, true)?);
        }
        let mut moves_out = Vec::new();
        for (view, at) in plan.outputs.iter().zip(outputs).filter(|(view, _)| view.shape.elements() > 0) {
            if !matches!(view.region, Region::Param(_)) {
                moves_out.push(movement(module, view, results.address() + at as u64, in_memory(view), false)?);
            }
        }
        Ok(Slot {
            upload: Pinned::new(driver, input_bytes)?,
            download: Pinned::new(driver, output_bytes)?,
            staged,
            results,
            moves_in,
            moves_out,
            uploaded: Event::new(driver)?,
            finished: Event::new(driver)?,
            runs: 0,
            graph: None,
        })
    }
}

/// The move of a value between its f32 form and the arena.
fn movement(module: &CudaModule, view: &View, to: u64, from: u64, into_arena: bool) -> Result<Move> {
    let (cuda, precision, elements) = (module.cuda(), module.precision(), view.shape.elements());
    if precision.bytes() == 4 || view.exact {
        return Ok(Move::Copy { to, from, bytes: 4 * elements });
    }
    let entry = match into_arena {
        true => format!("convert_f32_{precision}"),
        false => format!("convert_{precision}_f32"),
    };
    let kernel = cuda.kernel("convert", &entry, 0)?;
    let threads = elements.div_ceil(CONVERTED);
    let grid = module.tuning().threads(threads).map_err(|problem| cuda.error(problem))?;
    let params = (elements as u32).to_ne_bytes();
    Ok(Move::Convert(cuda.launch(kernel, &params, &[Arg::Address(from), Arg::Address(to)], grid, 0)))
}

impl CudaExecutable {
    pub(super) fn new(module: CudaModule, inputs: &[Shape]) -> Result<Self> {
        let plan = Plan::in_precision(module.graph().clone(), inputs, module.precision())?;
        let prepared = Prepared::new(&module, &plan)?;
        let arena = module.cuda().memory("the activations", prepared.arena * module.precision().bytes())?;
        let bound = prepared.bind(&module, &plan, arena.address())?;
        let first = Slot::new(&module, &plan, arena.address())?;
        Ok(CudaExecutable { slots: Mutex::new(Slots { first, second: None }), module, plan, bound, arena })
    }

    fn cuda(&self) -> &Cuda {
        self.module.cuda()
    }

    fn driver(&self) -> &Arc<dyn Driver> {
        self.cuda().driver()
    }

    /// Inputs to the arena, every step, outputs to the host.
    fn work(&self, slot: &mut Slot) -> Result<()> {
        self.moved(&slot.moves_in)?;
        self.bound.launches.iter().try_for_each(|(_, launch)| self.driver().launch(launch))?;
        self.fetch(slot)
    }

    fn moved(&self, moves: &[Move]) -> Result<()> {
        moves.iter().try_for_each(|movement| match movement {
            Move::Copy { to, from, bytes } => self.driver().copy(Stream::Compute, *to, *from, *bytes),
            Move::Convert(launch) => self.driver().launch(launch),
        })
    }

    fn fetch(&self, slot: &mut Slot) -> Result<()> {
        self.moved(&slot.moves_out)?;
        let bytes = side_by_side(&self.plan.outputs).1;
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: whoever starts a slot's work waits for it before it reads or drops the slot.
        unsafe {
            self.driver().download(Stream::Compute, &mut slot.download.bytes_mut()[..bytes], slot.results.address())
        }
    }

    /// Sends what is in the slot's upload memory to the device.
    fn send(&self, slot: &Slot) -> Result<()> {
        let driver = self.driver();
        let bytes = side_by_side(&self.plan.inputs).1;
        if bytes > 0 {
            // SAFETY: as in `fetch`.
            unsafe { driver.upload(Stream::Copy, slot.staged.address(), &slot.upload.bytes()[..bytes])? };
        }
        driver.record(slot.uploaded.id, Stream::Copy)?;
        driver.wait(Stream::Compute, slot.uploaded.id)
    }

    /// Starts a batch that is in the slot's upload memory.
    fn start(&self, slot: &mut Slot) -> Result<()> {
        self.send(slot)?;
        let driver = self.driver();
        slot.runs += 1;
        if slot.runs > 1 && slot.graph.is_none() {
            slot.graph = self.captured(slot);
        }
        match &slot.graph {
            Some(graph) => driver.replay(graph.id)?,
            None => self.work(slot)?,
        }
        driver.record(slot.finished.id, Stream::Compute)
    }

    /// The slot's work, captured; nothing where something else in this process, such as another library's wait for the
    /// whole device, has spoilt the capture: the next run tries again.
    fn captured(&self, slot: &mut Slot) -> Option<Graph> {
        let driver = self.driver();
        driver.begin_capture().ok()?;
        let worked = self.work(slot);
        let graph = driver.end_capture().ok().map(|id| Graph { driver: driver.clone(), id });
        worked.ok().and(graph)
    }

    /// Waits for a batch, and gives its outputs.
    fn finish(&self, slot: &Slot) -> Result<Vec<Vec<f32>>> {
        self.driver().reach(slot.finished.id)?;
        let (starts, _) = side_by_side(&self.plan.outputs);
        let outputs = self.plan.outputs.iter().zip(starts).map(|(view, start)| match view.region {
            Region::Param(id) => match &self.plan.graph.nodes()[id.index()].source {
                Source::Param(value) => value.data().to_vec(),
                _ => unreachable!("the planner names parameters only"),
            },
            Region::Arena | Region::State(_) => {
                let bytes = &slot.download.bytes()[start..start + 4 * view.shape.elements()];
                bytemuck::pod_collect_to_vec(bytes)
            }
        });
        Ok(outputs.collect())
    }

    /// Does something, and waits for everything whatever comes of it, a panic of the caller's included: afterwards
    /// nothing touches a slot's memory any more.
    fn settled<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        struct Settle<'a>(&'a dyn Driver);

        impl Drop for Settle<'_> {
            fn drop(&mut self) {
                let _ = self.0.synchronize(Stream::Copy);
                let _ = self.0.synchronize(Stream::Compute);
            }
        }

        let settle = Settle(&**self.driver());
        let result = work();
        if result.is_ok() {
            // What went well has waited for its own outputs.
            std::mem::forget(settle);
        }
        result
    }

    fn fill(&self, slot: &mut Slot, inputs: &[&[f32]]) {
        let (starts, _) = side_by_side(&self.plan.inputs);
        for (input, start) in inputs.iter().zip(starts) {
            let bytes: &[u8] = bytemuck::cast_slice(input);
            slot.upload.bytes_mut()[start..start + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn stream_through(
        &self,
        slots: &mut [&mut Slot; 2],
        next: &mut dyn FnMut(&mut [&mut [f32]]) -> Result<bool>,
        done: &mut dyn FnMut(Vec<Vec<f32>>) -> Result<()>,
    ) -> Result<()> {
        let mut under_way = [false; 2];
        for at in (0..2).cycle() {
            let slot = &mut *slots[at];
            if std::mem::take(&mut under_way[at]) {
                done(self.finish(slot)?)?;
            }
            if !next(&mut inputs_of(&self.plan, &mut slot.upload))? {
                let other = 1 - at;
                if under_way[other] {
                    done(self.finish(slots[other])?)?;
                }
                return Ok(());
            }
            self.start(slot)?;
            under_way[at] = true;
        }
        unreachable!("a cycle does not end")
    }
}

/// The upload memory as the inputs' values.
fn inputs_of<'a>(plan: &Plan, upload: &'a mut Pinned) -> Vec<&'a mut [f32]> {
    let mut rest: &mut [f32] = bytemuck::cast_slice_mut(&mut upload.bytes_mut()[..side_by_side(&plan.inputs).1]);
    let mut inputs = Vec::with_capacity(plan.inputs.len());
    for view in &plan.inputs {
        let elements = view.shape.elements();
        let (input, after) = std::mem::take(&mut rest).split_at_mut(elements.next_multiple_of(64));
        inputs.push(&mut input[..elements]);
        rest = after;
    }
    inputs
}

impl Executable for CudaExecutable {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        check_inputs(&self.plan, inputs)?;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut slots.first;
        self.fill(slot, inputs);
        self.settled(|| self.start(slot).and_then(|()| self.finish(slot)))
    }

    fn stream(
        &self,
        next: &mut dyn FnMut(&mut [&mut [f32]]) -> Result<bool>,
        done: &mut dyn FnMut(Vec<Vec<f32>>) -> Result<()>,
    ) -> Result<()> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let Slots { first, second } = &mut *slots;
        let second = match second {
            Some(second) => second,
            None => second.insert(Slot::new(&self.module, &self.plan, self.arena.address())?),
        };
        self.settled(|| self.stream_through(&mut [first, second], next, done))
    }

    fn profile(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        check_inputs(&self.plan, inputs)?;
        let driver = self.driver();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut slots.first;
        self.fill(slot, inputs);
        // Written before each step, so that the step finds nothing in the cache.
        let flush = self.cuda().memory("flushing the cache", 2 * driver.properties().l2 as usize)?;
        let events: Vec<[Event; 2]> = (0..self.plan.steps.len())
            .map(|_| Ok([Event::new(driver)?, Event::new(driver)?]))
            .collect::<Result<_>>()?;
        let mut launches = self.bound.launches.iter().peekable();
        let timed = || {
            self.send(slot)?;
            self.moved(&slot.moves_in)?;
            for (step, [start, end]) in events.iter().enumerate() {
                driver.clear(Stream::Compute, flush.address(), flush.bytes())?;
                driver.record(start.id, Stream::Compute)?;
                while let Some((_, launch)) = launches.next_if(|(of, _)| *of == step) {
                    driver.launch(launch)?;
                }
                driver.record(end.id, Stream::Compute)?;
            }
            driver.synchronize(Stream::Compute)
        };
        self.settled(timed)?;
        events.iter().map(|[start, end]| Ok(Duration::from_nanos(driver.elapsed(start.id, end.id)?))).collect()
    }
}
