//! Any GPU with Vulkan, through WGSL: shaders in `shaders/`, one for each op, launched from here.
//!
//! | part | what it does |
//! |---|---|
//! | `device` | opens the device, builds pipelines, turns the API's errors into ours |
//! | `kernels` | from an op at its sizes to calls: which entry point, which parameters, how many workgroups |
//! | `launch` | from calls to launches: bindings made once, recorded any number of times |
//! | `module` | a graph's parameters on the device, filters packed as the kernels read them |
//! | `cascade` | detection: pyramid, networks, candidates and suppression, all on the device |
//! | `executable` | a plan on the device: one arena, one submission a run |

mod cascade;
mod device;
mod executable;
mod kernels;
mod launch;
mod module;

use std::sync::Arc;

use super::{Backend, DeviceInfo, Module};
use crate::face::{Cascade, DetectOptions};
use crate::models::Mtcnn;
use crate::{Graph, Result};

pub use cascade::GpuCascade;
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

    fn cascade(&self, networks: &Mtcnn, options: &DetectOptions) -> Result<Box<dyn Cascade>> {
        Ok(Box::new(GpuCascade::new(self.clone(), networks, options)?))
    }
}
