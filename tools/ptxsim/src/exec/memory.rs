//! Loads and stores.

use super::Cx;
use super::warp::Warp;
use crate::code::{Access, Address, Operand, RegFile};
use crate::error::{Executed, FaultKind, Trap};
use crate::machine::{LOCAL_BASE, PARAM_BASE, Region, SHARED_BASE, WINDOW, shadow};
use crate::syntax::ast::Space;

/// The space of a generic address, and the offset in it. Global addresses stay as they are.
pub fn place(address: u64) -> (Space, u64) {
    for (base, space) in [(SHARED_BASE, Space::Shared), (LOCAL_BASE, Space::Local), (PARAM_BASE, Space::Param)] {
        if address.wrapping_sub(base) < WINDOW {
            return (space, address - base);
        }
    }
    (Space::Global, address)
}

/// A reader or writer of elements of `N` bytes as numbers.
trait Element {
    const SIZE: usize;
    unsafe fn read(from: *const u8) -> u64;
    unsafe fn write(to: *mut u8, value: u64);
    fn written(shadow: *const u8) -> bool;
}

macro_rules! element {
    ($($name:ty, $ones:expr;)+) => {$(
        impl Element for $name {
            const SIZE: usize = size_of::<$name>();
            #[inline(always)]
            unsafe fn read(from: *const u8) -> u64 {
                // SAFETY: the caller's.
                u64::from(unsafe { from.cast::<$name>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn write(to: *mut u8, value: u64) {
                // SAFETY: the caller's.
                unsafe { to.cast::<$name>().write_unaligned(value as $name) }
            }
            #[inline(always)]
            fn written(shadow: *const u8) -> bool {
                // SAFETY: the shadow is as long as the data.
                unsafe { shadow.cast::<$name>().read_unaligned() & $ones == $ones }
            }
        }
    )+};
}

element! { u8, 0x01; u16, 0x0101; u32, 0x0101_0101; u64, 0x0101_0101_0101_0101; }

impl Cx<'_> {
    /// Executes a load for the lanes of `mask`.
    #[inline(always)]
    pub fn load(&mut self, access: &Access, mask: u32) -> Executed {
        if access.size == 4 { self.access::<u32, false>(access, mask) } else { self.odd::<false>(access, mask) }
    }

    /// Executes a store.
    #[inline(always)]
    pub fn store(&mut self, access: &Access, mask: u32) -> Executed {
        if access.size == 4 { self.access::<u32, true>(access, mask) } else { self.odd::<true>(access, mask) }
    }

    /// Elements that are not words: compiled once, as they are fewer.
    #[inline(never)]
    fn odd<const STORE: bool>(&mut self, access: &Access, mask: u32) -> Executed {
        match access.size {
            2 => self.access::<u16, STORE>(access, mask),
            8 => self.access::<u64, STORE>(access, mask),
            _ => self.access::<u8, STORE>(access, mask),
        }
    }

    /// Each lane's address. Lanes that are switched off have that of the first one that is not.
    #[inline(always)]
    pub fn addresses(&self, address: &Address, mask: u32) -> Executed<[u64; 32]> {
        self.warp.need(address.base, mask)?;
        let mut out = [0; 32];
        match address.base.file {
            RegFile::R64 => {
                let base = self.warp.v64(address.base.index);
                for l in 0..32 {
                    out[l] = base[l].wrapping_add(address.offset as u64);
                }
            }
            _ => {
                let base = self.warp.v32(address.base.index);
                for l in 0..32 {
                    out[l] = u64::from(base[l].wrapping_add(address.offset as u32));
                }
            }
        }
        if mask != u32::MAX {
            let first = out[mask.trailing_zeros() as usize & 31];
            for l in 0..32 {
                out[l] = if mask >> l & 1 != 0 { out[l] } else { first };
            }
        }
        Ok(out)
    }

    #[inline(always)]
    fn access<E: Element, const STORE: bool>(&mut self, access: &Access, mask: u32) -> Executed {
        if mask == 0 {
            return Ok(());
        }
        let at = self.addresses(&access.address, mask)?;
        if STORE {
            for value in &access.values {
                self.warp.need(*value, mask)?;
            }
        }
        match access.address.space {
            Space::Global | Space::Const => self.global_access::<E, STORE>(access, mask, &at),
            Space::Shared => self.shared_access::<E, STORE>(access, mask, &at),
            Space::Local | Space::Param => self.thread_access::<E, STORE>(access.address.space, access, mask, &at),
            Space::Generic => self.generic_access::<E, STORE>(access, mask, at),
        }
    }

    /// Each space in turn, for the lanes that point there.
    #[inline(never)]
    fn generic_access<E: Element, const STORE: bool>(
        &mut self,
        access: &Access,
        mask: u32,
        generic: [u64; 32],
    ) -> Executed {
        let mut left = mask;
        while left != 0 {
            let (space, first) = place(generic[left.trailing_zeros() as usize]);
            let lanes =
                (0..32).filter(|&l| left >> l & 1 != 0 && place(generic[l]).0 == space).fold(0, |m, l| m | 1 << l);
            left &= !lanes;
            let at = std::array::from_fn(|l| if lanes >> l & 1 != 0 { place(generic[l]).1 } else { first });
            match space {
                Space::Global => self.global_access::<E, STORE>(access, lanes, &at)?,
                Space::Shared => self.shared_access::<E, STORE>(access, lanes, &at)?,
                _ => self.thread_access::<E, STORE>(space, access, lanes, &at)?,
            }
        }
        Ok(())
    }

    /// Finds the region that holds the addresses of all lanes, if one does, and the last one found first.
    #[inline(always)]
    fn region(&mut self, at: &[u64; 32], len: u64) -> Option<&Region> {
        if let Some(region) = self.grid.memory.regions.get(*self.last)
            && inside(region, at, len)
        {
            return Some(region);
        }
        *self.last = self.grid.memory.find(at[0])?;
        let region = self.grid.memory.regions.get(*self.last)?;
        inside(region, at, len).then_some(region)
    }

    #[inline(always)]
    fn global_access<E: Element, const STORE: bool>(&mut self, access: &Access, mask: u32, at: &[u64; 32]) -> Executed {
        let len = E::SIZE as u64 * access.values.len() as u64;
        aligned(mask, at, len)?;
        let Some(region) = self.region(at, len) else { return self.scattered::<E, STORE>(access, mask, at) };
        let region: *const Region = region;
        // SAFETY: the grid keeps its regions alive, and `cx` is not moved while one instruction runs.
        self.region_access::<E, STORE>(unsafe { &*region }, access, mask, at)
    }

    /// Lanes that point into several regions, or outside of all.
    #[cold]
    #[inline(never)]
    fn scattered<E: Element, const STORE: bool>(&mut self, access: &Access, mask: u32, at: &[u64; 32]) -> Executed {
        let len = E::SIZE as u64 * access.values.len() as u64;
        for lane in (0..32).filter(|l| mask >> l & 1 != 0) {
            let one = [at[lane]; 32];
            let Some(region) = self.region(&one, len) else {
                return Err(self.outside(lane as u32, at[lane], len));
            };
            let region: *const Region = region;
            // SAFETY: as in `global_access`.
            self.region_access::<E, STORE>(unsafe { &*region }, access, 1 << lane, &one)?;
        }
        Ok(())
    }

    /// The trap of an address that no live allocation holds.
    #[cold]
    pub fn outside(&self, lane: u32, address: u64, len: u64) -> Box<Trap> {
        let (kind, message) = match place(address).0 {
            Space::Global => self.grid.memory.explain(address, len),
            _ => (FaultKind::OutOfBounds, format!("{address:#x} is an address of another space, not a global one")),
        };
        Trap::lane(kind, lane, message)
    }

    #[inline(always)]
    fn region_access<E: Element, const STORE: bool>(
        &mut self,
        region: &Region,
        access: &Access,
        mask: u32,
        at: &[u64; 32],
    ) -> Executed {
        let mut offset = [0u64; 32];
        for l in 0..32 {
            offset[l] = at[l].wrapping_sub(region.base);
        }
        if STORE && region.read_only {
            return Err(Trap::warp(FaultKind::OutOfBounds, "a store to constant memory"));
        }
        if self.block.shared.global_races {
            let shared = &mut self.block.shared;
            let len = E::SIZE as u64 * access.values.len() as u64;
            for l in (0..32).filter(|l| mask >> l & 1 != 0) {
                if STORE {
                    shared.note_global_write(self.warp, at[l], len);
                } else {
                    shared.note_global_read(self.warp, l as u32, at[l], len)?;
                }
            }
        }
        let checked = !STORE && self.grid.checks.uninitialised && !region.full();
        for (i, value) in access.values.iter().enumerate() {
            let shift = (i * E::SIZE) as u64;
            // SAFETY: every offset, with the length of all values, was found to lie in the region.
            unsafe {
                if STORE {
                    write_lanes::<E>(self.warp, *value, mask, |l| region.at(offset[l] + shift));
                    for l in 0..32 {
                        E::write(region.shadow_at(offset[l] + shift), 0x0101_0101_0101_0101);
                    }
                    if self.grid.checks.races {
                        same_lanes::<E>(self.warp, *value, mask, |l| region.at(offset[l] + shift))?;
                    }
                } else {
                    if checked {
                        let mut all = true;
                        for l in 0..32 {
                            all &= E::written(region.shadow_at(offset[l] + shift));
                        }
                        if !all {
                            let lane = (0..32).find(|&l| !E::written(region.shadow_at(offset[l] + shift))).unwrap_or(0);
                            let message = format!(
                                "{} bytes at {:#x}, offset {} of {} bytes at {:#x}",
                                E::SIZE,
                                at[lane] + shift,
                                offset[lane] + shift,
                                region.len,
                                region.base
                            );
                            let lane = if mask >> lane & 1 != 0 { lane as u32 } else { mask.trailing_zeros() };
                            return Err(Trap::lane(FaultKind::UninitialisedMemory, lane, message));
                        }
                    }
                    read_lanes::<E>(self.warp, *value, access.signed, mask, |l| region.at(offset[l] + shift));
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn shared_access<E: Element, const STORE: bool>(&mut self, access: &Access, mask: u32, at: &[u64; 32]) -> Executed {
        let len = E::SIZE as u64 * access.values.len() as u64;
        aligned(mask, at, len)?;
        let shared = &mut self.block.shared;
        let limit = shared.len as u64;
        let mut out = limit < len;
        for l in 0..32 {
            out |= at[l] > limit.wrapping_sub(len);
        }
        if out {
            let lane = (0..32).find(|&l| at[l].saturating_add(len) > limit).unwrap_or(0) as u32;
            return Err(Trap::lane(
                FaultKind::OutOfBounds,
                lane,
                format!("{len} bytes at {:#x} of shared memory, which has {limit}", at[lane as usize]),
            ));
        }
        // Which bytes may be touched, and who touched them before.
        if STORE {
            let mut used = 0;
            for l in 0..32 {
                for byte in &shared.shadow[at[l] as usize..at[l] as usize + len as usize] {
                    used |= byte & (shadow::WRITING | shadow::READING);
                }
            }
            if used != 0 && self.grid.checks.asynchronous {
                for l in (0..32).filter(|l| mask >> l & 1 != 0) {
                    shared.check_write(l, at[l as usize] as usize, len as usize)?;
                }
            }
        } else {
            let mut good = true;
            let pointer = shared.shadow.as_ptr();
            for l in 0..32 {
                for i in 0..access.values.len() {
                    // SAFETY: the range was checked, and the shadow is as long as the memory.
                    good &= unsafe { E::read(pointer.add(at[l] as usize + i * E::SIZE)) } & 0x0303_0303_0303_0303
                        == 0x0101_0101_0101_0101 & (u64::MAX >> (64 - 8 * E::SIZE));
                }
            }
            if !good {
                for l in (0..32).filter(|l| mask >> l & 1 != 0) {
                    shared.check_read(l, at[l as usize] as usize, len as usize)?;
                }
            }
        }
        if shared.races {
            let mut before = u64::MAX;
            for l in (0..32).filter(|l| mask >> l & 1 != 0) {
                let offset = at[l] as usize;
                if STORE {
                    let same = access.values.iter().enumerate().all(|(i, v)| {
                        let value = lane_value(self.warp, *v, l);
                        // SAFETY: the range was checked.
                        let old = unsafe { E::read(shared.data.as_ptr().add(offset + i * E::SIZE)) };
                        old == value & (u64::MAX >> (64 - 8 * E::SIZE))
                    });
                    shared.note_write(self.warp, l as u32, offset, len as usize, same)?;
                } else if at[l] != before {
                    shared.note_read(self.warp, l as u32, offset, len as usize)?;
                    before = at[l];
                }
            }
        }
        let data = shared.data.as_mut_ptr();
        let marks = shared.shadow.as_mut_ptr();
        for (i, value) in access.values.iter().enumerate() {
            // SAFETY: all lanes' ranges were checked.
            let point = |l: usize| unsafe { data.add(at[l] as usize + i * E::SIZE) };
            // SAFETY: as above.
            unsafe {
                if STORE {
                    write_lanes::<E>(self.warp, *value, mask, point);
                    for l in 0..32 {
                        E::write(marks.add(at[l] as usize + i * E::SIZE), 0x0101_0101_0101_0101);
                    }
                    if self.grid.checks.races {
                        same_lanes::<E>(self.warp, *value, mask, point)?;
                    }
                } else {
                    read_lanes::<E>(self.warp, *value, access.signed, mask, point);
                }
            }
        }
        if STORE {
            self.block.events += 1;
        }
        Ok(())
    }

    /// Local memory and parameters: each lane its own.
    #[inline(never)]
    fn thread_access<E: Element, const STORE: bool>(
        &mut self,
        space: Space,
        access: &Access,
        mask: u32,
        at: &[u64; 32],
    ) -> Executed {
        let len = E::SIZE as u64 * access.values.len() as u64;
        aligned(mask, at, len)?;
        for lane in (0..32usize).filter(|l| mask >> l & 1 != 0) {
            let offset = if at[lane] >= LOCAL_BASE { place(at[lane]).1 } else { at[lane] } as usize;
            let size = if space == Space::Local { self.warp.local.size } else { self.grid.args.len() };
            if offset + len as usize > size {
                let what = if space == Space::Local { "local memory" } else { "parameters" };
                let message = format!("{len} bytes at {offset} of the {what}, {size} bytes");
                return Err(Trap::lane(FaultKind::OutOfBounds, lane as u32, message));
            }
            for (i, value) in access.values.iter().enumerate() {
                let offset = offset + i * E::SIZE;
                if space == Space::Param {
                    if STORE {
                        return Err(Trap::lane(
                            FaultKind::OutOfBounds,
                            lane as u32,
                            "a store to a kernel's parameters",
                        ));
                    }
                    let bytes = &self.grid.args[offset..offset + E::SIZE];
                    // SAFETY: the slice has the element's length.
                    unsafe {
                        read_lanes::<E>(self.warp, *value, access.signed, 1 << lane, |_| bytes.as_ptr().cast_mut())
                    };
                    continue;
                }
                let offset = lane * size + offset;
                if STORE {
                    let bytes = lane_value(self.warp, *value, lane).to_le_bytes();
                    self.warp.local.data[offset..offset + E::SIZE].copy_from_slice(&bytes[..E::SIZE]);
                    self.warp.local.shadow[offset..offset + E::SIZE].fill(shadow::INIT);
                } else {
                    let marks = &self.warp.local.shadow[offset..offset + E::SIZE];
                    if self.grid.checks.uninitialised && marks.contains(&0) {
                        let message = format!("{len} bytes of local memory at {}", offset - lane * size);
                        return Err(Trap::lane(FaultKind::UninitialisedMemory, lane as u32, message));
                    }
                    let data = self.warp.local.data[offset..offset + E::SIZE].as_ptr().cast_mut();
                    // SAFETY: the slice has the element's length, and registers are elsewhere.
                    unsafe { read_lanes::<E>(self.warp, *value, access.signed, 1 << lane, |_| data) };
                }
            }
        }
        Ok(())
    }

    /// Bytes of global memory for one lane: the region and the offset, checked for `len` bytes. For what copies whole ranges.
    pub fn global(&mut self, lane: u32, address: u64, len: u64) -> Executed<(std::sync::Arc<Region>, u64)> {
        match self.region(&[address; 32], len) {
            Some(_) => {
                let region = self.grid.memory.regions[*self.last].clone();
                let offset = address - region.base;
                Ok((region, offset))
            }
            None => Err(self.outside(lane, address, len)),
        }
    }
}

/// Whether `len` bytes at every address lie in the region.
#[inline(always)]
fn inside(region: &Region, at: &[u64; 32], len: u64) -> bool {
    let limit = region.len.wrapping_sub(len);
    let mut out = false;
    for address in at {
        out |= address.wrapping_sub(region.base) > limit;
    }
    !out && region.len >= len
}

#[inline(always)]
fn lane_value(warp: &Warp, value: Operand, lane: usize) -> u64 {
    match value.file {
        RegFile::R64 => warp.v64(value.index)[lane],
        _ => warp.v32(value.index)[lane].into(),
    }
}

/// Fails for an address that is not a multiple of the access's size.
#[inline(always)]
fn aligned(mask: u32, at: &[u64; 32], len: u64) -> Executed {
    let mut all = 0;
    for address in at {
        all |= address;
    }
    if all & (len - 1) == 0 {
        return Ok(());
    }
    let lane = at.iter().position(|a| a & (len - 1) != 0).unwrap_or(0);
    let lane = if mask >> lane & 1 != 0 { lane as u32 } else { mask.trailing_zeros() };
    Err(Trap::lane(FaultKind::Misaligned, lane, format!("{len} bytes at {:#x}", at[lane as usize])))
}

/// Reads an element for each lane of `mask` into a register.
///
/// # Safety
/// `at` gives, for every lane, a pointer to a readable element.
#[inline(always)]
unsafe fn read_lanes<E: Element>(warp: &mut Warp, to: Operand, signed: bool, mask: u32, at: impl Fn(usize) -> *mut u8) {
    let shift = 64 - 8 * E::SIZE as u32;
    if to.file == RegFile::R32 {
        let mut out = [0u32; 32];
        for l in 0..32 {
            // SAFETY: the caller's.
            out[l] = unsafe { E::read(at(l)) } as u32;
        }
        if signed && E::SIZE < 4 {
            for v in &mut out {
                *v = ((u64::from(*v) << shift) as i64 >> shift) as u32;
            }
        }
        warp.set32(to.index, mask, &out);
    } else {
        let mut out = [0u64; 32];
        for l in 0..32 {
            // SAFETY: the caller's.
            out[l] = unsafe { E::read(at(l)) };
        }
        if signed && E::SIZE < 8 {
            for v in &mut out {
                *v = ((*v << shift) as i64 >> shift) as u64;
            }
        }
        warp.set64(to.index, mask, &out);
    }
}

/// Writes an element of each lane of `mask` from a register.
///
/// # Safety
/// `at` gives, for every lane of `mask`, a pointer to a writable element.
#[inline(always)]
unsafe fn write_lanes<E: Element>(warp: &Warp, from: Operand, mask: u32, at: impl Fn(usize) -> *mut u8) {
    if from.file == RegFile::R32 {
        let values = warp.v32(from.index);
        for l in 0..32 {
            if mask >> l & 1 != 0 {
                // SAFETY: the caller's.
                unsafe { E::write(at(l), values[l].into()) };
            }
        }
    } else {
        let values = warp.v64(from.index);
        for l in 0..32 {
            if mask >> l & 1 != 0 {
                // SAFETY: the caller's.
                unsafe { E::write(at(l), values[l]) };
            }
        }
    }
}

/// After a store, every lane must find what it wrote: if not, another lane of the same instruction wrote something else.
///
/// # Safety
/// As for [`write_lanes`].
#[inline(always)]
unsafe fn same_lanes<E: Element>(warp: &Warp, from: Operand, mask: u32, at: impl Fn(usize) -> *mut u8) -> Executed {
    let keep = u64::MAX >> (64 - 8 * E::SIZE);
    let mut same = true;
    let mut bad = 0;
    for l in 0..32 {
        // SAFETY: the caller's; lanes that are off point where an active one does.
        let found = unsafe { E::read(at(l)) };
        let differs = found != lane_value(warp, from, l) & keep && mask >> l & 1 != 0;
        same &= !differs;
        if differs {
            bad = l as u32;
        }
    }
    if same {
        Ok(())
    } else {
        Err(Trap::lane(FaultKind::Race, bad, "two lanes of one store write different values to one address"))
    }
}
