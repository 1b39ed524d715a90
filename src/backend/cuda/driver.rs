//! What the backend asks of a CUDA driver. The real one implements it, and so can whatever runs PTX elsewhere.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::backend::gpu::TensorMap;
use crate::error::Message;
use crate::{Error, Result};

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// The hardware's name.
    pub name: String,
    /// Compute capability: major, minor.
    pub capability: (u32, u32),
    /// Bytes of memory.
    pub memory: u64,
    /// The CUDA version that the driver knows, as `12.4`, and what else it says of itself.
    pub driver: String,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Bytes of second-level cache.
    pub l2: u32,
}

/// A loaded PTX module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModuleId(pub u64);

/// A kernel of a loaded module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KernelId(pub u64);

/// A point in a stream whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId(pub u64);

/// A captured sequence of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GraphId(pub u64);

/// Work in one stream runs in order; the two run beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Kernels, and what waits for them.
    Compute,
    /// Uploads.
    Copy,
}

/// A kernel with everything it needs.
#[derive(Clone, Debug)]
pub struct KernelLaunch {
    /// The kernel.
    pub kernel: KernelId,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared: u32,
    /// The parameters, each at its natural alignment.
    pub args: Vec<u8>,
}

/// A tensor map as the hardware reads it: 128 bytes.
pub type EncodedMap = [u64; 16];

/// One CUDA device: memory, modules, and work in streams. Functions other than [`Driver::synchronize`]
/// and [`Driver::reach`] may return before the work is done.
pub trait Driver: Send + Sync + fmt::Debug {
    /// What the device is.
    fn properties(&self) -> &Properties;

    /// Loads PTX; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Device`] with the compiler's words if the driver cannot compile it.
    fn load(&self, name: &str, ptx: &str) -> Result<ModuleId>;

    /// A kernel that may use up to `shared` bytes of dynamic shared memory.
    ///
    /// # Errors
    /// [`Error::Device`] if the module has no such kernel, or the device not as much shared memory.
    fn kernel(&self, module: ModuleId, entry: &str, shared: u32) -> Result<KernelId>;

    /// Memory of the device, aligned to 256 bytes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] says what was asked and what was free.
    fn allocate(&self, bytes: usize) -> Result<u64>;

    /// Gives memory back, after all work has ended.
    fn release(&self, address: u64);

    /// Memory of the host that the device can reach.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if there is not as much.
    fn allocate_pinned(&self, bytes: usize) -> Result<NonNull<u8>>;

    /// Gives it back.
    ///
    /// # Safety
    /// `address` is of [`Driver::allocate_pinned`] with as many bytes, and nothing uses it any more.
    unsafe fn release_pinned(&self, address: NonNull<u8>, bytes: usize);

    /// Copies to the device, before what is submitted to [`Stream::Compute`] next; `from` is free when this returns.
    fn write(&self, to: u64, from: &[u8]) -> Result<()>;

    /// Copies to the device.
    ///
    /// # Safety
    /// `from` must be left alone until the stream has come past the copy.
    unsafe fn upload(&self, stream: Stream, to: u64, from: &[u8]) -> Result<()>;

    /// Copies from the device.
    ///
    /// # Safety
    /// `to` must be left alone until the stream has come past the copy.
    unsafe fn download(&self, stream: Stream, to: &mut [u8], from: u64) -> Result<()>;

    /// Copies within the device.
    fn copy(&self, stream: Stream, to: u64, from: u64, bytes: usize) -> Result<()>;

    /// Sets `bytes` bytes, a multiple of four, to zero.
    fn clear(&self, stream: Stream, address: u64, bytes: usize) -> Result<()>;

    /// Runs a kernel in [`Stream::Compute`].
    fn launch(&self, launch: &KernelLaunch) -> Result<()>;

    /// An event.
    fn event(&self) -> Result<EventId>;

    /// Gives an event back.
    fn release_event(&self, event: EventId);

    /// Records an event.
    fn record(&self, event: EventId, stream: Stream) -> Result<()>;

    /// Lets a stream wait for an event.
    fn wait(&self, stream: Stream, event: EventId) -> Result<()>;

    /// Waits until an event is reached.
    fn reach(&self, event: EventId) -> Result<()>;

    /// Whether an event is reached.
    fn reached(&self, event: EventId) -> Result<bool>;

    /// Nanoseconds between two events that have been reached.
    fn elapsed(&self, from: EventId, to: EventId) -> Result<u64>;

    /// From now on work of [`Stream::Compute`] is captured, not run.
    fn begin_capture(&self) -> Result<()>;

    /// The work captured.
    fn end_capture(&self) -> Result<GraphId>;

    /// Runs captured work in [`Stream::Compute`].
    fn replay(&self, graph: GraphId) -> Result<()>;

    /// Gives captured work back.
    fn release_graph(&self, graph: GraphId);

    /// Waits until a stream's work is done.
    ///
    /// # Errors
    /// What failed since the last call.
    fn synchronize(&self, stream: Stream) -> Result<()>;

    /// A tensor map as the hardware reads it.
    ///
    /// # Errors
    /// [`Error::Device`] if the hardware cannot copy so.
    fn encode(&self, map: &TensorMap) -> Result<EncodedMap>;
}

/// Memory of a device, given back when dropped.
#[derive(Debug)]
pub(crate) struct DeviceMemory {
    driver: Arc<dyn Driver>,
    address: u64,
    bytes: usize,
}

impl DeviceMemory {
    /// At least 256 bytes, so that empty values have an address too.
    pub fn new(driver: &Arc<dyn Driver>, bytes: usize) -> Result<DeviceMemory> {
        let bytes = bytes.next_multiple_of(256).max(256);
        Ok(DeviceMemory { address: driver.allocate(bytes)?, driver: driver.clone(), bytes })
    }

    pub fn address(&self) -> u64 {
        self.address
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies to its first bytes.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        assert!(bytes.len() <= self.bytes);
        if bytes.is_empty() { Ok(()) } else { self.driver.write(self.address, bytes) }
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        self.driver.release(self.address);
    }
}

/// Memory of the host that the device copies from and to directly.
pub(super) struct Pinned {
    driver: Arc<dyn Driver>,
    address: NonNull<u8>,
    bytes: usize,
}

// SAFETY: plain memory, reached through `&self` and `&mut self`.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    pub fn new(driver: &Arc<dyn Driver>, bytes: usize) -> Result<Pinned> {
        let bytes = bytes.max(64);
        let pinned = Pinned { address: driver.allocate_pinned(bytes)?, driver: driver.clone(), bytes };
        // SAFETY: as many bytes were allocated.
        unsafe { pinned.address.write_bytes(0, bytes) };
        Ok(pinned)
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: allocated and set in `new`.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.bytes) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`; copies are waited for before the drop.
        unsafe { self.driver.release_pinned(self.address, self.bytes) };
    }
}

/// An error of this device.
pub(super) fn error(driver: &dyn Driver, problem: impl Into<Message>) -> Error {
    Error::device("cuda", Message::from(format!("{}: ", driver.properties().name)).and(problem))
}
