//! A block's shared memory, and who may touch what when.
//!
//! **Races.** Every 4-byte granule remembers its last write and its last two reads by different warps, each with the
//! bytes touched and the block's *time*. The time goes up at every synchronisation. A warp's `clock[w]` says up to which
//! time the accesses of warp `w` are known to have happened: each arrival at a barrier hands on its clock, and those who waited take them all. An access
//! races with an earlier one of another warp when its time is not covered. A write of the value that is already there
//! does not race with the write before. Atomics do not race with each other; accesses of a warp do not race with that warp's
//! own, as lanes run in lockstep. A third reader is forgotten, so a race may be missed but none is invented.
//!
//! Of global memory only a block's own writes are remembered, by granule, and only its reads are asked whether they race
//! with them; not at all in kernels that order memory by atomics, fences or volatile accesses.

use super::asynchronous::flight::Flight;
use super::warp::Warp;
use crate::error::{Executed, FaultKind, Trap};
use crate::machine::shadow;
use crate::model::in_flight::InFlight;
use std::collections::HashMap;

/// Warp (5 bits), time (27 bits); zero is "never".
type Stamp = u32;

#[derive(Clone, Copy, Debug, Default)]
struct Granule {
    write: Stamp,
    reads: [Stamp; 2],
    /// Bytes of the write, of the reads, and the write's kind.
    write_bytes: u8,
    read_bytes: [u8; 2],
    atomic: bool,
    /// Written by the asynchronous proxy, which needs no fence to read it.
    asynchronous: bool,
}

/// Shared memory with its shadow.
#[derive(Debug, Default)]
pub struct Shared {
    /// The bytes. 64 more than the block may use, so that lanes that are switched off stay inside.
    pub data: Vec<u8>,
    /// A byte for each, see [`crate::machine::shadow`].
    pub shadow: Vec<u8>,
    granules: Vec<Granule>,
    /// Bytes the block may use.
    pub len: usize,
    /// The block's time: stamps of accesses, raised by every synchronisation.
    pub time: u32,
    /// Whether races are looked for.
    pub races: bool,
    /// Whether races in global memory are looked for.
    pub global_races: bool,
    /// The last writes of this block's to global memory, by address over four.
    global: HashMap<u64, Stamp>,
    /// The asynchronous operations that own bytes.
    pub flights: InFlight<Flight>,
    /// Up to which time each warp's ordinary writes have been fenced for the asynchronous proxy.
    fenced: [u32; 32],
}

impl Shared {
    /// Makes it the memory of a new block.
    pub fn reset(&mut self, len: usize, tracked: bool, races: bool) {
        self.len = len;
        self.races = races;
        self.global.clear();
        self.data.resize(len + 64, 0);
        self.flights = InFlight::default();
        self.shadow.clear();
        self.shadow.resize(len + 64, if tracked { 0 } else { shadow::INIT });
        self.tick();
        // Stamps from blocks before are older than this block's clocks; they need no clearing until time runs out.
        if self.time >= 1 << 26 {
            self.time = 1;
            self.granules.clear();
        }
        if races {
            self.granules.resize(len.div_ceil(4) + 16, Granule::default());
        }
        self.fenced = [self.time; 32];
    }

    /// Raises the time.
    pub fn tick(&mut self) -> u32 {
        self.time += 1;
        self.time
    }

    /// Notes that `warp` reads `len` bytes at `offset`.
    #[inline(always)]
    pub fn note_read(&mut self, warp: &Warp, lane: u32, offset: usize, len: usize) -> Executed {
        if !self.races {
            return Ok(());
        }
        if offset.is_multiple_of(4) && len.is_multiple_of(4) {
            for g in offset / 4..(offset + len) / 4 {
                self.read_granule(warp, lane, g, 0xf)?;
            }
            return Ok(());
        }
        for byte in offset..offset + len {
            self.read_granule(warp, lane, byte / 4, 1 << (byte % 4))?;
        }
        Ok(())
    }

