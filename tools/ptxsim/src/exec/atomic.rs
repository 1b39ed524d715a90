//! `atom` and `red`: lane after lane, so that results do not depend on chance within a warp.

use super::Cx;
use super::memory::place;
use super::scalar::Half;
use crate::code::{Address, Operand};
use crate::error::{Executed, FaultKind, Trap};
use crate::machine::shadow;
use crate::syntax::ast::{Space, Type};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What is done to the value in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Exchange,
    CompareAndSwap,
    Increment,
    Decrement,
}

/// An atomic operation.
#[derive(Debug)]
pub struct Atomic {
    /// What is done.
    pub change: Change,
    /// To a value of this type.
    pub ty: Type,
    /// Where.
    pub address: Address,
    /// Bytes that the address must be a multiple of: those of the whole vector, of which this is an element.
    pub align: usize,
    /// The old value's register, unless it is a reduction.
    pub to: Option<Operand>,
    /// The operand.
    pub value: Operand,
    /// What to swap in when the operand is found.
    pub swap: Option<Operand>,
}

impl Atomic {
    /// Executes it for the lanes of `mask`.
    #[inline(never)]
    pub fn run(&self, cx: &mut Cx, mask: u32) -> Executed {
        if mask == 0 {
            return Ok(());
        }
        let at = cx.addresses(&self.address, mask)?;
        cx.warp.need(self.value, mask)?;
        let value = cx.warp.wide(self.value);
        let swap = match self.swap {
            Some(swap) => {
                cx.warp.need(swap, mask)?;
                cx.warp.wide(swap)
            }
            None => value,
        };
        let mut old = [0; 32];
        let len = self.ty.size();
        for lane in (0..32usize).filter(|l| mask >> l & 1 != 0) {
            let l = lane as u32;
            let (space, offset) = match self.address.space {
                Space::Generic => place(at[lane]),
                space => (space, at[lane]),
            };
            if offset % self.align as u64 != 0 {
                return Err(Trap::lane(FaultKind::Misaligned, l, format!("{} bytes at {:#x}", self.align, at[lane])));
            }
            let (pointer, marks) = match space {
                Space::Shared => {
                    let shared = &mut cx.block.shared;
                    if offset + len as u64 > shared.len as u64 {
                        let message = format!("{len} bytes at {offset:#x} of shared memory, which has {}", shared.len);
                        return Err(Trap::lane(FaultKind::OutOfBounds, l, message));
                    }
                    let offset = offset as usize;
                    shared.check_read(l, offset, len)?;
                    shared.check_write(l, offset, len)?;
                    shared.note_atomic(cx.warp, l, offset, len)?;
                    (shared.data[offset..].as_mut_ptr(), shared.shadow[offset..].as_mut_ptr())
                }
                Space::Global => {
                    let (region, offset) = cx.global(l, offset, len as u64)?;
                    if region.read_only {
                        return Err(Trap::lane(FaultKind::OutOfBounds, l, "a store to constant memory"));
                    }
                    (region.at(offset), region.shadow_at(offset))
                }
                _ => return Err(Trap::lane(FaultKind::Undefined, l, "an atomic operation on local memory")),
            };
            // SAFETY: the pointers were checked for `len` bytes.
            let known = unsafe { std::slice::from_raw_parts(marks, len) }.iter().all(|m| m & shadow::INIT != 0);
            if cx.grid.checks.uninitialised && !known && self.change != Change::Exchange {
                let message = format!("{len} bytes at {:#x}, by an atomic operation", at[lane]);
                return Err(Trap::lane(FaultKind::UninitialisedMemory, l, message));
            }
            let step = |now: u64| self.step(now, value[lane], swap[lane]);
            // SAFETY: as above, and aligned.
            old[lane] = unsafe {
                std::ptr::write_bytes(marks, shadow::INIT, len);
                match len {
                    8 => {
                        let cell = AtomicU64::from_ptr(pointer.cast());
                        cell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(step(now))).unwrap_or_default()
                    }
                    4 => {
                        let cell = AtomicU32::from_ptr(pointer.cast());
                        let old =
                            cell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(step(now.into()) as u32));
                        old.unwrap_or_default().into()
                    }
                    _ => {
                        let cell = std::sync::atomic::AtomicU16::from_ptr(pointer.cast());
                        let old =
                            cell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(step(now.into()) as u16));
                        old.unwrap_or_default().into()
                    }
                }
            };
        }
        cx.block.events += 1;
        if let Some(to) = self.to {
            cx.warp.set_wide(to, mask, &old);
        }
        Ok(())
    }

    fn step(&self, now: u64, value: u64, swap: u64) -> u64 {
        use Type::*;
        let (n, v) = (now as u32, value as u32);
        match (self.change, self.ty) {
            (Change::Exchange, _) => value,
            (Change::CompareAndSwap, B32 | U32 | S32) => {
                if n == v {
                    swap
                } else {
                    now
                }
            }
            (Change::CompareAndSwap, B16 | U16) => {
                if now as u16 == value as u16 {
                    swap
                } else {
                    now
                }
            }
            (Change::CompareAndSwap, _) => {
                if now == value {
                    swap
                } else {
                    now
                }
            }
            (Change::Add, F32) => (f32::from_bits(n) + f32::from_bits(v)).to_bits().into(),
            (Change::Add, F64) => (f64::from_bits(now) + f64::from_bits(value)).to_bits(),
            (Change::Add, F16) => add::<half::f16>(n as u16, v as u16).into(),
            (Change::Add, BF16) => add::<half::bf16>(n as u16, v as u16).into(),
            (Change::Add, F16x2) => {
                u64::from(add::<half::f16>(n as u16, v as u16))
                    | u64::from(add::<half::f16>((n >> 16) as u16, (v >> 16) as u16)) << 16
            }
            (Change::Add, BF16x2) => {
                u64::from(add::<half::bf16>(n as u16, v as u16))
                    | u64::from(add::<half::bf16>((n >> 16) as u16, (v >> 16) as u16)) << 16
            }
            (Change::Add, _) => now.wrapping_add(value),
            (Change::Min, S32) => ((n as i32).min(v as i32) as u32).into(),
            (Change::Max, S32) => ((n as i32).max(v as i32) as u32).into(),
            (Change::Min, S64) => (now as i64).min(value as i64) as u64,
            (Change::Max, S64) => (now as i64).max(value as i64) as u64,
            (Change::Min, _) => now.min(value),
            (Change::Max, _) => now.max(value),
            (Change::And, _) => now & value,
            (Change::Or, _) => now | value,
            (Change::Xor, _) => now ^ value,
            (Change::Increment, _) => {
                if n >= v {
                    0
                } else {
                    u64::from(n) + 1
                }
            }
            (Change::Decrement, _) => {
                if n == 0 || n > v {
                    value
                } else {
                    u64::from(n) - 1
                }
            }
        }
    }
}

trait Bits: Half {
    fn of(bits: u16) -> Self;
    fn bits(self) -> u16;
}

impl Bits for half::f16 {
    fn of(bits: u16) -> Self {
        Self::from_bits(bits)
    }
    fn bits(self) -> u16 {
        self.to_bits()
    }
}

impl Bits for half::bf16 {
    fn of(bits: u16) -> Self {
        Self::from_bits(bits)
    }
    fn bits(self) -> u16 {
        self.to_bits()
    }
}

fn add<H: Bits>(a: u16, b: u16) -> u16 {
    H::narrow(H::of(a).wide() + H::of(b).wide()).bits()
}
