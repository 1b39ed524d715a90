//! Execution: blocks on threads, warps in turns, lanes in lockstep.

pub mod asynchronous;
pub mod atomic;
mod block;
pub mod collective;
pub mod compare;
pub mod convert;
pub mod float;
mod lane;
mod launch;
pub mod matrix;
pub mod memory;
mod observe;
mod retry;
mod run;
mod scalar;
pub mod shared;
pub mod table;
pub mod warp;

pub use block::Block;
pub use launch::{Launch, Stats};

use crate::code::{BarrierKind, Module, Operand, Symbols};
use crate::machine::{Checks, Snapshot};
use warp::Warp;

/// What all blocks of a launch have in common.
pub struct Grid<'a> {
    /// The module.
    pub module: &'a Module,
    /// Index of the kernel among the module's functions.
    pub function: usize,
    /// Global memory.
    pub memory: Snapshot,
    /// Addresses of the module's variables.
    pub symbols: Symbols,
    /// What is checked.
    pub checks: Checks,
    /// Whether races of a block's warps in global memory are looked for.
    pub global_races: bool,
    /// The parameter buffer.
    pub args: &'a [u8],
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Shared memory of a block in bytes, static and dynamic.
    pub shared: u32,
    /// The dynamic part.
    pub dynamic: u32,
    /// Warp instructions a block may execute.
    pub budget: u64,
}

/// What an instruction sees: its warp, its block, its grid.
pub struct Cx<'a> {
    /// The launch.
    pub grid: &'a Grid<'a>,
    /// The block.
    pub block: &'a mut Block,
    /// The warp.
    pub warp: &'a mut Warp,
    /// The region of the last access, which is likely that of the next.
    pub last: &'a mut usize,
    /// Where what it asks for is counted, if it is.
    pub recorder: Option<&'a mut observe::Recorder>,
}

/// How a warp goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// With the next instruction.
    Next,
    /// With the next instruction, after the other warps had a turn.
    #[allow(dead_code, reason = "for waits that the kernel repeats itself")]
    Pause,
    /// With this instruction again, after the other warps had a turn.
    Yield,
    /// At a barrier.
    Barrier(Arrival),
    /// Not at all.
    Done,
}

/// A warp's arrival at a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The barrier.
    pub id: u32,
    /// How many threads it waits for, if not all.
    pub count: Option<u32>,
    /// What is asked for.
    pub kind: BarrierKind,
    /// Threads of the warp whose predicate holds.
    pub holds: u32,
    /// Where a reduction goes.
    pub result: Option<Operand>,
}