    #[inline(always)]
    fn read_granule(&mut self, warp: &Warp, lane: u32, index: usize, bytes: u8) -> Executed {
        let granule = &mut self.granules[index];
        let writer = granule.write & 31;
        if writer != warp.id
            && granule.write >> 5 >= warp.clock[writer as usize]
            && granule.write_bytes & bytes != 0
            && granule.write != 0
        {
            return Err(race(lane, index, "reads", "wrote", writer));
        }
        let now = self.time << 5 | warp.id;
        if granule.reads[0] == now {
            granule.read_bytes[0] |= bytes;
        } else {
            if granule.reads[0] & 31 != warp.id {
                granule.reads[1] = granule.reads[0];
                granule.read_bytes[1] = granule.read_bytes[0];
            }
            granule.reads[0] = now;
            granule.read_bytes[0] = bytes;
        }
        Ok(())
    }

    /// Notes that `warp` reads global memory.
    #[inline(always)]
    pub fn note_global_read(&self, warp: &Warp, lane: u32, address: u64, len: u64) -> Executed {
        if self.global.is_empty() { Ok(()) } else { self.check_global_read(warp, lane, address, len) }
    }

    #[inline(never)]
    fn check_global_read(&self, warp: &Warp, lane: u32, address: u64, len: u64) -> Executed {
        for granule in address / 4..(address + len).div_ceil(4) {
            let Some(&write) = self.global.get(&granule) else { continue };
            let writer = write & 31;
            if writer != warp.id && write >> 5 >= warp.clock[writer as usize] {
                let at = granule * 4;
                let message =
                    format!("reads global memory at {at:#x}, which warp {writer} wrote with no barrier in between");
                return Err(Trap::lane(FaultKind::Race, lane, message));
            }
        }
        Ok(())
    }

    /// Notes that `warp` writes global memory. Narrow writes are not remembered: their neighbours may be another warp's.
    pub fn note_global_write(&mut self, warp: &Warp, address: u64, len: u64) {
        if len.is_multiple_of(4) {
            let now = self.time << 5 | warp.id;
            self.global.extend((address / 4..(address + len) / 4).map(|granule| (granule, now)));
        }
    }

    /// Notes that `warp` writes `len` bytes at `offset`; `same` says that they hold these values already.
    #[inline(always)]
    pub fn note_write(&mut self, warp: &Warp, lane: u32, offset: usize, len: usize, same: bool) -> Executed {
        self.note_modify(warp, lane, offset, len, same, false)
    }

    /// Notes an atomic operation.
    pub fn note_atomic(&mut self, warp: &Warp, lane: u32, offset: usize, len: usize) -> Executed {
        self.note_modify(warp, lane, offset, len, false, true)
    }

