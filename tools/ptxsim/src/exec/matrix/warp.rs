//! `mma.sync`, `ldmatrix`, `stmatrix`, `movmatrix`: one warp, at once.

use crate::code::{Address, Operand, Reg, RegFile};
use crate::error::{Executed, FaultKind, Trap};
use crate::exec::Cx;
use crate::exec::asynchronous::shared_offset;
use crate::machine::shadow;
use crate::model::WarpRegister;
use crate::model::ldmatrix::{Matrix, address_lane, collect, distribute, transpose};
use crate::model::mma::Mma;

/// An `mma.sync`.
#[derive(Debug)]
pub struct Product {
    /// Shape and types.
    pub mma: Mma,
    /// d, a, b, c.
    pub registers: [Vec<Reg>; 4],
}

/// An `ldmatrix` or `stmatrix`.
#[derive(Debug)]
pub struct Move {
    /// Where the rows lie.
    pub at: Address,
    /// A register for each matrix.
    pub registers: Vec<Reg>,
    /// `.trans`
    pub transposed: bool,
}

fn whole(mask: u32, name: &str) -> Executed {
    if mask == u32::MAX {
        return Ok(());
    }
    let message = format!("{name} executed by lanes {mask:#010x} only; all 32 must");
    Err(Trap::warp(FaultKind::DivergentBarrier, message))
}

fn gather<const N: usize>(cx: &Cx, registers: &[Reg]) -> Executed<[WarpRegister; N]> {
    let mut out = [[0; 32]; N];
    for (out, &reg) in out.iter_mut().zip(registers) {
        cx.warp.need(Operand { file: RegFile::R32, index: reg }, u32::MAX)?;
        *out = *cx.warp.v32(reg);
    }
    Ok(out)
}

impl Product {
    /// Executes it.
    pub fn run(&self, cx: &mut Cx, mask: u32) -> Executed {
        whole(mask, "mma.sync")?;
        let [d, a, b, c] = &self.registers;
        let values = (gather::<4>(cx, a)?, gather::<2>(cx, b)?, gather::<4>(cx, c)?);
        let mut result = [[0; 32]; 4];
        self.mma.execute(&values.0[..a.len()], &values.1[..b.len()], &values.2[..c.len()], &mut result[..d.len()]);
        for (&reg, value) in d.iter().zip(&result) {
            cx.warp.set32(reg, mask, value);
        }
        Ok(())
    }
}

impl Move {
    fn rows(&self, cx: &Cx, mask: u32) -> Executed<Vec<[(u32, usize); 8]>> {
        let addresses = cx.addresses(&self.at, mask)?;
        let mut rows = vec![[(0, 0); 8]; self.registers.len()];
        for (matrix, rows) in rows.iter_mut().enumerate() {
            for (row, place) in rows.iter_mut().enumerate() {
                let lane = address_lane(matrix, row);
                *place = (lane as u32, shared_offset(cx, lane as u32, self.at.space, addresses[lane], 16, 16)?);
            }
        }
        Ok(rows)
    }

    /// `ldmatrix`.
    pub fn load(&self, cx: &mut Cx, mask: u32) -> Executed {
        whole(mask, "ldmatrix")?;
        for (rows, &reg) in self.rows(cx, mask)?.iter().zip(&self.registers) {
            let mut matrix: Matrix = [[0; 8]; 8];
            for (&(lane, offset), row) in rows.iter().zip(&mut matrix) {
                let shared = &mut cx.block.shared;
                shared.check_read(lane, offset, 16)?;
                shared.note_read(cx.warp, lane, offset, 16)?;
                for (i, element) in row.iter_mut().enumerate() {
                    *element = u16::from_le_bytes([shared.data[offset + 2 * i], shared.data[offset + 2 * i + 1]]);
                }
            }
            cx.warp.set32(reg, mask, &distribute(&matrix, self.transposed));
        }
        Ok(())
    }

    /// `stmatrix`.
    pub fn store(&self, cx: &mut Cx, mask: u32) -> Executed {
        whole(mask, "stmatrix")?;
        for (rows, &reg) in self.rows(cx, mask)?.iter().zip(&self.registers) {
            let [value] = gather::<1>(cx, &[reg])?;
            for (&(lane, offset), row) in rows.iter().zip(collect(&value, self.transposed)) {
                let shared = &mut cx.block.shared;
                let bytes: [u8; 16] = std::array::from_fn(|i| row[i / 2].to_le_bytes()[i % 2]);
                shared.check_write(lane, offset, 16)?;
                let same = shared.data[offset..offset + 16] == bytes;
                shared.note_write(cx.warp, lane, offset, 16, same)?;
                shared.data[offset..offset + 16].copy_from_slice(&bytes);
                shared.shadow[offset..offset + 16].fill(shadow::INIT);
            }
        }
        cx.block.events += 1;
        Ok(())
    }
}

/// `movmatrix`.
pub fn move_transposed(cx: &mut Cx, mask: u32, to: Reg, from: Reg) -> Executed {
    whole(mask, "movmatrix")?;
    let [value] = gather::<1>(cx, &[from])?;
    cx.warp.set32(to, mask, &transpose(&value));
    Ok(())
}
