//! The device: its memory, and what it allows.

use crate::code::{Module, Symbols};
use crate::error::{Fault, FaultKind};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Lowest address of global memory. Addresses are never used twice, so that a stale one is always known as such.
pub const GLOBAL_BASE: u64 = 0x7000_0000_0000;
/// Where a block's shared memory appears among generic addresses.
pub const SHARED_BASE: u64 = 0x7f01_0000_0000;
/// Where a thread's local memory appears.
pub const LOCAL_BASE: u64 = 0x7f02_0000_0000;
/// Where a kernel's parameters appear.
pub const PARAM_BASE: u64 = 0x7f03_0000_0000;
/// Size of each of those windows.
pub const WINDOW: u64 = 1 << 32;

const ALIGN: usize = 256;
const RED_ZONE: u64 = 4096;

/// What is checked. Each costs time; all are on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// Reads of memory and registers that nobody wrote. Bounds and alignment are always checked.
    pub uninitialised: bool,
    /// Accesses of shared memory that no barrier orders.
    pub races: bool,
    /// Results of asynchronous operations used before their wait.
    pub asynchronous: bool,
}

impl Checks {
    /// Everything.
    pub const ALL: Self = Self { uninitialised: true, races: true, asynchronous: true };
    /// Only what keeps the simulator itself sound: bounds, alignment, launches, barriers.
    pub const NONE: Self = Self { uninitialised: false, races: false, asynchronous: false };
}

impl Default for Checks {
    fn default() -> Self {
        Self::ALL
    }
}

/// Settings of a [`Machine`].
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Compute capability: bounds shared memory, and which targets load.
    pub capability: (u32, u32),
    /// Threads that run blocks; 0 for as many as there are cores.
    pub threads: usize,
    /// What is checked.
    pub checks: Checks,
    /// Warp instructions a block may execute, against loops without end; 0 for no limit.
    pub budget: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { capability: (9, 0), threads: 0, checks: Checks::ALL, budget: 1 << 32 }
    }
}

/// Bits of a shadow byte, which stands for a byte of memory.
pub mod shadow {
    /// Somebody wrote it.
    pub const INIT: u8 = 1;
    /// An asynchronous write is under way: neither read nor write it.
    pub const WRITING: u8 = 2;
    /// An asynchronous read is under way: do not write it.
    pub const READING: u8 = 4;
}

/// An allocation.
///
/// Blocks on several threads read and write it at once, as on a GPU, through raw pointers: a race of the kernel's is a
/// race here and its values are as unspecified, but no access leaves `len`.
pub struct Region {
    /// Device address.
    pub base: u64,
    /// Bytes.
    pub len: u64,
    data: *mut u8,
    shadow: *mut u8,
    /// The host wrote all of it at once: its shadow need not be asked.
    full: AtomicBool,
    /// Constant or read-only memory of a module.
    pub read_only: bool,
}

// SAFETY: the pointers are owned; concurrent access is as the type's comment says.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:#x}+{:#x}", self.base, self.len)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let layout = Self::layout(self.len as usize);
        // SAFETY: both came from `alloc_zeroed` with this layout.
        unsafe {
            dealloc(self.data, layout);
            dealloc(self.shadow, layout);
        }
    }
}

impl Region {
    fn layout(len: usize) -> Layout {
        // Room for an element behind the end keeps lanes that are switched off inside.
        Layout::from_size_align((len + 64).next_multiple_of(ALIGN), ALIGN).unwrap_or(Layout::new::<[u64; 32]>())
    }

    fn new(base: u64, len: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len.checked_add(64)?.checked_next_multiple_of(ALIGN)?, ALIGN).ok()?;
        // SAFETY: the layout is not empty.
        let (data, shadow) = unsafe { (alloc_zeroed(layout), alloc_zeroed(layout)) };
        if data.is_null() || shadow.is_null() {
            for pointer in [data, shadow].into_iter().filter(|p| !p.is_null()) {
                // SAFETY: it came from `alloc_zeroed` with this layout.
                unsafe { dealloc(pointer, layout) };
            }
            return None;
        }
        Some(Self { base, len: len as u64, data, shadow, full: AtomicBool::new(false), read_only: false })
    }

    /// The byte at `offset`. Valid for `len - offset` bytes while the region lives.
    #[inline(always)]
    pub fn at(&self, offset: u64) -> *mut u8 {
        debug_assert!(offset <= self.len);
        // SAFETY: callers have checked the offset against `len`.
        unsafe { self.data.add(offset as usize) }
    }

    /// The shadow of that byte.
    #[inline(always)]
    pub fn shadow_at(&self, offset: u64) -> *mut u8 {
        debug_assert!(offset <= self.len);
        // SAFETY: as above.
        unsafe { self.shadow.add(offset as usize) }
    }

    /// Whether everything in it was written.
    #[inline(always)]
    pub fn full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whether `[offset, offset+len)` lies inside.
    #[inline(always)]
    pub fn holds(&self, offset: u64, len: u64) -> bool {
        offset <= self.len && len <= self.len - offset
    }

    /// Marks bytes as written. The range must lie inside.
    pub fn mark(&self, offset: u64, len: usize) {
        if len as u64 == self.len {
            self.full.store(true, Ordering::Relaxed);
        }
        // SAFETY: inside, as the caller promises.
        unsafe { std::ptr::write_bytes(self.shadow_at(offset), shadow::INIT, len) };
    }
}

