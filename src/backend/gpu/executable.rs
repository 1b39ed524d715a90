//! A planned graph on the device: one arena, bound once, submitted any number of times.

use std::sync::Arc;
use std::time::Duration;

use super::{Argument, Bound, Command, Dispatch, GpuModule, Prepared, Runtime, Wait};
use crate::backend::kernels::Dtype;
use crate::backend::{Executable, Pending, check_inputs, one_by_one};
use crate::graph::{Region, Source, View};
use crate::{Plan, Precision, Result, Shape};

/// Values that a thread of `convert` takes, as `kernels/convert.cu` has it.
const CONVERTED: usize = 4;
/// Alignment of inputs and outputs in host memory, in bytes.
const ALIGN: usize = 256;

/// A planned graph on the device, with an arena of its own. Runs are one after the other.
pub(crate) struct GpuExecutable<R: Runtime> {
    slots: async_lock::Mutex<Slots<R>>,
    bound: Bound<R>,
    arena: R::Buffer,
    module: GpuModule<R>,
    plan: Plan,
}

/// Two batches, so that one is uploaded while the other runs; the second when there is a stream.
struct Slots<R: Runtime> {
    first: Slot<R>,
    second: Option<Slot<R>>,
}

/// A batch on its way: where it is uploaded from and downloaded to, and what runs in between.
struct Slot<R: Runtime> {
    staging: R::Staging,
    commands: Vec<Command<R>>,
    /// How many of the commands bring the inputs into the arena.
    bring: usize,
    /// What 16-bit outputs are converted to before they are downloaded, and the converting launches' parameters.
    _results: Option<R::Buffer>,
    _parameters: R::Parameters,
}

/// Where f32 values lie in host memory, side by side, in bytes; and how many bytes they take.
fn side_by_side(views: &[View]) -> (Vec<usize>, usize) {
    let mut at = 0;
    let starts = views.iter().map(|view| {
        let start = at;
        at += (4 * view.shape.elements()).next_multiple_of(ALIGN);
        start
    });
    (starts.collect(), at)
}

/// The views that are moved, each with its place in host memory: those with elements, in the device's memory.
fn moved(views: &[View]) -> impl Iterator<Item = (&View, usize)> {
    let is_moved = |(view, _): &(&View, usize)| view.shape.elements() > 0 && !matches!(view.region, Region::Param(_));
    views.iter().zip(side_by_side(views).0).filter(is_moved)
}

impl<R: Runtime> Slot<R> {
    fn new(module: &GpuModule<R>, plan: &Plan, bound: &Bound<R>, arena: &R::Buffer) -> Result<Slot<R>> {
        let runtime = module.runtime();
        let [upload, download] = [&plan.inputs, &plan.outputs].map(|views| side_by_side(views).1);
        let staging = runtime.staging(upload, download)?;
        let place = |view: &View| {
            let buffer = match view.region {
                Region::State(slot) => module.state(slot).clone(),
                _ => arena.clone(),
            };
            (buffer, view.offset * module.element(view), view.shape.elements() * module.element(view))
        };
        let converted = |view: &View| module.element(view) != 4;
        let results = match plan.outputs.iter().any(converted) {
            true => Some(runtime.allocate("the outputs", download)?),
            false => None,
        };

        // Values that are f32 on the device are copied, the others converted: the converting launches of both ways
        // are bound together.
        let mut dispatches = Vec::new();
        for (view, at) in moved(&plan.inputs).filter(|(view, _)| converted(view)) {
            dispatches.push(convert(
                module,
                view,
                (R::uploaded(&staging).clone(), at, 4 * view.shape.elements()),
                place(view),
            )?);
        }
        for (view, at) in moved(&plan.outputs).filter(|(view, _)| converted(view)) {
            let results = results.clone().expect("some output is converted");
            dispatches.push(convert(module, view, place(view), (results, at, 4 * view.shape.elements()))?);
        }
        let mut parameters = R::Parameters::default();
        let mut launches = runtime.bind(&dispatches, &mut parameters)?.into_iter().map(Arc::new);
        let mut launch = || Command::Launch(launches.next().expect("bound above, in this order"));

        let mut commands: Vec<Command<R>> = Vec::new();
        for (view, at) in moved(&plan.inputs) {
            let (to, offset, bytes) = place(view);
            commands.push(if converted(view) { launch() } else { Command::Upload { at, to, offset, bytes } });
        }
        let bring = commands.len();
        commands.extend(bound.launches.iter().map(|(_, launch)| Command::Launch(launch.clone())));
        commands.extend(moved(&plan.outputs).filter(|(view, _)| converted(view)).map(|_| launch()));
        for (view, at) in moved(&plan.outputs) {
            let (from, offset, bytes) = match &results {
                Some(results) if converted(view) => (results.clone(), at, 4 * view.shape.elements()),
                _ => place(view),
            };
            commands.push(Command::Download { from, offset, bytes, at });
        }
        Ok(Slot { staging, commands, bring, _results: results, _parameters: parameters })
    }
}

