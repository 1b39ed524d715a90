//! Asynchronous copies and what orders them: `cp.async`, `cp.async.bulk`, `mbarrier`, `fence.proxy`, `setmaxnreg`, `elect.sync`.
//!
//! The seam: [`decode`] sees every statement of these families and gives an instruction or `None` for "unknown";
//! [`Async::run`] executes it for one warp. [`State`] is the block's: mbarriers, groups in flight; it is made anew for each block. Bytes of
//! shared memory in flight carry [`crate::machine::shadow`]'s `WRITING` or `READING` in `cx.block.shared.shadow`.
//! Global memory is reached by `cx.global(…)`. A wait that cannot finish gives [`Step::Yield`] (`pc` stays) or lets the
//! kernel's own loop try again after [`Step::Pause`] (`pc` goes on); anything that may let another warp go on must
//! raise `cx.block.events`. `cx.block.shared.release` and [`super::shared::acquire`] hand on what has happened, for the race detector.

use super::{Cx, Step};
use crate::decode::{Decoder, Wrong};
use crate::error::Executed;
use crate::syntax::ast::Statement;

/// An asynchronous instruction.
#[derive(Debug)]
pub enum Async {}

/// What a block has in flight.
#[derive(Debug, Default)]
pub struct State {}

/// Reads a statement whose opcode starts with `cp`, `mbarrier`, `fence.proxy`, `fence.mbarrier_init`, `setmaxnreg` or `elect`.
pub fn decode(_statement: &Statement, _decoder: &mut Decoder) -> Result<Option<Async>, Wrong> {
    Ok(None)
}

impl Async {
    /// Executes it for the lanes of `mask`.
    pub fn run(&self, _cx: &mut Cx, _mask: u32) -> Executed<Step> {
        match *self {}
    }
}

impl State {
    /// Called when the block's last thread has exited: what is still in flight is a fault.
    pub fn finish(&self) -> Executed {
        Ok(())
    }
}
