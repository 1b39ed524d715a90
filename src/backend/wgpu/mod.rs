//! Any GPU with Vulkan, and browsers' WebGPU, through WGSL: shaders in `shaders/`, one for each op, launched from here.
//!
//! | part | what it does |
//! |---|---|
//! | `device` | opens the device, builds pipelines, turns the API's errors into ours |
//! | `shaders` | the shaders' texts |
//! | `launch` | from dispatches to bind groups |
//! | `staging` | host memory that is uploaded from and downloaded to, and the future that it is mapped |
//! | `runtime` | the device trait: memory, submissions, timing |

mod device;
mod launch;
mod runtime;
mod shaders;
mod staging;

use std::sync::Arc;

use super::gpu::{GpuModule, GpuStates, Runtime};
use super::{Backend, DeviceInfo, Module, States, check_states};
use crate::{Graph, Precision, Result};

pub use device::Gpu;
pub use shaders::source;

impl Backend for Gpu {
    fn info(&self) -> DeviceInfo {
        self.describe()
    }

    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        check_states(&graph, &[])?;
        Ok(Arc::new(GpuModule::new(self.clone(), graph, precision, Arc::new([]))?))
    }

    fn check(&self, precision: Precision) -> Result<()> {
        self.check_precision(precision)
    }

    fn most_bytes(&self) -> Option<u64> {
        Some(self.most_bound())
    }

    fn clock(&self) -> &'static str {
        "timestamps on the device around each step where it has them, else the host's clock; caches as they are"
    }

    fn states(&self, lengths: &[usize]) -> Result<Arc<dyn States>> {
        Ok(Arc::new(GpuStates::new(self.clone(), lengths)?))
    }
}
