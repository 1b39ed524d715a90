//! CUDA as the device trait: memory by address, launches with their arguments in place, events, captured graphs.

use std::ops::Range;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Cuda;
use super::context::Arg;
use super::driver::{DeviceMemory, Driver, EventId, GraphId, KernelLaunch, Pinned, Stream};
use crate::backend::gpu::{Argument, Command, Dispatch, Runtime, TensorMap, Wait};
use crate::backend::kernels::Tuning;
use crate::{Error, Precision, Result};

/// Host memory of one submission at a time, and what is recorded of it.
pub(crate) struct Staging {
    upload: Pinned,
    download: Pinned,
    /// Bytes that are uploaded.
    bytes: usize,
    /// Where they go: not into the arena, which the batch before may still use.
    uploaded: Arc<DeviceMemory>,
    /// Reached when they are there.
    sent: Event,
    /// Reached when all commands are done.
    finished: Event,
    /// Repeated submissions so far: the first is not captured, so that what the driver loads late is loaded.
    runs: u64,
    graph: Option<Graph>,
    driver: Arc<dyn Driver>,
    /// Whether the device may still copy from and to the host's memory.
    in_flight: bool,
}

impl Staging {
    /// Waits until the device is done with the host's memory, whatever became of the submission: an error, a panic, or a
    /// future that was dropped early.
    fn settle(&mut self) {
        if std::mem::take(&mut self.in_flight) {
            let _ = self.driver.synchronize(Stream::Copy);
            let _ = self.driver.synchronize(Stream::Compute);
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.settle();
    }
}

/// An event, given back when dropped.
struct Event {
    driver: Arc<dyn Driver>,
    id: EventId,
}

impl Event {
    fn new(driver: &Arc<dyn Driver>) -> Result<Event> {
        Ok(Event { id: driver.event()?, driver: driver.clone() })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.driver.release_event(self.id);
    }
}

/// Captured work, given back when dropped.
struct Graph {
    driver: Arc<dyn Driver>,
    id: GraphId,
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.driver.release_graph(self.id);
    }
}

impl Runtime for Cuda {
    type Buffer = Arc<DeviceMemory>;
    type Launch = KernelLaunch;
    /// A launch holds its own.
    type Parameters = ();
    type Staging = Staging;

    fn tuning(&self, precision: Precision) -> Tuning {
        Cuda::tuning(self, precision)
    }

    fn check_precision(&self, precision: Precision) -> Result<()> {
        self.has(precision)
    }

    fn error(&self, problem: &str) -> Error {
        Cuda::error(self, problem)
    }

    fn allocate(&self, what: &str, bytes: usize) -> Result<Arc<DeviceMemory>> {
        Ok(Arc::new(self.memory(what, bytes)?))
    }

    fn zeros(&self, what: &str, bytes: usize) -> Result<Arc<DeviceMemory>> {
        let memory = self.allocate(what, bytes)?;
        self.driver().clear(Stream::Compute, memory.address(), memory.bytes())?;
        Ok(memory)
    }

    fn bytes(buffer: &Arc<DeviceMemory>) -> usize {
        buffer.bytes()
    }

    fn write(&self, buffer: &Arc<DeviceMemory>, bytes: &[u8]) -> Result<()> {
        buffer.write(bytes)
    }

    fn bind(&self, dispatches: &[Dispatch<Cuda>], (): &mut ()) -> Result<Vec<KernelLaunch>> {
        dispatches.iter().map(|dispatch| self.bind_one(dispatch)).collect()
    }

    fn staging(&self, upload: usize, download: usize) -> Result<Staging> {
        let driver = self.driver();
        Ok(Staging {
            upload: Pinned::new(driver, upload)?,
            download: Pinned::new(driver, download)?,
            bytes: upload,
            uploaded: self.allocate("the inputs", upload)?,
            sent: Event::new(driver)?,
            finished: Event::new(driver)?,
            runs: 0,
            graph: None,
            driver: driver.clone(),
            in_flight: false,
        })
    }