/// Bytes of a buffer from an offset on.
type Place<B> = (B, usize, usize);

/// The conversion of a value between f32 and the precision's type, into the one that is not f32 or out of it.
fn convert<R: Runtime>(
    module: &GpuModule<R>,
    view: &View,
    from: Place<R::Buffer>,
    to: Place<R::Buffer>,
) -> Result<Dispatch<R>> {
    let (runtime, elements) = (module.runtime(), view.shape.elements());
    let into_arena = to.2 < from.2;
    let (entry, precision) = match (into_arena, module.precision()) {
        (true, precision) => ("convert_f32", precision),
        (false, Precision::Bf16) => ("convert_bf16", Precision::F32),
        (false, _) => ("convert_f16", Precision::F32),
    };
    let groups = runtime.tuning(module.precision()).threads(elements.div_ceil(CONVERTED));
    let argument = |(buffer, offset, bytes)| Argument::Range { buffer, offset, bytes };
    Ok(Dispatch {
        stem: "convert",
        entry: entry.into(),
        dtype: Dtype::Stored,
        precision,
        params: (elements as u32).to_ne_bytes().to_vec(),
        arguments: vec![argument(from), argument(to)],
        groups: groups.map_err(|problem| runtime.error(&problem))?,
        shared: 0,
        threads: None,
        what: "an input or output".to_owned(),
    })
}

impl<R: Runtime> GpuExecutable<R> {
    pub(super) fn new(module: GpuModule<R>, inputs: &[Shape]) -> Result<Self> {
        let plan = Plan::in_precision(module.graph().clone(), inputs, module.precision())?;
        let runtime = module.runtime().clone();
        runtime.scoped(|| {
            let prepared = Prepared::new(&module, &plan)?;
            let arena = runtime.allocate("the activations", prepared.arena * module.precision().bytes())?;
            let bound = prepared.bind(&module, &plan, &arena)?;
            let first = Slot::new(&module, &plan, &bound, &arena)?;
            let slots = async_lock::Mutex::new(Slots { first, second: None });
            Ok(GpuExecutable { slots, bound, arena, module: module.clone(), plan: plan.clone() })
        })
    }

    fn runtime(&self) -> &R {
        self.module.runtime()
    }

    /// Fills and submits a slot.
    fn start(&self, slot: &mut Slot<R>, inputs: &[&[f32]]) -> Result<()> {
        self.runtime().scoped(|| {
            for (input, at) in inputs.iter().zip(side_by_side(&self.plan.inputs).0) {
                self.runtime().fill(&mut slot.staging, at, bytemuck::cast_slice(input))?;
            }
            self.runtime().submit(&mut slot.staging, &slot.commands, true)
        })
    }

    /// A slot's outputs, after it has finished.
    fn outputs(&self, slot: &Slot<R>) -> Result<Vec<Vec<f32>>> {
        let (starts, _) = side_by_side(&self.plan.outputs);
        let output = |(view, at): (&View, usize)| match view.region {
            Region::Param(id) => match &self.plan.graph.nodes()[id.index()].source {
                Source::Param(value) => Ok(value.value()?.data().to_vec()),
                _ => unreachable!("the planner names parameters only"),
            },
            Region::Arena | Region::State(_) if view.shape.elements() == 0 => Ok(Vec::new()),
            Region::Arena | Region::State(_) => {
                let range = at..at + 4 * view.shape.elements();
                self.runtime().downloaded(&slot.staging, range, bytemuck::pod_collect_to_vec)
            }
        };
        self.plan.outputs.iter().zip(starts).map(output).collect()
    }

