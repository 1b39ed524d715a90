//! Tensor-core instructions: `mma.sync`, `ldmatrix`, `stmatrix`, `wgmma`.
//!
//! The seam: [`decode`] sees every statement of these families and gives an instruction or `None` for "unknown";
//! [`Matrix::run`] executes it for one warp. Registers are in `cx.warp` (`v32`, `set32`; `known32` says which lanes were written:
//! clear those bits while an asynchronous result is pending and any use is a fault, set them at its wait). Shared
//! memory is `cx.block.shared` (`data`, `shadow`, `check_read`, `note_read`). A `wgmma` runs once in each of its group's four warps, which
//! computes that warp's 16 rows.

use super::{Cx, Step};
use crate::decode::{Decoder, Wrong};
use crate::error::Executed;
use crate::syntax::ast::Statement;

/// A tensor-core instruction.
#[derive(Debug)]
pub enum Matrix {}

/// Reads a statement whose opcode starts with `mma`, `ldmatrix`, `stmatrix`, `movmatrix` or `wgmma`.
pub fn decode(_statement: &Statement, _decoder: &mut Decoder) -> Result<Option<Matrix>, Wrong> {
    Ok(None)
}

impl Matrix {
    /// Executes it for the lanes of `mask`.
    pub fn run(&self, _cx: &mut Cx, _mask: u32) -> Executed<Step> {
        match *self {}
    }
}
