//! The detection cascade: pyramid, P-Net, R-Net, O-Net, and what stands between them.
//!
//! On the CPU photographs run side by side, each through all three networks; on a GPU they go through them together, in
//! ragged batches that stay on the device.

mod candidates;
mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod gpu;
mod pyramid;

use std::any::Any;

pub use cpu::CpuCascade;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub use gpu::params_layouts;

use super::{DetectOptions, Face};
use crate::backend::{Backend, Device, Pending, cpu::Cpu};
use crate::image::Rgb8;
use crate::models::Mtcnn;
use crate::{Error, Result};
use candidates::Proposal;
use pyramid::{Level, levels};

/// The detection cascade on one device.
pub trait Cascade: Send + Sync {
    /// The faces of each photograph, in the original's order. Photographs may be of any sizes; what is found in one
    /// does not depend on the others.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails or a photograph does not fit its memory.
    fn detect(&self, images: &[&Rgb8]) -> Result<Vec<Vec<Face>>>;

    /// As [`Cascade::detect`], without blocking where the device need not: a browser cannot.
    fn detect_async<'a>(&'a self, images: &'a [&'a Rgb8]) -> Pending<'a, Result<Vec<Vec<Face>>>> {
        Box::pin(std::future::ready(self.detect(images)))
    }
}

/// The cascade of these networks on a device.
///
/// # Errors
/// [`Error::Device`] if the device cannot take the networks, or is of a kind that no cascade was written for.
pub(super) fn open(device: &Device, networks: &Mtcnn, options: &DetectOptions) -> Result<Box<dyn Cascade>> {
    let backend: &dyn Backend = device.backend();
    let kind: &dyn Any = backend;
    if let Some(cpu) = kind.downcast_ref::<Cpu>() {
        return Ok(Box::new(CpuCascade::new(cpu.clone(), networks, options)?));
    }
    #[cfg(feature = "wgpu")]
    if let Some(gpu) = kind.downcast_ref::<crate::backend::wgpu::Gpu>() {
        return Ok(Box::new(gpu::GpuCascade::new(gpu.clone(), networks, options)?));
    }
    #[cfg(feature = "cuda")]
    if let Some(gpu) = kind.downcast_ref::<crate::backend::cuda::Cuda>() {
        return Ok(Box::new(gpu::GpuCascade::new(gpu.clone(), networks, options)?));
    }
    Err(Error::device(backend.info().kind, "there is no detection cascade for this backend; open a device by its kind"))
}
