//! What every GPU does alike, written once over [`Runtime`]: loading a graph, binding a plan, running it.
//!
//! | part | what it does |
//! |---|---|
//! | `runtime` | the device trait: memory, launches, submissions, timing |
//! | `tensor_map` | how TMA walks a tensor: what only CUDA has |
//! | `pack` | filters in the order and the type that kernels read |
//! | `module` | a graph's parameters on the device |
//! | `bind` | from a plan's calls to launches, bound once for any number of runs |
//! | `executable` | a plan on the device: one arena, batches uploaded ahead |
//! | `states` | values that outlive runs |
//!
//! A new GPU backend is an implementation of [`Runtime`] and a [`Dialect`](super::kernels::Dialect).

mod bind;
mod executable;
mod module;
mod pack;
mod runtime;
mod states;
mod tensor_map;

pub(crate) use bind::{Bound, Prepared};
pub(crate) use executable::GpuExecutable;
pub(crate) use module::GpuModule;
pub(crate) use runtime::{Argument, Command, Dispatch, Runtime, Wait};
pub(crate) use states::GpuStates;
pub use tensor_map::{MapElement, TensorMap, Window};
