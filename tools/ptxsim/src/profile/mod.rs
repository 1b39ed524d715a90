//! What a launch asks of the hardware, counted exactly: instructions, sectors of global memory, passes over the banks of
//! shared memory, products on tensor cores.
//!
//! Nothing here is a time. Instructions are those of PTX, once for each warp, a switched-off one as well (as Nsight Compute's
//! `smsp__inst_executed`); what the assembler makes of them is not known here. A wait for an mbarrier counts once each time
//! that a warp comes to it, however often the simulator asks again. There are no caches: bytes to L2 are what a launch asks
//! for when nothing is found nearer, and [`Profile::distinct_loads`] what it asks for when each block finds again all that it
//! has loaded.

pub mod banks;
pub mod class;
pub mod occupancy;
pub mod resources;
pub mod sample;
pub mod sectors;
mod text;

pub use class::Class;
pub use occupancy::{Limit, Occupancy};
pub use resources::Resources;

use crate::code::Module;
use sectors::SECTOR;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Accesses of global memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Global {
    /// A warp's access, or one copy by TMA.
    pub requests: u64,
    /// Sectors of 32 bytes that they touch.
    pub sectors: u64,
    /// As many as could hold their bytes.
    pub ideal: u64,
}

/// Accesses of shared memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// A warp's access, or one product's operands.
    pub requests: u64,
    /// Passes over the banks, each of at most 128 bytes.
    pub wavefronts: u64,
    /// As many as without conflicts.
    pub ideal: u64,
}

/// What is counted of an instruction, and of a launch as their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times that a warp executed it.
    pub executed: u64,
    /// Loads of global memory by threads, through L1.
    pub loads: Global,
    /// Stores to global memory by threads.
    pub stores: Global,
    /// Atomic operations on global memory.
    pub atomics: Global,
    /// The global side of `cp.async`.
    pub copies: Global,
    /// The global side of bulk and tensor copies to shared memory, past L1. What lies outside a tensor is not read.
    pub bulk_loads: Global,
    /// Of those to global memory.
    pub bulk_stores: Global,
    /// Bytes of the thread's own memory, all lanes together.
    pub local_bytes: u64,
    /// Loads of shared memory, `ldmatrix` included.
    pub shared_loads: Shared,
    /// Stores to shared memory, `stmatrix` and the shared side of `cp.async` included.
    pub shared_stores: Shared,
    /// Atomic operations on shared memory.
    pub shared_atomics: Shared,
    /// Operands of `wgmma` that lie in shared memory: A and B of each product of a warpgroup, each read once.
    pub operands: Shared,
    /// Bytes that bulk copies write to shared memory or read from it.
    pub bulk_shared_bytes: u64,
    /// Products on tensor cores, each with its addition, by the elements' type: `f16`, `bf16`, `tf32`, `e4m3`, `s8`, ..
    pub tensor: BTreeMap<&'static str, u64>,
}

impl AddAssign for Global {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.sectors += other.sectors;
        self.ideal += other.ideal;
    }
}

impl AddAssign for Shared {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.wavefronts += other.wavefronts;
        self.ideal += other.ideal;
    }
}

impl Global {
    /// Counts one request.
    pub(crate) fn add(&mut self, [sectors, ideal]: [u64; 2]) {
        *self += Self { requests: 1, sectors, ideal };
    }

    /// Bytes of its sectors.
    pub fn bytes(&self) -> u64 {
        self.sectors * SECTOR
    }
}

impl Shared {
    /// Counts one request.
    pub(crate) fn add(&mut self, [wavefronts, ideal]: [u64; 2]) {
        *self += Self { requests: 1, wavefronts, ideal };
    }

    /// Passes that conflicts cost.
    pub fn conflicts(&self) -> u64 {
        self.wavefronts - self.ideal
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.executed += other.executed;
        self.local_bytes += other.local_bytes;
        self.bulk_shared_bytes += other.bulk_shared_bytes;
        for (to, from) in self.global_mut().into_iter().zip(other.global()) {
            *to += *from;
        }
        for (to, from) in self.shared_mut().into_iter().zip(other.shared()) {
            *to += *from;
        }
        for (&kind, &products) in &other.tensor {
            *self.tensor.entry(kind).or_default() += products;
        }
    }
}

impl Counts {
    fn global_mut(&mut self) -> [&mut Global; 6] {
        let Self { loads, stores, atomics, copies, bulk_loads, bulk_stores, .. } = self;
        [loads, stores, atomics, copies, bulk_loads, bulk_stores]
    }

    fn shared_mut(&mut self) -> [&mut Shared; 4] {
        let Self { shared_loads, shared_stores, shared_atomics, operands, .. } = self;
        [shared_loads, shared_stores, shared_atomics, operands]
    }

    /// All that is of global memory: loads, stores, atomics, `cp.async`, bulk loads and bulk stores.
    pub fn global(&self) -> [&Global; 6] {
        let Self { loads, stores, atomics, copies, bulk_loads, bulk_stores, .. } = self;
        [loads, stores, atomics, copies, bulk_loads, bulk_stores]
    }

