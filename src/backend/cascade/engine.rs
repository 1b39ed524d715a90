//! What the cascade asks of a device.

use std::sync::Arc;

use super::arena::Net;
use crate::backend::kernels::Tuning;
use crate::{Error, Graph, Plan, Result};

/// A device that the cascade runs on: buffers, networks over one arena, and submissions of launches.
pub(in crate::backend) trait Engine: Clone + Send + Sync + 'static {
    /// Memory of the device; clones are the same memory.
    type Buffer: Clone + Send + Sync;
    /// A graph whose parameters are on the device.
    type Module: Send + Sync;
    /// A network at one size, its kernels chosen.
    type Prepared;
    /// A network at one size over the arena.
    type Net: Send + Sync;
    /// What submissions are made of and read through, kept between them.
    type Scratch: Default + Send;

    /// What the choice of kernels depends on.
    fn tuning(&self) -> Tuning;

    /// An error of this device.
    fn error(&self, problem: &str) -> Error;

    /// Does something with the device, and gives its error if there was one.
    fn scoped<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        work()
    }

    /// Brings a graph's parameters to the device.
    fn load(&self, graph: Arc<Graph>) -> Result<Self::Module>;

    /// The graph of a module.
    fn graph(module: &Self::Module) -> &Arc<Graph>;

    /// Memory of at least so many bytes; `counted` may be set to zero by, and read after, a submission.
    fn buffer(&self, name: &str, bytes: usize, counted: bool) -> Result<Self::Buffer>;

    /// Bytes of a buffer.
    fn bytes(buffer: &Self::Buffer) -> usize;

    /// Writes the first bytes of a buffer, before what is submitted next.
    fn write(&self, buffer: &Self::Buffer, bytes: &[u8]) -> Result<()>;

    /// Chooses the kernels of a plan, and says how many elements its arena must have.
    fn prepare(&self, module: &Self::Module, plan: &Plan) -> Result<(Self::Prepared, usize)>;

    /// Memory for so many elements of the networks' precision, that of the plans' arena.
    fn arena(&self, elements: usize) -> Result<Self::Buffer>;

    /// Binds a plan to an arena.
    fn bind(
        &self,
        module: &Self::Module,
        plan: &Plan,
        prepared: Self::Prepared,
        arena: &Self::Buffer,
    ) -> Result<Self::Net>;

    /// Runs items in order, `cleared` buffers set to zero first, and reads the first words of some buffers, side by
    /// side.
    fn submit(
        &self,
        scratch: &mut Self::Scratch,
        items: &[Item<Self>],
        cleared: &[&Self::Buffer],
        reads: &[(&Self::Buffer, usize)],
    ) -> Result<Vec<u32>>;
}

/// One thing to run.
pub(in crate::backend) enum Item<E: Engine> {
    /// A kernel on whole buffers.
    Launch(Launch<E>),
    /// A network.
    Net(Arc<Net<E>>),
}

/// A kernel on whole buffers.
pub(in crate::backend) struct Launch<E: Engine> {
    /// The kernel's file.
    pub stem: &'static str,
    /// Its entry point.
    pub entry: &'static str,
    /// Its parameters.
    pub params: Vec<u8>,
    /// Bindings 1, 2, ..
    pub buffers: Vec<E::Buffer>,
    /// Workgroups.
    pub groups: [u32; 3],
}
