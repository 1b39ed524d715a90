//! Tensor-core instructions: `mma.sync`, `ldmatrix`, `stmatrix`, `movmatrix`, `wgmma`.

mod decode;
mod observe;
mod warp;
mod warpgroup;

pub use decode::decode;
pub use warpgroup::{Warpgroup, finish};

use super::{Cx, Step};
use crate::code::{Code, Op, Reg};
use crate::error::Executed;

/// A tensor-core instruction and its line.
#[derive(Debug)]
pub struct Matrix {
    operation: Operation,
    line: u32,
}

/// What is done.
#[derive(Debug)]
enum Operation {
    Multiply(warp::Product),
    Load(warp::Move),
    Store(warp::Move),
    Transpose(Reg, Reg),
    GroupMultiply(warpgroup::Product),
    Fence,
    Commit,
    Wait(u32),
}

impl Matrix {
    /// Executes it for the lanes of `mask`.
    pub fn run(&self, cx: &mut Cx, mask: u32) -> Executed<Step> {
        match &self.operation {
            Operation::Multiply(product) => product.run(cx, mask)?,
            Operation::Load(rows) => rows.load(cx, mask)?,
            Operation::Store(rows) => rows.store(cx, mask)?,
            Operation::Transpose(to, from) => warp::move_transposed(cx, mask, *to, *from)?,
            Operation::GroupMultiply(product) => product.run(cx, mask, self.line)?,
            Operation::Fence => warpgroup::fence(cx, mask)?,
            Operation::Commit => warpgroup::commit(cx, mask)?,
            Operation::Wait(pending) => warpgroup::wait(cx, mask, *pending)?,
        }
        Ok(Step::Next)
    }
}

/// The registers that the warpgroup products of a function use.
fn product_registers(code: &Code) -> Vec<Reg> {
    let mut registers = Vec::new();
    for inst in &code.insts {
        if let Op::Matrix(matrix) = &inst.op
            && let Operation::GroupMultiply(product) = &matrix.operation
        {
            registers.extend(product.registers());
        }
    }
    registers.sort_unstable();
    registers.dedup();
    registers
}
