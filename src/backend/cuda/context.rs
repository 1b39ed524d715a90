//! A CUDA device: its driver, the kernels loaded from the shipped PTX, and what the choice of kernels depends on.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::driver::{self, DeviceMemory, Driver, KernelId, KernelLaunch, ModuleId};
use super::target::{self, Target};
use crate::Precision;
use crate::backend::DeviceInfo;
use crate::backend::kernels::{Dialect, TensorCores, Tuning};
use crate::error::{Field, Message, message};
use crate::{Error, Result};

/// An NVIDIA GPU. Cheap to clone; clones share the device.
#[derive(Clone)]
pub struct Cuda(Arc<Context>);

struct Context {
    driver: Arc<dyn Driver>,
    target: Target,
    modules: Mutex<HashMap<(&'static str, Target), ModuleId>>,
    kernels: Mutex<HashMap<(&'static str, String, u32), Kernel>>,
}

/// A loaded kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    pub id: KernelId,
    pub block: [u32; 3],
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({}, {})", self.driver().properties().name, self.0.target)
    }
}

impl Cuda {
    /// The GPU with this number, through its driver. `WARPFACE_CUDA_TARGET` may name an earlier target than the device's
    /// best, for comparison: `compute_75`, `compute_80`.
    ///
    /// # Errors
    /// [`Error::Device`] says what is missing, too old or not supported, and what to do; [`Error::Invalid`] if the
    /// variable names no target.
    pub fn new(ordinal: usize) -> Result<Cuda> {
        let most = match std::env::var("WARPFACE_CUDA_TARGET") {
            Err(_) => None,
            Ok(name) => {
                let named = Target::ALL.into_iter().find(|target| target.name() == name);
                let problem = || format!("`{name}` is none of compute_75, compute_80 and sm_90a");
                Some(named.ok_or_else(|| Error::invalid("WARPFACE_CUDA_TARGET", problem()))?)
            }
        };
        Cuda::with_driver(Arc::new(super::libcuda::LibCuda::open(ordinal)?), most)
    }

    /// A device of any driver; `most` bounds the target that its kernels are taken from.
    ///
    /// # Errors
    /// [`Error::Device`] if there are no kernels for the device.
    pub fn with_driver(driver: Arc<dyn Driver>, most: Option<Target>) -> Result<Cuda> {
        let (major, minor) = driver.properties().capability;
        let target = Target::of((major, minor)).ok_or_else(|| {
            let problem = format!("compute capability {major}.{minor} is below 7.5, for which there are no kernels");
            let device = Field("device");
            driver::error(&*driver, message![format!("{problem}; use "), device, " wgpu or ", device, " cpu"])
        })?;
        let target = most.map_or(target, |most| target.min(most));
        let (modules, kernels) = Default::default();
        Ok(Cuda(Arc::new(Context { driver, target, modules, kernels })))
    }

    /// The driver.
    pub fn driver(&self) -> &Arc<dyn Driver> {
        &self.0.driver
    }

    /// Where kernels are taken from: this target, or the best before it that a file has.
    pub fn target(&self) -> Target {
        self.0.target
    }

    pub(super) fn describe(&self) -> DeviceInfo {
        let properties = self.driver().properties();
        let (major, minor) = properties.capability;
        let facts = [
            ("compute capability", format!("{major}.{minor}")),
            ("kernels", self.0.target.to_string()),
            ("multiprocessors", properties.multiprocessors.to_string()),
            ("L2 cache", format!("{} MiB", properties.l2 >> 20)),
        ];
        DeviceInfo {
            kind: "cuda",
            name: properties.name.clone(),
            driver: properties.driver.clone(),
            memory: Some(properties.memory),
            software: false,
            limits: facts.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    /// An error of this device.
    pub(super) fn error(&self, problem: impl Into<Message>) -> Error {
        driver::error(&**self.driver(), problem)
    }

    /// Which kernels a graph of this precision takes.
    pub(super) fn tuning(&self, precision: Precision) -> Tuning {
        let units = match (precision, self.0.target) {
            (Precision::F32, _) => TensorCores::None,
            (Precision::F16 | Precision::Bf16, Target::Sm90a) => TensorCores::Wgmma,
            _ => TensorCores::Mma,
        };
        // Blocks in x; as many as fit a signed integer.
        Tuning { dialect: Dialect::Cuda(units), max_groups: i32::MAX as u32 }
    }

    /// Whether the device multiplies in this precision.
    pub(super) fn has(&self, precision: Precision) -> Result<()> {
        let oldest = match precision {
            Precision::F32 | Precision::F16 => Target::Compute75,
            Precision::Tf32 | Precision::Bf16 => Target::Compute80,
        };
        if self.0.target >= oldest {
            return Ok(());
        }
        let (name, lacks) = (Field("precision"), format!("{precision} needs compute capability 8.0; use "));
        Err(self.error(message![lacks, name, " f16 or ", name, " f32"]))
    }

    /// Memory of the device.
    pub(super) fn memory(&self, what: &str, bytes: usize) -> Result<DeviceMemory> {
        DeviceMemory::new(self.driver(), bytes).map_err(|error| match error {
            Error::OutOfMemory { device, asked, free, .. } => {
                Error::OutOfMemory { device, what: what.to_owned(), asked, free }
            }
            other => other,
        })
    }

    /// A kernel of a file of `kernels/`, loaded when first asked for.
    pub(super) fn kernel(&self, stem: &'static str, entry: &str, shared: u32) -> Result<Kernel> {
        let key = (stem, entry.to_owned(), shared);
        let mut kernels = self.0.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = kernels.get(&key) {
            return Ok(*kernel);
        }
        let found = target::texts(stem).and_then(|texts| target::best(texts, entry, self.0.target));
        let (of, ptx, block) =
            found.ok_or_else(|| self.error(format!("there is no kernel {entry} for {}", self.0.target)))?;
        let kernel = Kernel { id: self.driver().kernel(self.module(stem, of, ptx)?, entry, shared)?, block };
        kernels.insert(key, kernel);
        Ok(kernel)
    }

    fn module(&self, stem: &'static str, target: Target, ptx: &str) -> Result<ModuleId> {
        let mut modules = self.0.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&(stem, target)) {
            return Ok(*module);
        }
        let module = self.driver().load(&format!("{stem}.{target}.ptx"), ptx)?;
        modules.insert((stem, target), module);
        Ok(module)
    }

    /// A launch of a kernel with these parameters, and operands at these addresses.
    pub(super) fn launch(
        &self,
        kernel: Kernel,
        params: &[u8],
        operands: &[Arg],
        grid: [u32; 3],
        shared: u32,
    ) -> KernelLaunch {
        let mut args = params.to_vec();
        for operand in operands {
            let (align, bytes): (usize, &[u8]) = match operand {
                Arg::Address(address) => (8, bytemuck::bytes_of(address)),
                Arg::Map(map) => (64, bytemuck::cast_slice(map.as_slice())),
            };
            args.resize(args.len().next_multiple_of(align), 0);
            args.extend_from_slice(bytes);
        }
        KernelLaunch { kernel: kernel.id, grid, block: kernel.block, shared, args }
    }
}

/// An operand of a kernel.
pub(super) enum Arg {
    /// Where it begins; 0 if it is absent.
    Address(u64),
    /// How TMA finds it.
    Map(Box<driver::EncodedMap>),
}