    fn fill(&self, staging: &mut Staging, at: usize, bytes: &[u8]) -> Result<()> {
        staging.settle();
        staging.upload.bytes_mut()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn upload_memory(staging: &mut Staging) -> Option<&mut [u8]> {
        staging.settle();
        Some(staging.upload.bytes_mut())
    }

    fn uploaded(staging: &Staging) -> &Arc<DeviceMemory> {
        &staging.uploaded
    }

    fn submit(&self, staging: &mut Staging, commands: &[Command<Cuda>], repeated: bool) -> Result<()> {
        staging.settle();
        staging.in_flight = true;
        self.send(staging)?;
        if repeated {
            staging.runs += 1;
            if staging.runs > 1 && staging.graph.is_none() {
                staging.graph = self.captured(staging, commands);
            }
        }
        match staging.graph.as_ref().filter(|_| repeated) {
            Some(graph) => self.driver().replay(graph.id)?,
            None => self.work(staging, commands)?,
        }
        self.driver().record(staging.finished.id, Stream::Compute)
    }

    async fn finish(&self, staging: &mut Staging, wait: Wait) -> Result<()> {
        let (driver, event) = (self.driver(), staging.finished.id);
        let reached = std::future::poll_fn(|context| match wait {
            Wait::Block => Poll::Ready(driver.reach(event)),
            Wait::Poll => match driver.reached(event) {
                Ok(false) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Ok(true) => Poll::Ready(Ok(())),
                Err(error) => Poll::Ready(Err(error)),
            },
        });
        reached.await?;
        staging.in_flight = false;
        Ok(())
    }

    fn downloaded<T>(&self, staging: &Staging, range: Range<usize>, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        Ok(read(&staging.download.bytes()[range]))
    }

    fn time(
        &self,
        staging: &mut Staging,
        before: &[Command<Cuda>],
        steps: &[Vec<Arc<KernelLaunch>>],
    ) -> Result<Vec<Duration>> {
        let driver = self.driver();
        // Written before each step, so that the step finds nothing in the cache.
        let flush = self.memory("flushing the cache", 2 * driver.properties().l2 as usize)?;
        let events: Vec<[Event; 2]> =
            steps.iter().map(|_| Ok([Event::new(driver)?, Event::new(driver)?])).collect::<Result<_>>()?;
        staging.settle();
        staging.in_flight = true;
        self.send(staging)?;
        self.work(staging, before)?;
        for (launches, [start, end]) in steps.iter().zip(&events) {
            driver.clear(Stream::Compute, flush.address(), flush.bytes())?;
            driver.record(start.id, Stream::Compute)?;
            launches.iter().try_for_each(|launch| driver.launch(launch))?;
            driver.record(end.id, Stream::Compute)?;
        }
        driver.synchronize(Stream::Compute)?;
        staging.in_flight = false;
        events.iter().map(|[start, end]| Ok(Duration::from_nanos(driver.elapsed(start.id, end.id)?))).collect()
    }
}

impl Cuda {
    /// Finds the kernel, and writes its arguments as the driver takes them.
    fn bind_one(&self, dispatch: &Dispatch<Cuda>) -> Result<KernelLaunch> {
        let name = crate::backend::kernels::entry_name(&dispatch.entry, dispatch.dtype, dispatch.precision);
        let kernel = self.kernel(dispatch.stem, &name, dispatch.shared)?;
        if let Some(threads) = dispatch.threads
            && threads != kernel.block.iter().product::<u32>()
        {
            let problem = format!("{name} has blocks of {:?} threads, the host counts on {threads}", kernel.block);
            return Err(Cuda::error(self, problem));
        }
        let argument = |argument: &Argument<Cuda>| {
            let at = |buffer: &DeviceMemory, offset: usize| buffer.address() + offset as u64;
            Ok(match argument {
                Argument::Range { buffer, offset, .. } => Arg::Address(at(buffer, *offset)),
                Argument::Map { buffer, offset, map } => {
                    let map = TensorMap { address: at(buffer, *offset), ..(**map).clone() };
                    Arg::Map(Box::new(self.driver().encode(&map)?))
                }
                Argument::Absent => Arg::Address(0),
            })
        };
        let args = dispatch.arguments.iter().map(argument).collect::<Result<Vec<Arg>>>()?;
        Ok(self.launch(kernel, &dispatch.params, &args, dispatch.groups, dispatch.shared))
    }

    /// Uploads what the host has filled in, beside what the compute stream does; what is submitted next waits for it.
    fn send(&self, staging: &Staging) -> Result<()> {
        if staging.bytes == 0 {
            return Ok(());
        }
        let driver = self.driver();
        let from = &staging.upload.bytes()[..staging.bytes];
        // SAFETY: the staging memory settles before it is filled anew or dropped.
        unsafe { driver.upload(Stream::Copy, staging.uploaded.address(), from)? };
        driver.record(staging.sent.id, Stream::Copy)?;
        driver.wait(Stream::Compute, staging.sent.id)
    }

    fn work(&self, staging: &mut Staging, commands: &[Command<Cuda>]) -> Result<()> {
        let driver = self.driver();
        commands.iter().try_for_each(|command| match command {
            Command::Launch(launch) => driver.launch(launch),
            Command::Upload { at, to, offset, bytes } => {
                let (to, from) = (to.address() + *offset as u64, staging.uploaded.address() + *at as u64);
                driver.copy(Stream::Compute, to, from, *bytes)
            }
            Command::Download { from, offset, bytes, at } => {
                let to = &mut staging.download.bytes_mut()[*at..*at + *bytes];
                // SAFETY: as in `send`.
                unsafe { driver.download(Stream::Compute, to, from.address() + *offset as u64) }
            }
            Command::Clear(buffer) => driver.clear(Stream::Compute, buffer.address(), buffer.bytes()),
        })
    }

    /// The commands, captured; nothing where something else in this process, such as another library's wait for the
    /// whole device, has spoilt the capture: the next run tries again.
    fn captured(&self, staging: &mut Staging, commands: &[Command<Cuda>]) -> Option<Graph> {
        let driver = self.driver();
        driver.begin_capture().ok()?;
        let worked = self.work(staging, commands);
        let graph = driver.end_capture().ok().map(|id| Graph { driver: driver.clone(), id });
        worked.ok().and(graph)
    }
}
