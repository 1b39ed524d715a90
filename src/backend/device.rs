//! Choosing a device, and never silently.

use std::any::Any;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::{Backend, DeviceInfo, cpu, gpu_nodes};
use crate::{Error, Result};

/// Which device to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// CUDA, else wgpu on a real GPU, else the CPU.
    Auto,
    /// The processor; always there.
    Cpu,
    /// Any GPU with Vulkan, through WGSL.
    Wgpu,
    /// An NVIDIA GPU, through its driver.
    Cuda,
}

impl FromStr for DeviceKind {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "auto" => Ok(DeviceKind::Auto),
            "cpu" => Ok(DeviceKind::Cpu),
            "wgpu" => Ok(DeviceKind::Wgpu),
            "cuda" => Ok(DeviceKind::Cuda),
            _ => Err(Error::invalid(format!("device `{s}`"), "there are auto, cpu, wgpu and cuda")),
        }
    }
}

/// A device that runs graphs; cheap to clone, shared between threads.
#[derive(Clone)]
pub struct Device(Arc<dyn Backend>);

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.info();
        write!(f, "{}: {} ({})", info.kind, info.name, info.driver)
    }
}

impl Device {
    /// Opens a device. `threads` is for the CPU: 0 is one for each core at hand.
    ///
    /// # Errors
    /// [`crate::Error::Device`] says what an explicitly named device lacks. [`DeviceKind::Auto`] always finds the CPU.
    pub fn open(kind: DeviceKind, threads: usize) -> Result<Device> {
        Self::open_or(kind, || cpu::Cpu::new(threads))
    }

    /// As [`Device::open`]; where it comes to the CPU, the one that `cpu` makes.
    ///
    /// # Errors
    /// As [`Device::open`], and those of `cpu`.
    pub fn open_or(kind: DeviceKind, cpu: impl FnOnce() -> Result<cpu::Cpu>) -> Result<Device> {
        match kind {
            DeviceKind::Cpu => Ok(Self::from_backend(cpu()?)),
            DeviceKind::Wgpu => open_wgpu(),
            DeviceKind::Cuda => open_cuda(),
            DeviceKind::Auto => open_cuda().or_else(|_| match gpu_nodes::may_have_gpu().then(open_wgpu) {
                Some(Ok(device)) if !device.info().software => Ok(device),
                _ => Ok(Self::from_backend(cpu()?)),
            }),
        }
    }

    /// The CPU; 0 threads is one for each core at hand.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the threads cannot be started.
    pub fn cpu(threads: usize) -> Result<Device> {
        Ok(Device(Arc::new(cpu::Cpu::new(threads)?)))
    }

    /// A device of a backend built by hand.
    pub fn from_backend(backend: impl Backend + 'static) -> Device {
        Device(Arc::new(backend))
    }

    /// Does the host's part of a task, such as decoding, on the threads that the device has: the CPU's own, else
    /// rayon's.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let kind: &dyn Any = self.backend();
        match kind.downcast_ref::<cpu::Cpu>() {
            Some(cpu) => cpu.pool().install(work),
            None => work(),
        }
    }

    /// The processor, for the host's part of a task: this device where it is the CPU, else one thread for each core.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the threads cannot be started.
    pub(crate) fn host(&self) -> Result<cpu::Cpu> {
        let kind: &dyn Any = self.backend();
        kind.downcast_ref::<cpu::Cpu>().map_or_else(|| cpu::Cpu::new(0), |cpu| Ok(cpu.clone()))
    }

    /// What runs here.
    pub fn backend(&self) -> &dyn Backend {
        &*self.0
    }

    /// What the device says of itself.
    pub fn info(&self) -> DeviceInfo {
        self.0.info()
    }
}

impl DeviceInfo {
    /// Whether a GPU's API runs on the processor: right for tests, never chosen by `auto`.
    pub fn is_software(&self) -> bool {
        self.software
    }
}

#[cfg(feature = "cuda")]
fn open_cuda() -> Result<Device> {
    Ok(Device::from_backend(super::cuda::Cuda::new(0)?))
}

#[cfg(not(feature = "cuda"))]
fn open_cuda() -> Result<Device> {
    Err(Error::device("cuda", "this build has no CUDA backend; build with the feature `cuda`"))
}

#[cfg(feature = "wgpu")]
fn open_wgpu() -> Result<Device> {
    Ok(Device::from_backend(super::wgpu::Gpu::new()?))
}

#[cfg(not(feature = "wgpu"))]
fn open_wgpu() -> Result<Device> {
    Err(Error::device("wgpu", "this build has no wgpu backend; build with the feature `wgpu`"))
}

/// Every device this machine has, or why a kind of it has none.
pub fn survey(threads: usize) -> Vec<(DeviceKind, Result<DeviceInfo>)> {
    let one = |kind| (kind, Device::open(kind, threads).map(|device| device.info()));
    [one(DeviceKind::Cpu), one(DeviceKind::Wgpu), one(DeviceKind::Cuda)].into_iter().chain(more_gpus()).collect()
}

/// NVIDIA GPUs besides the first, which CUDA_VISIBLE_DEVICES may put first.
#[cfg(feature = "cuda")]
fn more_gpus() -> Vec<(DeviceKind, Result<DeviceInfo>)> {
    let open = |ordinal| (DeviceKind::Cuda, super::cuda::Cuda::new(ordinal).map(|cuda| Backend::info(&cuda)));
    (1..super::cuda::LibCuda::count().unwrap_or(0)).map(open).collect()
}

#[cfg(not(feature = "cuda"))]
fn more_gpus() -> Vec<(DeviceKind, Result<DeviceInfo>)> {
    Vec::new()
}
