//! A graph on the CPU: packed filters, and plans that run on borrowed arenas.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bf16::{bytes, is_narrow};
use super::constants::Constants;
use super::element::{self, Element};
use super::split::{Split, SplitExecutable};
use super::step::{Work, scratch};
use super::workers::Workers;
use super::{Cpu, CpuStates};
use crate::backend::{Executable, Module, check_inputs};
use crate::graph::{Region, Step, View};
use crate::{Error, Graph, Plan, Precision, Result, Shape};

/// A graph whose filters are packed for the CPU.
pub struct CpuModule {
    cpu: Cpu,
    graph: Arc<Graph>,
    precision: Precision,
    constants: Arc<Constants>,
    states: Option<CpuStates>,
}

impl CpuModule {
    pub(super) fn new(cpu: Cpu, graph: Arc<Graph>, precision: Precision, states: Option<CpuStates>) -> Result<Self> {
        let constants = Arc::new(Constants::load(&cpu, &graph, precision)?);
        Ok(CpuModule { cpu, graph, precision, constants, states })
    }

    pub(super) fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// As [`Module::plan`]; `parallel` says whether a run spreads each op over the device's threads.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for shapes that do not fit.
    pub fn executable(&self, inputs: &[Shape], parallel: bool) -> Result<CpuExecutable> {
        let plan = Plan::in_precision(self.graph.clone(), inputs, self.precision)?;
        if let Some(step) = plan.steps.iter().find(|step| step.op.f32_alone() && self.precision != Precision::F32) {
            let problem = format!("{} has no kernel for {}, only for f32", step.op.stem(), self.precision);
            return Err(Error::device("cpu", problem));
        }
        let constants = self.constants.clone();
        let scratch = plan.steps.iter().map(|step| scratch(self.cpu.isa(), self.precision, step)).max().unwrap_or(0);
        Ok(CpuExecutable {
            cpu: self.cpu.clone(),
            plan,
            precision: self.precision,
            constants,
            states: self.states.clone(),
            parallel,
            scratch,
        })
    }
}

impl Module for CpuModule {
    fn plan(&self, inputs: &[Shape]) -> Result<Box<dyn Executable>> {
        let whole = self.executable(inputs, true)?;
        Ok(match Split::new(self, &whole.plan)? {
            Some(parts) => Box::new(SplitExecutable { whole, parts }),
            None => Box::new(whole),
        })
    }

    fn plan_alone(&self, inputs: &[Shape]) -> Result<Box<dyn Executable>> {
        Ok(Box::new(self.executable(inputs, false)?))
    }
}

/// A planned graph on the CPU. Any number of threads may run it at once, each on an arena of its own.
pub struct CpuExecutable {
    cpu: Cpu,
    plan: Plan,
    precision: Precision,
    constants: Arc<Constants>,
    states: Option<CpuStates>,
    parallel: bool,
    /// Values that the steps need besides the arena: one at a time.
    scratch: usize,
}

/// The memory that a plan runs on.
struct RunMemory {
    precision: Precision,
    arena: *mut u8,
    states: Vec<*mut u8>,
}

// SAFETY: a run uses its memory from one thread at a time, and hands its tasks disjoint parts.
unsafe impl Send for RunMemory {}
// SAFETY: as above.
unsafe impl Sync for RunMemory {}

impl RunMemory {
    /// Where a view of the arena or of a state begins.
    fn at(&self, view: &View) -> *mut u8 {
        let base = match view.region {
            Region::State(slot) => self.states[slot],
            _ => self.arena,
        };
        // The planner keeps views within their memory.
        base.wrapping_add(view.offset * bytes(self.precision, view))
    }

    /// The values of a dense view.
    ///
    /// # Safety
    /// They are stored so, and nobody writes them meanwhile.
    unsafe fn slice<E: Element>(&self, view: &View) -> &[E] {
        // SAFETY: the planner keeps views within their memory.
        unsafe { std::slice::from_raw_parts(self.at(view).cast(), view.shape.elements()) }
    }

    /// The same, to be written.
    ///
    /// # Safety
    /// They are stored so, and no other reference to them exists.
    #[allow(clippy::mut_from_ref)]
    unsafe fn slice_mut<E: Element>(&self, view: &View) -> &mut [E] {
        // SAFETY: the planner keeps views within their memory.
        unsafe { std::slice::from_raw_parts_mut(self.at(view).cast(), view.shape.elements()) }
    }
}

