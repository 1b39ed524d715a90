//! NVIDIA GPUs, through their driver alone: the kernels in `kernels/` are shipped as PTX, which the driver compiles.
//!
//! | part | what it does |
//! |---|---|
//! | `driver` | what is asked of a driver: memory, modules, launches, streams, captured work |
//! | `libcuda` | the real driver, loaded when it is first asked for |
//! | `target` | the shipped PTX, and which of it a device takes |
//! | `context` | a device: its loaded kernels, and which it takes in which precision |
//! | `runtime` | the device trait: memory, submissions, captured graphs, timing |

mod context;
mod driver;
mod libcuda;
mod runtime;
mod target;

use std::sync::Arc;

use super::gpu::{GpuModule, GpuStates};
use super::{Backend, DeviceInfo, Module, States, check_states};
use crate::{Graph, Precision, Result};

pub use super::gpu::{MapElement, TensorMap, Window};
pub use context::Cuda;
pub use driver::{Driver, EncodedMap, EventId, GraphId, KernelId, KernelLaunch, ModuleId, Properties, Stream};
pub use libcuda::LibCuda;
pub use target::{STEMS, Target};

/// Bytes of the arrays that the copy rate is measured on, at most: beyond any cache.
const COPIED: usize = 1 << 30;

impl Backend for Cuda {
    fn info(&self) -> DeviceInfo {
        self.describe()
    }

    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        check_states(&graph, &[])?;
        Ok(Arc::new(GpuModule::new(self.clone(), graph, precision, Arc::new([]))?))
    }

    fn check(&self, precision: Precision) -> Result<()> {
        self.has(precision)
    }

    /// What fills the largest GPUs where the network's last maps have 9 pixels.
    fn batch(&self) -> usize {
        256
    }

    fn overlaps(&self) -> bool {
        true
    }

    fn clock(&self) -> &'static str {
        "events on the device around each step, the L2 cache flushed before it"
    }

    fn copy_rate(&self) -> Option<f64> {
        self.measure_copies().ok()
    }

    fn states(&self, lengths: &[usize]) -> Result<Arc<dyn States>> {
        Ok(Arc::new(GpuStates::new(self.clone(), lengths)?))
    }
}

impl Cuda {
    /// Bytes per second, read and written, of a large copy within the device.
    fn measure_copies(&self) -> Result<f64> {
        let driver = self.driver();
        let bytes = COPIED.min(driver.properties().memory as usize / 8).next_multiple_of(256);
        let (from, to) = (self.memory("copies", bytes)?, self.memory("copies", bytes)?);
        driver.clear(Stream::Compute, from.address(), bytes)?;
        let events = [driver.event()?, driver.event()?];
        let seconds = super::roofline::fastest(|| {
            driver.record(events[0], Stream::Compute)?;
            driver.copy(Stream::Compute, to.address(), from.address(), bytes)?;
            driver.record(events[1], Stream::Compute)?;
            driver.synchronize(Stream::Compute)?;
            Ok(std::time::Duration::from_nanos(driver.elapsed(events[0], events[1])?))
        });
        events.into_iter().for_each(|event| driver.release_event(event));
        Ok(2.0 * bytes as f64 / seconds?)
    }
}
