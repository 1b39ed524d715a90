//! The device trait: what a GPU's API must do for graphs and the detection cascade to run on it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::TensorMap;
use crate::backend::kernels::{Dtype, Tuning};
use crate::{Error, Precision, Result};

/// A GPU: memory, launches, submissions, timing. Clones share the device.
///
/// Work is submitted in order and runs in order. [`Runtime::finish`] is the only call that waits.
pub(crate) trait Runtime: Clone + fmt::Debug + Send + Sync + 'static {
    /// Memory of the device, aligned to 256 bytes; clones are the same memory.
    type Buffer: Clone + Send + Sync;
    /// A kernel with its arguments bound.
    type Launch: Send + Sync;
    /// Where launches that are bound together keep their parameters; reused by the next that are bound with it.
    type Parameters: Default + Send + Sync;
    /// Memory of the host that one submission at a time uploads from and downloads to. It may be filled anew, or
    /// dropped, whatever became of the submission before: the device is done with it then.
    type Staging: Send + Sync;

    /// What the choice of kernels depends on.
    fn tuning(&self, precision: Precision) -> Tuning;

    /// Checks that the device computes in this precision.
    fn check_precision(&self, precision: Precision) -> Result<()>;

    /// An error of this device.
    fn error(&self, problem: &str) -> Error;

    /// Does something with the device, and gives its error if there was one.
    fn scoped<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        work()
    }

    /// A buffer of at least `bytes`; `what` is for messages.
    fn allocate(&self, what: &str, bytes: usize) -> Result<Self::Buffer>;

    /// As [`Runtime::allocate`], all zero.
    fn zeros(&self, what: &str, bytes: usize) -> Result<Self::Buffer>;

    /// Bytes of a buffer.
    fn bytes(buffer: &Self::Buffer) -> usize;

    /// Checks that a launch can bind this many bytes as one argument.
    fn check_argument(&self, _what: &str, _bytes: usize) -> Result<()> {
        Ok(())
    }

    /// Writes the first bytes of a buffer, before what is submitted next.
    fn write(&self, buffer: &Self::Buffer, bytes: &[u8]) -> Result<()>;

    /// Brings what was written to the device now, so that its copy on the host is free.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Binds arguments and parameters of dispatches. The launches are good until `parameters` are bound anew.
    fn bind(&self, dispatches: &[Dispatch<Self>], parameters: &mut Self::Parameters) -> Result<Vec<Self::Launch>>;

    /// Host memory for `upload` bytes up and `download` bytes down.
    fn staging(&self, upload: usize, download: usize) -> Result<Self::Staging>;

    /// Writes bytes that the next submission uploads.
    fn fill(&self, staging: &mut Self::Staging, at: usize, bytes: &[u8]) -> Result<()>;

    /// The memory that [`Runtime::fill`] writes, where the host may write it directly.
    fn upload_memory(_: &mut Self::Staging) -> Option<&mut [u8]> {
        None
    }

    /// What was uploaded, as commands and launches find it on the device.
    fn uploaded(staging: &Self::Staging) -> &Self::Buffer;

    /// Uploads, then runs commands in order. `repeated` promises the same commands each time that this staging memory
    /// is submitted so: they may be recorded once.
    fn submit(&self, staging: &mut Self::Staging, commands: &[Command<Self>], repeated: bool) -> Result<()>;

    /// Waits for what was submitted with this staging memory.
    fn finish(&self, staging: &mut Self::Staging, wait: Wait) -> impl Future<Output = Result<()>> + Send;

    /// Reads downloaded bytes, after [`Runtime::finish`].
    fn downloaded<T>(&self, staging: &Self::Staging, range: Range<usize>, read: impl FnOnce(&[u8]) -> T) -> Result<T>;

    /// Uploads, runs `before`, then each step's launches, timed on the device.
    fn time(
        &self,
        staging: &mut Self::Staging,
        before: &[Command<Self>],
        steps: &[Vec<Arc<Self::Launch>>],
    ) -> Result<Vec<Duration>>;
}

/// How a future waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It blocks its thread, and is ready when it is first polled.
    Block,
    /// It asks the device each time that it is polled, and never blocks: a browser cannot.
    Poll,
}

/// A kernel with everything it takes, before it is bound.
pub(crate) struct Dispatch<R: Runtime> {
    /// The kernel's file.
    pub stem: &'static str,
    /// Its entry point.
    pub entry: Cow<'static, str>,
    /// CUDA: the type in the entry point's name.
    pub dtype: Dtype,
    /// In which precision it computes.
    pub precision: Precision,
    /// Its `Params`.
    pub params: Vec<u8>,
    /// Bindings 1, 2, ..
    pub arguments: Vec<Argument<R>>,
    /// Dispatch size, in workgroups.
    pub groups: [u32; 3],
    /// CUDA: bytes of shared memory beyond what the kernel declares.
    pub shared: u32,
    /// CUDA: threads of a block, where the host counts on them.
    pub threads: Option<u32>,
    /// Who dispatches it, for messages.
    pub what: String,
}

/// What a kernel's binding is.
pub(crate) enum Argument<R: Runtime> {
    /// Bytes of a buffer from an offset on.
    Range { buffer: R::Buffer, offset: usize, bytes: usize },
    /// TMA's map of what begins there; its address is the buffer's and the offset.
    Map { buffer: R::Buffer, offset: usize, map: Box<TensorMap> },
    /// An optional argument that is not given.
    Absent,
}

impl<R: Runtime> Argument<R> {
    /// All of a buffer.
    pub fn whole(buffer: &R::Buffer) -> Self {
        Argument::Range { buffer: buffer.clone(), offset: 0, bytes: R::bytes(buffer) }
    }
}

/// One thing that a submission does.
pub(crate) enum Command<R: Runtime> {
    /// Runs a kernel.
    Launch(Arc<R::Launch>),
    /// Copies uploaded bytes, from `at` on, into a buffer.
    Upload { at: usize, to: R::Buffer, offset: usize, bytes: usize },
    /// Copies bytes of a buffer to the host, to `at`.
    Download { from: R::Buffer, offset: usize, bytes: usize, at: usize },
    /// Sets a buffer to zero.
    Clear(R::Buffer),
}
