//! A graph on the CPU: packed filters, and plans that run on borrowed arenas.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::constants::Constants;
use super::split::{Split, SplitExecutable};
use super::step::{Work, scratch};
use super::workers::Workers;
use super::{Cpu, CpuStates};
use crate::backend::{Executable, Module, check_inputs};
use crate::graph::{Region, Step, View};
use crate::{Graph, Plan, Result, Shape};

/// A graph whose filters are packed for the CPU.
pub struct CpuModule {
    cpu: Cpu,
    graph: Arc<Graph>,
    constants: Arc<Constants>,
    states: Option<CpuStates>,
}

impl CpuModule {
    pub(super) fn new(cpu: Cpu, graph: Arc<Graph>, states: Option<CpuStates>) -> Result<Self> {
        let constants = Arc::new(Constants::load(&cpu, &graph)?);
        Ok(CpuModule { cpu, graph, constants, states })
    }

    pub(super) fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// As [`Module::plan`]; `parallel` says whether a run spreads each op over the device's threads.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for shapes that do not fit.
    pub fn executable(&self, inputs: &[Shape], parallel: bool) -> Result<CpuExecutable> {
        let plan = Plan::new(self.graph.clone(), inputs)?;
        let constants = self.constants.clone();
        let scratch = plan.steps.iter().map(|step| scratch(self.cpu.isa(), step)).max().unwrap_or(0);
        Ok(CpuExecutable { cpu: self.cpu.clone(), plan, constants, states: self.states.clone(), parallel, scratch })
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
    constants: Arc<Constants>,
    states: Option<CpuStates>,
    parallel: bool,
    /// Values that the steps need besides the arena: one at a time.
    scratch: usize,
}

/// The memory that a plan runs on.
struct RunMemory {
    arena: *mut f32,
    states: Vec<*mut f32>,
}

// SAFETY: a run uses its memory from one thread at a time, and hands its tasks disjoint parts.
unsafe impl Send for RunMemory {}
// SAFETY: as above.
unsafe impl Sync for RunMemory {}

impl RunMemory {
    /// Where a view of the arena or of a state begins.
    fn at(&self, view: &View) -> *mut f32 {
        let base = match view.region {
            Region::State(slot) => self.states[slot],
            _ => self.arena,
        };
        // The planner keeps views within their memory.
        base.wrapping_add(view.offset)
    }
}

impl CpuExecutable {
    /// Runs the plan on inputs written by `fill`, which gets them as slices of the arena, and hands the outputs to
    /// `read`, likewise: no copies in or out.
    pub fn run_in_place<R>(&self, fill: impl FnOnce(&mut [&mut [f32]]), read: impl FnOnce(&[&[f32]]) -> R) -> R {
        self.execute(fill, |_, _| (), read)
    }

    fn execute<R>(
        &self,
        fill: impl FnOnce(&mut [&mut [f32]]),
        mut after: impl FnMut(usize, Instant) + Send,
        read: impl FnOnce(&[&[f32]]) -> R,
    ) -> R {
        // Whole cache lines, so that packed filters begin with one.
        let end = self.plan.arena.next_multiple_of(16);
        self.cpu.with_arena(end + self.scratch, |arena| {
            let mut states = self.states.as_ref().map(CpuStates::lock);
            let states = states.iter_mut().flat_map(|states| states.iter_mut().map(|state| state.as_mut_ptr()));
            let (arena, scratch) = arena.split_at_mut(end);
            let memory = RunMemory { arena: arena.as_mut_ptr(), states: states.collect() };
            let views = self.plan.inputs.iter();
            // SAFETY: the planner gives inputs disjoint ranges of the arena.
            let mut inputs: Vec<&mut [f32]> = views.map(|view| unsafe { slice_mut(&memory, view) }).collect();
            fill(&mut inputs);
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
            // SAFETY: nothing writes any more; a parameter's slice comes from the graph.
            let outputs: Vec<&[f32]> =
                self.plan.outputs.iter().map(|view| unsafe { self.slice(&memory, view) }).collect();
            read(&outputs)
        })
    }

    /// The values of a dense view.
    ///
    /// # Safety
    /// Nobody writes these elements meanwhile.
    unsafe fn slice(&self, memory: &RunMemory, view: &View) -> &[f32] {
        match view.region {
            Region::Param(id) => self.constants.values(id).unwrap_or_default(),
            // SAFETY: the planner keeps views within their memory.
            Region::Arena | Region::State(_) => unsafe {
                std::slice::from_raw_parts(memory.at(view), view.shape.elements())
            },
        }
    }

    fn step(&self, step: &Step, memory: &RunMemory, scratch: &mut [f32]) {
        let inputs: Vec<*const f32> = step
            .inputs
            .iter()
            .map(|view| match view.region {
                // A filter that is packed has no other values, and nobody reads them.
                Region::Param(id) => self.constants.values(id).unwrap_or_default().as_ptr(),
                _ => memory.at(view).cast_const(),
            })
            .collect();
        let work = Work {
            workers: Workers::new(&self.cpu, self.parallel),
            step,
            inputs: &inputs,
            output: memory.at(&step.output),
            constants: &self.constants,
        };
        // SAFETY: the planner's places, of an arena and states that are this run's alone.
        unsafe { work.run(scratch) }
    }
}

/// # Safety
/// No other reference to the view's memory exists.
unsafe fn slice_mut<'a>(memory: &RunMemory, view: &View) -> &'a mut [f32] {
    // SAFETY: the planner keeps views within their memory.
    unsafe { std::slice::from_raw_parts_mut(memory.at(view), view.shape.elements()) }
}

impl Executable for CpuExecutable {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        check_inputs(&self.plan, inputs)?;
        let fill = |to: &mut [&mut [f32]]| to.iter_mut().zip(inputs).for_each(|(to, from)| to.copy_from_slice(from));
        Ok(self.run_in_place(fill, |outputs| outputs.iter().map(|y| y.to_vec()).collect()))
    }

    fn profile(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        check_inputs(&self.plan, inputs)?;
        let fill = |to: &mut [&mut [f32]]| to.iter_mut().zip(inputs).for_each(|(to, from)| to.copy_from_slice(from));
        let mut times = vec![Duration::ZERO; self.plan.steps.len()];
        self.execute(fill, |step, start| times[step] = start.elapsed(), |_| ());
        Ok(times)
    }
}
