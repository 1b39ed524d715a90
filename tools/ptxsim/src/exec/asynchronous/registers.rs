//! `setmaxnreg`: the warps of a warpgroup give registers back, or ask for more.

use crate::error::{Executed, FaultKind, Trap};
use crate::exec::Cx;

/// Executes it: by whole warps, alike in the four warps of a warpgroup, and in the direction it says.
pub fn set_max(cx: &mut Cx, mask: u32, more: bool, count: u32) -> Executed {
    let name = if more { "setmaxnreg.inc" } else { "setmaxnreg.dec" };
    if mask != u32::MAX {
        let message = format!("{name} executed by lanes {mask:#010x} only; all 32 of each warp must");
        return Err(Trap::warp(FaultKind::DivergentBarrier, message));
    }
    let warp = cx.block.asynchronous.warp(cx.warp.id);
    if let Some(now) = warp.registers
        && (if more { count < now } else { count > now })
    {
        let message = format!("{name} to {count} where the warp has {now} registers a thread");
        return Err(Trap::warp(FaultKind::Undefined, message));
    }
    warp.registers = Some(count);
    warp.register_changes += 1;
    Ok(())
}