    async fn run_on(&self, inputs: &[&[f32]], wait: Wait) -> Result<Vec<Vec<f32>>> {
        check_inputs(&self.plan, inputs)?;
        let mut slots = self.slots.lock().await;
        let slot = &mut slots.first;
        self.start(slot, inputs)?;
        self.runtime().finish(&mut slot.staging, wait).await?;
        self.outputs(slot)
    }

    /// Fills one slot while the other runs.
    fn stream_through(
        &self,
        slots: &mut [&mut Slot<R>; 2],
        next: &mut dyn FnMut(&mut [&mut [f32]]) -> Result<bool>,
        done: &mut dyn FnMut(Vec<Vec<f32>>) -> Result<()>,
    ) -> Result<()> {
        let mut finish = |slot: &mut Slot<R>| {
            pollster::block_on(self.runtime().finish(&mut slot.staging, Wait::Block))?;
            done(self.outputs(slot)?)
        };
        let mut under_way = [false; 2];
        for at in (0..2).cycle() {
            if std::mem::take(&mut under_way[at]) {
                finish(slots[at])?;
            }
            let memory = R::upload_memory(&mut slots[at].staging).expect("the host writes upload memory directly");
            if !next(&mut inputs_of(&self.plan, memory))? {
                if under_way[1 - at] {
                    finish(slots[1 - at])?;
                }
                return Ok(());
            }
            self.start(slots[at], &[])?;
            under_way[at] = true;
        }
        unreachable!("a cycle does not end")
    }
}

/// The upload memory as the inputs' values.
fn inputs_of<'a>(plan: &Plan, memory: &'a mut [u8]) -> Vec<&'a mut [f32]> {
    let mut rest: &mut [f32] = bytemuck::cast_slice_mut(&mut memory[..side_by_side(&plan.inputs).1]);
    let mut inputs = Vec::with_capacity(plan.inputs.len());
    for view in &plan.inputs {
        let elements = view.shape.elements();
        let (input, after) = std::mem::take(&mut rest).split_at_mut(elements.next_multiple_of(ALIGN / 4));
        inputs.push(&mut input[..elements]);
        rest = after;
    }
    inputs
}

impl<R: Runtime> Executable for GpuExecutable<R> {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        pollster::block_on(self.run_on(inputs, Wait::Block))
    }

    fn run_async<'a>(&'a self, inputs: &'a [&'a [f32]]) -> Pending<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(self.run_on(inputs, Wait::Poll))
    }

    fn stream(
        &self,
        next: &mut dyn FnMut(&mut [&mut [f32]]) -> Result<bool>,
        done: &mut dyn FnMut(Vec<Vec<f32>>) -> Result<()>,
    ) -> Result<()> {
        let mut slots = pollster::block_on(self.slots.lock());
        if R::upload_memory(&mut slots.first.staging).is_none() {
            drop(slots);
            return one_by_one(self, next, done);
        }
        let Slots { first, second } = &mut *slots;
        let second = match second {
            Some(second) => second,
            None => second.insert(Slot::new(&self.module, &self.plan, &self.bound, &self.arena)?),
        };
        self.stream_through(&mut [first, second], next, done)
    }

    fn profile(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        check_inputs(&self.plan, inputs)?;
        let mut slots = pollster::block_on(self.slots.lock());
        let slot = &mut slots.first;
        let mut steps = vec![Vec::new(); self.plan.steps.len()];
        self.bound.launches.iter().for_each(|(step, launch)| steps[*step].push(launch.clone()));
        for (input, at) in inputs.iter().zip(side_by_side(&self.plan.inputs).0) {
            self.runtime().fill(&mut slot.staging, at, bytemuck::cast_slice(input))?;
        }
        self.runtime().time(&mut slot.staging, &slot.commands[..slot.bring], &steps)
    }
}
