//! Any GPU with Vulkan, through WGSL: shaders in `shaders/`, one for each op, launched from here.
//!
//! | part | what it does |
//! |---|---|
//! | `device` | opens the device, builds pipelines, turns the API's errors into ours |
//! | `shaders` | the shaders' texts |
//! | `launch` | from calls to launches: bindings made once, recorded any number of times |
//! | `module` | a graph's parameters on the device, filters packed as the kernels read them |
//! | `engine` | the detection cascade's submissions |
//! | `executable` | a plan on the device: one arena, one submission a run |

mod device;
mod engine;
mod executable;
mod launch;
mod module;
mod shaders;
mod states;

use std::sync::Arc;

use super::cascade::GpuCascade;
use super::{Backend, DeviceInfo, Module, States, check_states};
use crate::face::{Cascade, DetectOptions};
use crate::models::Mtcnn;
use crate::{Graph, Precision, Result};

pub use device::Gpu;
pub use executable::GpuExecutable;
pub use module::GpuModule;
pub use shaders::source;
pub use states::GpuStates;

impl Backend for Gpu {
    fn info(&self) -> DeviceInfo {
        self.describe()
    }

    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        Backend::check(self, precision)?;
        check_states(&graph, &[])?;
        Ok(Arc::new(GpuModule::new(self.clone(), graph, Arc::new([]))?))
    }

    fn clock(&self) -> &'static str {
        "timestamps on the device around each step where it has them, else the host's clock; caches as they are"
    }

    fn states(&self, lengths: &[usize]) -> Result<Arc<dyn States>> {
        Ok(Arc::new(GpuStates::new(self.clone(), lengths)?))
    }

    fn cascade(&self, networks: &Mtcnn, options: &DetectOptions) -> Result<Box<dyn Cascade>> {
        Ok(Box::new(GpuCascade::new(self.clone(), networks, options)?))
    }
}
