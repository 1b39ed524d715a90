//! Who runs a graph: one room per device kind, behind the same three traits. The only home of `unsafe`.
//!
//! ```
//! use std::sync::Arc;
//! use warpface::ops::Relu;
//! use warpface::{Device, Graph};
//!
//! let mut graph = Graph::new();
//! let x = graph.input("x");
//! let y = graph.op("relu", Relu, &[x]);
//! graph.output(y);
//! let module = Device::cpu(1)?.backend().load(Arc::new(graph))?;
//! let executable = module.plan(&[[1, 3].into()])?;
//! assert_eq!(executable.run(&[&[-1.0, 0.0, 2.0]])?, [[0.0, 0.0, 2.0]]);
//! # Ok::<(), warpface::Error>(())
//! ```

pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod device;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
// What only the other backend takes of the one table lies idle where there is one.
#[cfg_attr(not(all(feature = "cuda", feature = "wgpu")), allow(dead_code, unused_imports))]
pub(crate) mod gpu;
mod gpu_nodes;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[cfg_attr(not(all(feature = "cuda", feature = "wgpu")), allow(dead_code, unused_imports))]
pub(crate) mod kernels;
pub(crate) mod mapped;
mod roofline;
#[cfg(feature = "wgpu")]
pub mod wgpu;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[doc(hidden)]
pub use kernels::{ParamsLayout, params_layouts, tiles_header};

pub use device::{Device, DeviceKind, Devices, survey};

pub use roofline::Roofline;

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::error::{Field, message};
use crate::{Graph, Plan, Precision, Result, Shape};

/// A result that is waited for without blocking.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a device says of itself.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// `cpu`, `wgpu` or `cuda`.
    pub kind: &'static str,
    /// The hardware's name.
    pub name: String,
    /// Driver, instruction set or API: whatever decides which kernels run.
    pub driver: String,
    /// Bytes of memory plans may take, where the device tells.
    pub memory: Option<u64>,
    /// Whether a GPU's API runs on the processor: right for tests, never chosen by `auto`.
    #[serde(skip)]
    pub software: bool,
    /// Further facts, `(name, value)`: threads, limits.
    pub limits: Vec<(String, String)>,
}

/// A device that can run graphs.
pub trait Backend: Any + Send + Sync + fmt::Debug {
    /// What the device says of itself.
    fn info(&self) -> DeviceInfo;

    /// Brings a graph's parameters to the device, in the layout its kernels want, once for all sizes; runs will be in
    /// this precision.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device does not have the precision; [`crate::Error::OutOfMemory`] if the
    /// parameters do not fit.
    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>>;

    /// As [`Backend::load_in`], in f32.
    fn load(&self, graph: Arc<Graph>) -> Result<Arc<dyn Module>> {
        self.load_in(graph, Precision::F32)
    }

    /// Checks that graphs can run in this precision here; f32 alone, unless a backend says more.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if they cannot.
    fn check(&self, precision: Precision) -> Result<()> {
        only_f32(self.info().kind, precision)
    }

    /// Crops that an embedding network best takes at once; results do not depend on it. A few keep weights in cache and
    /// activations in bounds.
    fn batch(&self) -> usize {
        16
    }

    /// Whether a batch is brought in while the one before runs ([`Executable::stream`]).
    fn overlaps(&self) -> bool {
        false
    }

    /// How [`Executable::profile`] times steps, in words for the foot of a table.
    fn clock(&self) -> &'static str {
        "the host's clock around each step; caches as the step before left them"
    }

    /// Bytes per second, read and written, that a large copy moves; `None` where only running an op can tell.
    fn copy_rate(&self) -> Option<f64> {
        None
    }

    /// The most bytes that a kernel takes as one argument, where the device has such a limit.
    fn most_bytes(&self) -> Option<u64> {
        None
    }

    /// Memory for values that outlive runs, of these lengths, all zero.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`], or [`crate::Error::Device`], if they do not fit.
    fn states(&self, lengths: &[usize]) -> Result<Arc<dyn States>>;
}

/// Values that a device keeps between runs, f32 in every precision: weights in training, and what an optimizer
/// remembers. Any number of graphs may work on them, one run after the other.
pub trait States: Send + Sync {
    /// As [`Backend::load_in`], for a graph with states: these.
    ///
    /// # Errors
    /// As [`Backend::load_in`]; [`crate::Error::Invalid`] if the graph has a state that is not among these, or of another
    /// length.
    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>>;

