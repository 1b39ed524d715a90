//! Any GPU with Vulkan, through WGSL: shaders in `shaders/`, one for each op, launched from here.
//!
//! | part | what it does |
//! |---|---|
//! | `device` | opens the device, builds pipelines, turns the API's errors into ours |
//! | `kernels` | from an op at its sizes to calls: which entry point, which parameters, how many workgroups |
//! | `launch` | from calls to launches: bindings made once, recorded any number of times |
//! | `module` | a graph's parameters on the device, filters packed as the kernels read them |
//! | `executable` | a plan on the device: one arena, one submission a run |

mod device;
mod executable;
mod kernels;
mod launch;
mod module;

use std::sync::Arc;

use super::{Backend, DeviceInfo, Module};
use crate::face::{Cascade, DetectOptions};
use crate::models::Mtcnn;
use crate::{Error, Graph, Result};

pub use device::Gpu;
pub use executable::GpuExecutable;
pub use kernels::{ParamsLayout, params_layouts};
pub use module::GpuModule;

impl Backend for Gpu {
    fn info(&self) -> DeviceInfo {
        self.describe()
    }

    fn load(&self, graph: Arc<Graph>) -> Result<Arc<dyn Module>> {
        Ok(Arc::new(GpuModule::new(self.clone(), graph)?))
    }

    fn cascade(&self, _: &Mtcnn, _: &DetectOptions) -> Result<Box<dyn Cascade>> {
        Err(Error::device("wgpu", "the cascade does not run on it yet; use --device cpu"))
    }
}
