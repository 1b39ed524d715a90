//! Ranges of bytes in global and shared memory, as the asynchronous copies move them.

use crate::error::{Executed, FaultKind, Trap};
use crate::exec::Cx;
use crate::exec::memory::place;
use crate::machine::shadow;
use crate::syntax::ast::Space;

impl Cx<'_> {
    /// Reads global memory into `out`; all of it must have been written.
    pub fn read_global(&mut self, lane: u32, address: u64, out: &mut [u8]) -> Executed {
        let (region, offset) = self.global(lane, address, out.len() as u64)?;
        // SAFETY: the range was found to lie in the region; its shadow is as long.
        let (data, marks) = unsafe {
            (
                std::slice::from_raw_parts(region.at(offset), out.len()),
                std::slice::from_raw_parts(region.shadow_at(offset), out.len()),
            )
        };
        if self.grid.checks.uninitialised && !region.full() && marks.iter().any(|mark| mark & shadow::INIT == 0) {
            let message = format!("{} bytes at {address:#x}, copied asynchronously", out.len());
            return Err(Trap::lane(FaultKind::UninitialisedMemory, lane, message));
        }
        out.copy_from_slice(data);
        Ok(())
    }

    /// Writes global memory.
    pub fn write_global(&mut self, lane: u32, address: u64, bytes: &[u8]) -> Executed {
        let (region, offset) = self.global(lane, address, bytes.len() as u64)?;
        if region.read_only {
            return Err(Trap::lane(FaultKind::OutOfBounds, lane, "a copy to constant memory"));
        }
        region.mark(offset, bytes.len());
        // SAFETY: the range was found to lie in the region.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), region.at(offset), bytes.len()) };
        Ok(())
    }

    /// Reads what a generic address points to, in the kernel's parameters or in global memory.
    pub fn read_generic(&mut self, lane: u32, address: u64, out: &mut [u8]) -> Executed {
        match place(address) {
            (Space::Global, address) => self.read_global(lane, address, out),
            (Space::Param, offset) if offset as usize + out.len() <= self.grid.args.len() => {
                out.copy_from_slice(&self.grid.args[offset as usize..][..out.len()]);
                Ok(())
            }
            (space, offset) => {
                let message = format!(
                    "{} bytes at {offset:#x} of {space:?} memory, which asynchronous copies cannot read",
                    out.len()
                );
                Err(Trap::lane(FaultKind::OutOfBounds, lane, message))
            }
        }
    }

    /// Reads shared memory as the asynchronous proxy does: what ordinary stores wrote must have been fenced.
    pub fn read_async(&mut self, lane: u32, offset: usize, out: &mut [u8]) -> Executed {
        let shared = &mut self.block.shared;
        shared.check_read(lane, offset, out.len())?;
        shared.note_read(self.warp, lane, offset, out.len())?;
        if self.grid.checks.asynchronous
            && let Some(warp) = shared.unfenced(offset, out.len())
        {
            let message = format!(
                "{} bytes of shared memory at {offset}, which warp {warp} wrote with ordinary stores and no fence.proxy.async since",
                out.len()
            );
            return Err(Trap::lane(FaultKind::AsyncHazard, lane, message));
        }
        out.copy_from_slice(&shared.data[offset..offset + out.len()]);
        Ok(())
    }
}