    #[inline(always)]
    fn note_modify(&mut self, warp: &Warp, lane: u32, offset: usize, len: usize, same: bool, atomic: bool) -> Executed {
        if !self.races {
            return Ok(());
        }
        let (first, last) = (offset / 4, (offset + len - 1) / 4);
        for index in first..=last {
            let from = offset.max(4 * index) - 4 * index;
            let to = (offset + len).min(4 * index + 4) - 4 * index;
            let bytes = (0xf << from & !(0xfe << (to - 1)) & 0xf) as u8;
            self.write_granule(warp, lane, index, bytes, same, atomic)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn write_granule(&mut self, warp: &Warp, lane: u32, index: usize, bytes: u8, same: bool, atomic: bool) -> Executed {
        let granule = &mut self.granules[index];
        let open = |stamp: Stamp, touched: u8| {
            let other = stamp & 31;
            stamp != 0 && other != warp.id && stamp >> 5 >= warp.clock[other as usize] && touched & bytes != 0
        };
        if open(granule.write, granule.write_bytes) && !same && !(atomic && granule.atomic) {
            return Err(race(lane, index, "writes", "wrote", granule.write & 31));
        }
        for i in 0..2 {
            if open(granule.reads[i], granule.read_bytes[i]) {
                return Err(race(lane, index, "writes", "read", granule.reads[i] & 31));
            }
        }
        let now = self.time << 5 | warp.id;
        granule.write_bytes = if granule.write == now { granule.write_bytes | bytes } else { bytes };
        granule.write = now;
        granule.atomic = atomic;
        granule.asynchronous = false;
        Ok(())
    }

    /// Notes a write of the asynchronous proxy, on behalf of the warp that issued it.
    pub fn note_async_write(&mut self, warp: &Warp, lane: u32, offset: usize, len: usize) -> Executed {
        self.note_modify(warp, lane, offset, len, false, false)?;
        if self.races {
            self.granules[offset / 4..(offset + len) / 4].iter_mut().for_each(|granule| granule.asynchronous = true);
        }
        Ok(())
    }

    /// `fence.proxy.async`: what this warp wrote, and what it knows others to have written, is seen by the asynchronous
    /// proxy from here on.
    pub fn fence_proxy(&mut self, warp: &Warp) {
        let now = self.tick();
        for (fenced, clock) in self.fenced.iter_mut().zip(&warp.clock) {
            *fenced = (*fenced).max(*clock);
        }
        self.fenced[warp.id as usize] = now;
    }

    /// The warp whose ordinary write to these bytes no fence has followed, if there is one.
    pub fn unfenced(&self, offset: usize, len: usize) -> Option<u32> {
        if !self.races {
            return None;
        }
        let open = |granule: &&Granule| {
            let writer = granule.write & 31;
            granule.write != 0 && !granule.asynchronous && granule.write >> 5 >= self.fenced[writer as usize]
        };
        self.granules[offset / 4..(offset + len).div_ceil(4)].iter().find(open).map(|granule| granule.write & 31)
    }

    /// What a warp hands on when it signals another, as by arriving at an mbarrier: merge it into the signal's clock
    /// and, when a warp has seen the signal, the signal's clock into that warp's with [`acquire`].
    pub fn release(&mut self, warp: &Warp, signal: &mut [u32; 32]) {
        let now = self.tick();
        for (s, c) in signal.iter_mut().zip(&warp.clock) {
            *s = (*s).max(*c);
        }
        signal[warp.id as usize] = now;
    }

    /// Fails if a byte of the range may not be read: never written, or still being written.
    #[inline(always)]
    pub fn check_read(&self, lane: u32, offset: usize, len: usize) -> Executed {
        let bad =
            self.shadow[offset..offset + len].iter().any(|s| s & (shadow::INIT | shadow::WRITING) != shadow::INIT);
        if bad { Err(self.unreadable(lane, offset, len)) } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn unreadable(&self, lane: u32, offset: usize, len: usize) -> Box<Trap> {
        let pending = self.shadow[offset..offset + len].iter().any(|s| s & shadow::WRITING != 0);
        if pending {
            let by = self.flights.on_read(offset, len).map_or("an asynchronous copy".into(), Flight::to_string);
            let message = format!("{len} bytes of shared memory at {offset}, which {by} still writes");
            Trap::lane(FaultKind::AsyncHazard, lane, message)
        } else {
            Trap::lane(FaultKind::UninitialisedMemory, lane, format!("{len} bytes of shared memory at {offset}"))
        }
    }

    /// Fails if a byte of the range may not be written: an asynchronous operation still uses it.
    #[inline(always)]
    pub fn check_write(&self, lane: u32, offset: usize, len: usize) -> Executed {
        let used = self.shadow[offset..offset + len].iter().any(|s| s & (shadow::WRITING | shadow::READING) != 0);
        if used {
            let by = self.flights.on_write(offset, len).map_or("an asynchronous operation".into(), Flight::to_string);
            let message = format!("{len} bytes of shared memory at {offset}, which {by} still uses");
            return Err(Trap::lane(FaultKind::AsyncHazard, lane, message));
        }
        Ok(())
    }
}

/// Lets `warp` know what a signal's clock says has happened.
pub fn acquire(warp: &mut Warp, signal: &[u32; 32]) {
    for (c, s) in warp.clock.iter_mut().zip(signal) {
        *c = (*c).max(*s);
    }
}

#[cold]
#[inline(never)]
fn race(lane: u32, granule: usize, does: &str, did: &str, other: u32) -> Box<Trap> {
    let message =
        format!("{does} shared memory at {}, which warp {other} {did} with no barrier in between", granule * 4);
    Trap::lane(FaultKind::Race, lane, message)
}