#[derive(Default)]
struct Memory {
    live: BTreeMap<u64, Arc<Region>>,
    freed: BTreeMap<u64, u64>,
    next: u64,
    /// The live regions in order, for launches.
    sorted: Option<Arc<Vec<Arc<Region>>>>,
}

/// A device: global memory and settings. Blocks of a launch run on several threads; launches may overlap.
pub struct Machine {
    /// Its settings.
    pub options: Options,
    memory: RwLock<Memory>,
    symbols: Mutex<HashMap<u64, Symbols>>,
}

/// The regions that live while a kernel runs.
#[derive(Clone)]
pub struct Snapshot {
    /// In order of address.
    pub regions: Arc<Vec<Arc<Region>>>,
    freed: Arc<BTreeMap<u64, u64>>,
}

impl Snapshot {
    /// The region that holds `address`.
    pub fn find(&self, address: u64) -> Option<usize> {
        let after = self.regions.partition_point(|r| r.base <= address);
        let i = after.checked_sub(1)?;
        (address - self.regions[i].base < self.regions[i].len).then_some(i)
    }

    /// What is wrong with an access of `len` bytes at `address`, in words.
    pub fn explain(&self, address: u64, len: u64) -> (FaultKind, String) {
        if let Some((base, size)) = self.freed.range(..=address).next_back()
            && address - base < *size
        {
            return (
                FaultKind::UseAfterFree,
                format!("{len} bytes at {address:#x}, in {size} bytes at {base:#x} that were freed"),
            );
        }
        let after = self.regions.partition_point(|r| r.base <= address);
        let below = after.checked_sub(1).map(|i| &self.regions[i]);
        let above = self.regions.get(after);
        let gap = |r: &Region| if r.base > address { r.base - address } else { address.saturating_sub(r.base + r.len) };
        let nearest = below.into_iter().chain(above).min_by_key(|r| gap(r));
        let near = match nearest {
            None => "nothing is allocated".to_string(),
            Some(r) if r.base > address => {
                format!("{} bytes before the nearest allocation, {} bytes at {:#x}", r.base - address, r.len, r.base)
            }
            Some(r) => {
                format!("offset {} of the nearest allocation, {} bytes at {:#x}", address - r.base, r.len, r.base)
            }
        };
        (FaultKind::OutOfBounds, format!("{len} bytes at {address:#x}: {near}"))
    }
}

impl Machine {
    /// A device without allocations.
    pub fn new(options: Options) -> Self {
        let memory = Memory { next: GLOBAL_BASE, ..Memory::default() };
        Self { options, memory: RwLock::new(memory), symbols: Mutex::default() }
    }

    /// Allocates `bytes` and gives the device address, a multiple of 256. The contents are uninitialised. Between
    /// allocations lies a zone that nothing may touch.
    ///
    /// # Errors
    /// The host has no memory left.
    pub fn alloc(&self, bytes: usize) -> Result<u64, Fault> {
        self.reserve(bytes, |_| {})
    }

    fn reserve(&self, bytes: usize, prepare: impl FnOnce(&mut Region)) -> Result<u64, Fault> {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        let base = memory.next;
        let refused = || Fault::plain(FaultKind::Host, "", format!("no memory for {bytes} bytes"));
        if bytes as u64 >= SHARED_BASE - base - 2 * RED_ZONE {
            return Err(refused());
        }
        let mut region = Region::new(base, bytes).ok_or_else(refused)?;
        prepare(&mut region);
        memory.next = (base + bytes as u64 + RED_ZONE).next_multiple_of(ALIGN as u64);
        memory.live.insert(base, Arc::new(region));
        memory.sorted = None;
        Ok(base)
    }

    /// Frees an allocation.
    ///
    /// # Errors
    /// `addr` is not the start of a live allocation.
    pub fn free(&self, addr: u64) -> Result<(), Fault> {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        let Some(region) = memory.live.remove(&addr) else {
            return Err(Fault::plain(FaultKind::Host, "", format!("{addr:#x} is not the start of an allocation")));
        };
        memory.freed.insert(addr, region.len.max(1));
        memory.sorted = None;
        Ok(())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        if memory.sorted.is_none() {
            memory.sorted = Some(Arc::new(memory.live.values().cloned().collect()));
        }
        let regions = memory.sorted.clone().unwrap_or_default();
        Snapshot { regions, freed: Arc::new(memory.freed.clone()) }
    }

