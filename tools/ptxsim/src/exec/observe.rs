//! The eyes of a profile: what an instruction is about to ask of the memory and of the tensor cores.
//!
//! Instructions are looked at before they are executed, since a load may overwrite its own address. What is wrong with one is
//! for its execution to say.

use super::Cx;
use super::asynchronous::Async;
use super::matrix::Matrix;
use super::memory::place;
use crate::code::{Access, Address, Op};
use crate::profile::{Counts, banks, sectors::sectors};
use crate::syntax::ast::Space;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// What one thread of the host has counted.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Of each function, once it is entered, by instruction.
    pub functions: Vec<Vec<Counts>>,
    /// Sectors loaded by each block, once each.
    pub distinct_loads: u64,
    /// Those of the running block.
    of_block: Sectors,
}

/// Numbers of sectors.
type Sectors = HashSet<u64, BuildHasherDefault<Spread>>;

/// A hash for numbers that are nearly consecutive.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Recorder {
    /// A block has ended.
    pub fn end_block(&mut self) {
        self.distinct_loads += self.of_block.len() as u64;
        self.of_block.clear();
    }

    /// Adds what another thread of the host has counted.
    pub fn add(&mut self, other: Self) {
        self.distinct_loads += other.distinct_loads;
        if self.functions.len() < other.functions.len() {
            self.functions.resize_with(other.functions.len(), Vec::new);
        }
        for (all, own) in self.functions.iter_mut().zip(other.functions) {
            if all.is_empty() {
                *all = own;
            } else {
                all.iter_mut().zip(&own).for_each(|(all, own)| *all += own);
            }
        }
    }

    /// The counts of an instruction of a function of so many, and the sectors that the block has loaded.
    fn at(&mut self, function: usize, pc: u32, insts: usize) -> (&mut Counts, &mut Sectors) {
        if self.functions.len() <= function {
            self.functions.resize_with(function + 1, Vec::new);
        }
        let counts = &mut self.functions[function];
        if counts.is_empty() {
            counts.resize_with(insts, Counts::default);
        }
        (&mut counts[pc as usize], &mut self.of_block)
    }
}

/// Looks at an instruction that the lanes of `mask` are about to execute.
#[cold]
#[inline(never)]
pub fn observe(cx: &mut Cx, op: &Op, mask: u32, function: usize, pc: u32) {
    if mask == 0 {
        return;
    }
    // Taken out, so that the warp and the block can be read beside it.
    let Some(recorder) = cx.recorder.take() else { return };
    let (counts, loaded) = recorder.at(function, pc, cx.grid.module.functions[function].insts.len());
    match op {
        Op::Load(access) => {
            accesses(cx, &access.address, mask, |space, at, lanes| match space {
                Space::Global => {
                    let mut touched = ranges(at, lanes, bytes(access));
                    counts.loads.add(sectors(&mut touched, |sector| {
                        loaded.insert(sector);
                    }));
                }
                Space::Shared => counts.shared_loads.add(banks::wavefronts(at, lanes, bytes(access))),
                _ => counts.local_bytes += local(space, lanes, access),
            });
        }
        Op::Store(access) => {
            accesses(cx, &access.address, mask, |space, at, lanes| match space {
                Space::Global => {
                    counts.stores.add(sectors(&mut ranges(at, lanes, bytes(access)), |_| {}));
                }
                Space::Shared => counts.shared_stores.add(banks::wavefronts(at, lanes, bytes(access))),
                _ => counts.local_bytes += local(space, lanes, access),
            });
        }
        Op::Atomic(atomic) => {
            let len = atomic.ty.size() as u64;
            accesses(cx, &atomic.address, mask, |space, at, lanes| match space {
                Space::Shared => counts.shared_atomics.add(banks::serial(at, lanes)),
                _ => counts.atomics.add(sectors(&mut ranges(at, lanes, len), |_| {})),
            });
        }
        Op::Matrix(matrix) => Matrix::observe(matrix, cx, mask, counts),
        Op::Async(operation) => Async::observe(operation, cx, mask, counts),
        _ => {}
    }
    cx.recorder = Some(recorder);
}

fn bytes(access: &Access) -> u64 {
    u64::from(access.size) * access.values.len() as u64
}

/// Bytes of the lanes' own memory; parameters and constants, which have a cache of their own, are not among it.
fn local(space: Space, lanes: u32, access: &Access) -> u64 {
    if space == Space::Local { u64::from(lanes.count_ones()) * bytes(access) } else { 0 }
}

/// The lanes' ranges of so many bytes.
pub fn ranges(at: &[u64; 32], lanes: u32, bytes: u64) -> Vec<(u64, u64)> {
    (0..32).filter(|&l| lanes >> l & 1 != 0).map(|l| (at[l], bytes)).collect()
}

/// The addresses of an access, space by space for those that are generic: an address of shared memory is an offset in it.
pub fn accesses(cx: &Cx, address: &Address, mask: u32, mut each: impl FnMut(Space, &[u64; 32], u32)) {
    let Ok(at) = cx.addresses(address, mask) else { return };
    if address.space != Space::Generic {
        // A window's address may be used where the space is named, too.
        let inside = if address.space == Space::Global { at } else { at.map(|a| place(a).1) };
        return each(address.space, &inside, mask);
    }
    for space in [Space::Global, Space::Shared, Space::Local, Space::Param] {
        let lanes = (0..32).filter(|&l| mask >> l & 1 != 0 && place(at[l]).0 == space).fold(0, |m, l| m | 1 << l);
        if lanes != 0 {
            each(space, &at.map(|a| place(a).1), lanes);
        }
    }
}