impl CpuExecutable {
    /// Runs the plan on inputs written by `fill`, which gets them as slices of the arena, and hands the outputs to
    /// `read`, likewise: no copies in or out. The executable is one of a module in f32, as [`Cpu::module`] makes it.
    pub fn run_in_place<R>(&self, fill: impl FnOnce(&mut [&mut [f32]]), read: impl FnOnce(&[&[f32]]) -> R) -> R {
        let bring = |memory: &RunMemory| {
            let views = self.plan.inputs.iter();
            // SAFETY: the planner gives inputs disjoint ranges of the arena.
            fill(&mut views.map(|view| unsafe { memory.slice_mut(view) }).collect::<Vec<_>>());
        };
        let take = |memory: &RunMemory| {
            // SAFETY: nothing writes any more; a parameter's slice comes from the graph.
            let slice = |view: &View| unsafe {
                match view.region {
                    Region::Param(id) => self.constants.values(id).unwrap_or_default(),
                    Region::Arena | Region::State(_) => memory.slice(view),
                }
            };
            read(&self.plan.outputs.iter().map(slice).collect::<Vec<_>>())
        };
        self.execute(bring, |_, _| (), take)
    }

    fn execute<R>(
        &self,
        bring: impl FnOnce(&RunMemory),
        mut after: impl FnMut(usize, Instant) + Send,
        take: impl FnOnce(&RunMemory) -> R,
    ) -> R {
        // Whole cache lines, so that scratch begins with one.
        let end = (self.plan.arena * self.precision.bytes()).div_ceil(size_of::<f32>()).next_multiple_of(16);
        self.cpu.with_arena(end + self.scratch, |arena| {
            let mut states = self.states.as_ref().map(CpuStates::lock);
            let states = states.iter_mut().flat_map(|states| states.iter_mut().map(|state| state.as_mut_ptr().cast()));
            let (arena, scratch) = arena.split_at_mut(end);
            let memory =
                RunMemory { precision: self.precision, arena: arena.as_mut_ptr().cast(), states: states.collect() };
            bring(&memory);
            let mut steps = || {
                for (i, step) in self.plan.steps.iter().enumerate() {
                    let start = Instant::now();
                    self.step(step, &memory, scratch);
                    after(i, start);
                }
            };
            // Within the pool from the first step to the last, so that its threads need not be woken for each.
            if self.parallel {
                self.cpu.pool().install(steps)
            } else {
                steps()
            }
            take(&memory)
        })
    }

    fn step(&self, step: &Step, memory: &RunMemory, scratch: &mut [f32]) {
        let inputs: Vec<*const u8> = step
            .inputs
            .iter()
            .map(|view| match view.region {
                // A filter that is packed has no other values, and nobody reads them.
                Region::Param(id) => self.constants.values(id).unwrap_or_default().as_ptr().cast(),
                _ => memory.at(view).cast_const(),
            })
            .collect();
        let work = Work {
            workers: Workers::new(&self.cpu, self.parallel),
            step,
            precision: self.precision,
            inputs: &inputs,
            output: memory.at(&step.output),
            constants: &self.constants,
        };
        // SAFETY: the planner's places, of an arena and states that are this run's alone.
        unsafe { work.run(scratch) }
    }

    /// Brings the inputs into the arena, as it stores them.
    fn bring(&self, memory: &RunMemory, inputs: &[&[f32]]) {
        for (view, &values) in self.plan.inputs.iter().zip(inputs) {
            // SAFETY: the planner gives inputs disjoint ranges of the arena.
            unsafe {
                match is_narrow(self.precision, view) {
                    true => element::round(self.cpu.isa(), memory.slice_mut(view), values),
                    false => memory.slice_mut(view).copy_from_slice(values),
                }
            }
        }
    }

    /// An output's values.
    fn take(&self, memory: &RunMemory, view: &View) -> Vec<f32> {
        // SAFETY: the run is over, and nothing writes any more.
        unsafe {
            match view.region {
                Region::Param(id) => self.constants.values(id).unwrap_or_default().to_vec(),
                _ if is_narrow(self.precision, view) => {
                    let mut values = vec![0.0; view.shape.elements()];
                    element::widen(self.cpu.isa(), &mut values, memory.slice(view));
                    values
                }
                _ => memory.slice(view).to_vec(),
            }
        }
    }
}

impl Executable for CpuExecutable {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        check_inputs(&self.plan, inputs)?;
        let take = |memory: &RunMemory| self.plan.outputs.iter().map(|view| self.take(memory, view)).collect();
        Ok(self.execute(|memory| self.bring(memory, inputs), |_, _| (), take))
    }

    fn profile(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        check_inputs(&self.plan, inputs)?;
        let mut times = vec![Duration::ZERO; self.plan.steps.len()];
        self.execute(|memory| self.bring(memory, inputs), |step, start| times[step] = start.elapsed(), |_| ());
        Ok(times)
    }
}