    fn range(&self, addr: u64, len: usize) -> Result<(Arc<Region>, u64), Fault> {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, region)) = memory.live.range(..=addr).next_back()
            && region.holds(addr - region.base, len as u64)
        {
            return Ok((region.clone(), addr - region.base));
        }
        drop(memory);
        let (kind, message) = self.snapshot().explain(addr, len as u64);
        Err(Fault::plain(kind, "", message))
    }

    /// Copies bytes to the device.
    ///
    /// # Errors
    /// The range is not inside one live allocation; so for all that follow.
    pub fn write(&self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        let (region, offset) = self.range(addr, bytes.len())?;
        // SAFETY: the range was found to lie inside.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), region.at(offset), bytes.len()) };
        region.mark(offset, bytes.len());
        Ok(())
    }

    /// Copies bytes from the device, initialised or not: [`Machine::is_initialised`] tells.
    #[allow(clippy::missing_errors_doc)]
    pub fn read(&self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let (region, offset) = self.range(addr, out.len())?;
        // SAFETY: the range was found to lie inside.
        unsafe { std::ptr::copy_nonoverlapping(region.at(offset), out.as_mut_ptr(), out.len()) };
        Ok(())
    }

    /// Whether every byte of the range was written.
    #[allow(clippy::missing_errors_doc)]
    pub fn is_initialised(&self, addr: u64, len: usize) -> Result<bool, Fault> {
        let (region, offset) = self.range(addr, len)?;
        // SAFETY: the range was found to lie inside.
        let shadow = unsafe { std::slice::from_raw_parts(region.shadow_at(offset), len) };
        Ok(region.full() || shadow.iter().all(|s| s & shadow::INIT != 0))
    }

    /// Writes `value` into `words` 32-bit words.
    #[allow(clippy::missing_errors_doc)]
    pub fn fill(&self, addr: u64, value: u32, words: usize) -> Result<(), Fault> {
        let len = words.checked_mul(4).ok_or_else(|| Fault::plain(FaultKind::Host, "", "a fill beyond all memory"))?;
        if !addr.is_multiple_of(4) {
            return Err(Fault::plain(FaultKind::Misaligned, "", format!("a fill of words at {addr:#x}")));
        }
        let (region, offset) = self.range(addr, len)?;
        for i in 0..words as u64 {
            // SAFETY: the range was found to lie inside.
            unsafe { region.at(offset + 4 * i).cast::<u32>().write_unaligned(value) };
        }
        region.mark(offset, len);
        Ok(())
    }

    /// Copies on the device, and with the bytes whether they were initialised. The ranges may overlap.
    #[allow(clippy::missing_errors_doc)]
    pub fn copy(&self, to: u64, from: u64, bytes: usize) -> Result<(), Fault> {
        let (target, t) = self.range(to, bytes)?;
        let (source, s) = self.range(from, bytes)?;
        if source.full() {
            target.mark(t, bytes);
        } else {
            // Writing uninitialised bytes makes the target's shadow worth asking again.
            target.full.store(false, Ordering::Relaxed);
            // SAFETY: both ranges were found to lie inside.
            unsafe { std::ptr::copy(source.shadow_at(s), target.shadow_at(t), bytes) };
        }
        // SAFETY: as above.
        unsafe { std::ptr::copy(source.at(s), target.at(t), bytes) };
        Ok(())
    }

    /// Where the module's variables lie; allocated at its first launch.
    pub(crate) fn symbols(&self, module: &Module) -> Result<Symbols, Fault> {
        let mut all = self.symbols.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.get(&module.id) {
            return Ok(found.clone());
        }
        let mut addresses = HashMap::new();
        for variable in &module.globals {
            use crate::syntax::ast::Space;
            let constant = variable.space == Space::Const;
            let address = self.reserve(variable.size.max(1), |region| region.read_only = constant)?;
            // Module variables without a value start as zero.
            let mut bytes = vec![0; variable.size.max(1)];
            bytes[..variable.init.len()].copy_from_slice(&variable.init);
            self.write(address, &bytes)?;
            addresses.insert(variable.name.clone(), address);
        }
        let addresses = Arc::new(addresses);
        all.insert(module.id, Arc::clone(&addresses));
        Ok(addresses)
    }

    /// The most shared memory a block may have, in bytes.
    pub fn shared_limit(&self) -> u32 {
        match self.options.capability {
            (7, 5) => 64 << 10,
            (8, 0) | (8, 7) => 163 << 10,
            (8, _) => 99 << 10,
            (7, _) => 96 << 10,
            (12, _) => 99 << 10,
            (major, _) if major >= 9 => 227 << 10,
            _ => 48 << 10,
        }
    }
}
