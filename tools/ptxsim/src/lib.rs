//! PTX on a CPU: runs the kernels that NVRTC compiles, without a GPU, and reports what they must not do.
//!
//! [`Module::parse`] reads PTX; a [`Machine`] is a device with memory; [`Machine::launch`] runs a kernel. Blocks run in
//! parallel on the host's cores, the warps of a block in turns, the lanes of a warp in lockstep with real divergence.
//! Every fault names the kernel, the PTX line, the block and the thread.

#![warn(missing_docs)]
// Bit arithmetic as in the manual, and loops over lanes that index several registers at once and must vectorise.
#![allow(clippy::precedence, clippy::needless_range_loop)]

mod code;
mod decode;
mod error;
mod exec;
mod machine;
pub mod model;
pub mod num;
pub mod profile;
mod syntax;

pub use code::{Entry, Module, Param};
pub use error::{Fault, FaultKind, ParseError};
pub use exec::{Launch, Stats};
pub use machine::{Checks, Machine, Options};
pub use profile::Profile;