    /// All that is of shared memory: loads, stores, atomics, operands.
    pub fn shared(&self) -> [&Shared; 4] {
        let Self { shared_loads, shared_stores, shared_atomics, operands, .. } = self;
        [shared_loads, shared_stores, shared_atomics, operands]
    }

    /// Bytes from L2, if L1 held nothing.
    pub fn bytes_in(&self) -> u64 {
        self.loads.bytes() + self.copies.bytes() + self.bulk_loads.bytes()
    }

    /// Bytes to L2, whole sectors each.
    pub fn bytes_out(&self) -> u64 {
        self.stores.bytes() + self.atomics.bytes() + self.bulk_stores.bytes()
    }

    /// Passes over the banks of shared memory, those of bulk copies included, which write 128 bytes in one.
    pub fn wavefronts(&self) -> u64 {
        self.shared().iter().map(|of| of.wavefronts).sum::<u64>() + self.bulk_shared_bytes.div_ceil(128)
    }

    /// Passes that conflicts cost.
    pub fn conflicts(&self) -> u64 {
        self.shared().iter().map(|of| of.conflicts()).sum()
    }

    /// The share of the sectors' bytes that were needed; 1 where nothing was touched.
    pub fn sector_efficiency(&self) -> f64 {
        let sum = |of: fn(&Global) -> u64| self.global().iter().map(|global| of(global)).sum::<u64>();
        match sum(|global| global.sectors) {
            0 => 1.0,
            sectors => sum(|global| global.ideal) as f64 / sectors as f64,
        }
    }

    /// Each count times `times`.
    pub fn scaled(&self, times: u64) -> Self {
        let mut out = self.clone();
        out.executed *= times;
        out.local_bytes *= times;
        out.bulk_shared_bytes *= times;
        for of in out.global_mut() {
            *of = Global { requests: of.requests * times, sectors: of.sectors * times, ideal: of.ideal * times };
        }
        for of in out.shared_mut() {
            *of = Shared { requests: of.requests * times, wavefronts: of.wavefronts * times, ideal: of.ideal * times };
        }
        out.tensor.values_mut().for_each(|products| *products *= times);
        out
    }
}

/// A line of the PTX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// What its instructions did.
    pub counts: Counts,
}

/// What a launch asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The kernel.
    pub kernel: String,
    /// Blocks in x, y, z, as launched.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of shared memory of a block, static and dynamic.
    pub shared_bytes: u32,
    /// Blocks that were counted.
    pub blocks: u64,
    /// Their warps.
    pub warps: u64,
    /// The sum of all lines.
    pub total: Counts,
    /// Instructions by what they are.
    pub classes: BTreeMap<Class, u64>,
    /// Sectors that loads through L1 touched in each block, those that a block touches again left out.
    pub distinct_loads: u64,
    /// By line of the PTX, from 1: those that were executed.
    pub lines: BTreeMap<u32, Line>,
}

impl Profile {
    /// A profile without counts.
    pub(crate) fn new(kernel: &str, [grid, block]: [[u32; 3]; 2], shared_bytes: u32, blocks: u64) -> Self {
        let threads: u32 = block.iter().product();
        Self {
            kernel: kernel.to_owned(),
            grid,
            threads,
            shared_bytes,
            blocks,
            warps: blocks * u64::from(threads.div_ceil(32)),
            total: Counts::default(),
            classes: BTreeMap::new(),
            distinct_loads: 0,
            lines: BTreeMap::new(),
        }
    }

    /// A profile of the same launch, of which nothing has been counted.
    pub(crate) fn without_counts(&self) -> Self {
        let (kernel, total, classes, lines) =
            (self.kernel.clone(), Counts::default(), BTreeMap::new(), BTreeMap::new());
        Self { kernel, blocks: 0, warps: 0, total, classes, distinct_loads: 0, lines, ..*self }
    }

    /// Adds what one instruction did.
    pub(crate) fn add(&mut self, module: &Module, line: u32, opcode: &str, counts: &Counts) {
        self.total += counts;
        *self.classes.entry(Class::of(opcode)).or_default() += counts.executed;
        let text = || Line { text: module.line(line).to_owned(), counts: Counts::default() };
        self.lines.entry(line).or_insert_with(text).counts += counts;
    }

    /// Instructions of a class.
    pub fn class(&self, class: Class) -> u64 {
        self.classes.get(&class).copied().unwrap_or(0)
    }

    /// Instructions of all classes.
    pub fn instructions(&self) -> u64 {
        self.classes.values().sum()
    }

    /// Adds another profile of the same kernel, each of its counts `times` over.
    pub fn add_scaled(&mut self, other: &Self, times: u64) {
        self.blocks += other.blocks * times;
        self.warps += other.warps * times;
        self.distinct_loads += other.distinct_loads * times;
        self.total += &other.total.scaled(times);
        for (&class, &executed) in &other.classes {
            *self.classes.entry(class).or_default() += executed * times;
        }
        for (&line, of) in &other.lines {
            let empty = || Line { text: of.text.clone(), counts: Counts::default() };
            self.lines.entry(line).or_insert_with(empty).counts += &of.counts.scaled(times);
        }
    }
}
