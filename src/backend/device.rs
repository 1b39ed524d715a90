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

/// Which devices to use: one of a kind, or several NVIDIA GPUs.
///
/// As text a kind stands for its first device, `cuda:0,2` for the GPUs of these numbers, `cuda:all` for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    kind: DeviceKind,
    gpus: Gpus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Gpus {
    First,
    All,
    Numbers(Vec<usize>),
}

impl From<DeviceKind> for Devices {
    fn from(kind: DeviceKind) -> Self {
        Devices { kind, gpus: Gpus::First }
    }
}

impl FromStr for Devices {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let Some((kind, which)) = s.split_once(':') else { return Ok(s.parse::<DeviceKind>()?.into()) };
        let wrong = |problem: &str| Err(Error::invalid(format!("device `{s}`"), problem.to_owned()));
        if kind != "cuda" {
            return wrong("only cuda's GPUs have numbers, as cuda:0,2 or cuda:all");
        }
        if which == "all" {
            return Ok(Devices { kind: DeviceKind::Cuda, gpus: Gpus::All });
        }
        let numbers: Result<Vec<usize>, _> = which.split(',').map(str::parse).collect();
        let Ok(numbers) = numbers else { return wrong("expected numbers of GPUs, as cuda:0,2, or cuda:all") };
        if (1..numbers.len()).any(|i| numbers[..i].contains(&numbers[i])) {
            return wrong("names a GPU twice");
        }
        Ok(Devices { kind: DeviceKind::Cuda, gpus: Gpus::Numbers(numbers) })
    }
}

impl Devices {
    /// Whether it may be more than one.
    pub fn are_several(&self) -> bool {
        match &self.gpus {
            Gpus::First => false,
            Gpus::All => true,
            Gpus::Numbers(numbers) => numbers.len() > 1,
        }
    }

    /// Opens them, each with the name that it is chosen by; where it comes to the CPU, the one that `cpu` makes.
    ///
    /// # Errors
    /// As [`Device::open_or`], for the first that cannot be opened, which is named.
    pub fn open_or(&self, cpu: impl FnOnce() -> Result<cpu::Cpu>) -> Result<Vec<(String, Device)>> {
        let numbers = match &self.gpus {
            Gpus::First => {
                let device = Device::open_or(self.kind, cpu)?;
                return Ok(vec![(device.info().kind.to_owned(), device)]);
            }
            Gpus::All => (0..count_cuda()?).collect(),
            Gpus::Numbers(numbers) => numbers.clone(),
        };
        let open = |number: usize| {
            let name = format!("cuda:{number}");
            let device = open_cuda(number).map_err(|error| error.of_device(&name))?;
            Ok((name, device))
        };
        numbers.into_iter().map(open).collect()
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
            DeviceKind::Cuda => open_cuda(0),
            DeviceKind::Auto => open_cuda(0).or_else(|_| match gpu_nodes::may_have_gpu().then(open_wgpu) {
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
fn open_cuda(number: usize) -> Result<Device> {
    Ok(Device::from_backend(super::cuda::Cuda::new(number)?))
}

#[cfg(feature = "cuda")]
fn count_cuda() -> Result<usize> {
    super::cuda::LibCuda::count()
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> Result<Device> {
    Err(without_cuda())
}

#[cfg(not(feature = "cuda"))]
fn count_cuda() -> Result<usize> {
    Err(without_cuda())
}

#[cfg(not(feature = "cuda"))]
fn without_cuda() -> Error {
    Error::device("cuda", "this build has no CUDA backend; build with the feature `cuda`")
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
    (1..count_cuda().unwrap_or(0)).map(open).collect()
}

#[cfg(not(feature = "cuda"))]
fn more_gpus() -> Vec<(DeviceKind, Result<DeviceInfo>)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named() {
        let parse = |s: &str| s.parse::<Devices>().map_err(|error| error.to_string());
        assert_eq!(parse("cpu"), Ok(DeviceKind::Cpu.into()));
        assert_eq!(parse("cuda:1"), Ok(Devices { kind: DeviceKind::Cuda, gpus: Gpus::Numbers(vec![1]) }));
        for (text, several) in [("auto", false), ("cuda:3", false), ("cuda:0,2", true), ("cuda:all", true)] {
            assert_eq!(parse(text).unwrap().are_several(), several, "{text}");
        }
        for (text, words) in [
            ("cuda:", "cuda:0,2"),
            ("cuda:0,,1", "cuda:0,2"),
            ("cuda:-1", "cuda:0,2"),
            ("cuda:2,0,2", "twice"),
            ("wgpu:0", "only cuda"),
            ("tpu", "auto, cpu"),
        ] {
            assert!(parse(text).unwrap_err().contains(words), "{text}");
        }
        let device = Devices::from(DeviceKind::Cpu).open_or(|| cpu::Cpu::new(1)).unwrap();
        assert_eq!((device.len(), device[0].0.as_str()), (1, "cpu"));
    }
}