    /// The values of a state, by its number.
    ///
    /// # Errors
    /// The device's.
    fn read(&self, slot: usize) -> Result<Vec<f32>>;

    /// Gives a state its values.
    ///
    /// # Errors
    /// The device's; [`crate::Error::Invalid`] for another number of values.
    fn write(&self, slot: usize, values: &[f32]) -> Result<()>;
}

/// A graph whose parameters are on a device.
pub trait Module: Send + Sync {
    /// Prepares the graph for inputs of these shapes; nothing is allocated on the device after that.
    fn plan(&self, inputs: &[Shape]) -> Result<Box<dyn Executable>>;

    /// As [`Module::plan`], for programs that spread batches over the processor's threads themselves: where the device is
    /// the processor, a run stays on the thread that calls it.
    fn plan_alone(&self, inputs: &[Shape]) -> Result<Box<dyn Executable>> {
        self.plan(inputs)
    }
}

/// A planned graph on a device, ready to run any number of times.
pub trait Executable: Send + Sync {
    /// What runs and where it lives.
    fn plan(&self) -> &Plan;

    /// Runs the plan: dense row-major inputs in, dense row-major outputs out, in the graph's order.
    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>>;

    /// As [`Executable::run`], without blocking where the device need not: a browser cannot.
    fn run_async<'a>(&'a self, inputs: &'a [&'a [f32]]) -> Pending<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(std::future::ready(self.run(inputs)))
    }

    /// Runs batch after batch: `next` fills the inputs and says whether there was a batch, `done` takes the outputs, in
    /// order. A device with memory of its own brings a batch in while the one before runs.
    ///
    /// # Errors
    /// The device's, and those of `next` and `done`, which end the stream.
    fn stream(
        &self,
        next: &mut dyn FnMut(&mut [&mut [f32]]) -> Result<bool>,
        done: &mut dyn FnMut(Vec<Vec<f32>>) -> Result<()>,
    ) -> Result<()> {
        one_by_one(self, next, done)
    }

    /// Runs the plan once, timing each step on the device.
    fn profile(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>>;
}

/// A stream of batches, one run after the other.
pub(crate) fn one_by_one<E: Executable + ?Sized>(
    executable: &E,
    next: &mut dyn FnMut(&mut [&mut [f32]]) -> Result<bool>,
    done: &mut dyn FnMut(Vec<Vec<f32>>) -> Result<()>,
) -> Result<()> {
    let views = &executable.plan().inputs;
    let mut inputs: Vec<Vec<f32>> = views.iter().map(|view| vec![0.0; view.shape.elements()]).collect();
    while next(&mut inputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>())? {
        done(executable.run(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>())?)?;
    }
    Ok(())
}

/// Refuses other precisions than f32.
pub(crate) fn only_f32(device: &str, precision: Precision) -> Result<()> {
    if precision == Precision::F32 { Ok(()) } else { Err(needs_cuda(device, "runs in f32 alone", precision)) }
}

/// A precision that is refused for what a device does instead.
pub(crate) fn needs_cuda(device: &str, instead: &str, precision: Precision) -> crate::Error {
    let asked = format!(" {precision} needs ");
    let instead = format!("{instead}; ");
    crate::Error::device(device, message![instead, Field("precision"), asked, Field("device"), " cuda"])
}

/// Checks that a graph finds its states among those of these lengths.
pub(crate) fn check_states(graph: &Graph, lengths: &[usize]) -> Result<()> {
    for (slot, shape) in graph.states() {
        if lengths.get(slot) != Some(&shape.elements()) {
            let problem = format!("the graph's state {slot} is {shape}; there are states of {lengths:?} values");
            return Err(crate::Error::invalid("states", problem));
        }
    }
    Ok(())
}

/// Checks how many values a state is given.
pub(crate) fn check_state(slot: usize, length: usize, given: usize) -> Result<()> {
    if length == given {
        return Ok(());
    }
    Err(crate::Error::invalid(format!("state {slot}"), format!("has {length} values, {given} were given")))
}

/// Checks the lengths of a run's inputs against its plan.
pub(crate) fn check_inputs(plan: &Plan, inputs: &[&[f32]]) -> Result<()> {
    let expected: Vec<usize> = plan.inputs.iter().map(|view| view.shape.elements()).collect();
    let got: Vec<usize> = inputs.iter().map(|input| input.len()).collect();
    if expected == got {
        return Ok(());
    }
    Err(crate::Error::invalid("inputs of a run", format!("the plan takes {expected:?} elements, {got:?} were given")))
}
