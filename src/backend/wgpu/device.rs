//! The device: how it is opened, what it can, its pipelines, and its errors as ours.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::shaders::source;
use crate::backend::DeviceInfo;
use crate::backend::kernels::{Dialect, Tuning};
use crate::error::{Field, message};
use crate::{Error, Result};

/// A GPU with Vulkan. Cheap to clone; clones share the device.
#[derive(Clone)]
pub struct Gpu(Arc<Context>);

struct Context {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    tuning: Tuning,
    pipelines: Mutex<HashMap<PipelineKey, Arc<Pipeline>>>,
    accesses: Mutex<HashMap<&'static str, Arc<[Access]>>>,
    /// What stands for arguments that are not given: one that is read, one that is written.
    nothing: [wgpu::Buffer; 2],
    /// Why the device is lost, once it is; and errors that no scope caught.
    failure: Arc<Mutex<Option<String>>>,
}

/// Which pipeline: a shader, its entry point, and whether all its storage is bound for writing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PipelineKey {
    stem: &'static str,
    entry: Cow<'static, str>,
    all_writable: bool,
}

/// A compiled entry point.
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// The API that shaders go through.
const API: &str = if cfg!(target_arch = "wasm32") { "WebGPU" } else { "Vulkan" };

/// Bytes of one call's parameters in a uniform buffer: the strictest alignment of dynamic offsets.
pub(super) const PARAMS_SLOT: u64 = 256;

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({})", self.0.info.name)
    }
}

/// Bytes that stand for an argument that is not given or holds nothing: any device's alignment of offsets.
pub(super) const NOTHING: u64 = 256;
/// The most arguments of a launch: what every browser binds.
const MOST_ARGUMENTS: u64 = 10;

impl Gpu {
    /// Opens the best adapter with Vulkan: a real GPU before software. A browser cannot wait for one, see [`Gpu::open`].
    ///
    /// # Errors
    /// [`Error::Device`] says what is missing and what to do.
    pub fn new() -> Result<Gpu> {
        if cfg!(target_arch = "wasm32") {
            return Err(Error::device("wgpu", "a browser cannot block; open the device with `Gpu::open`"));
        }
        pollster::block_on(Gpu::open())
    }

    /// As [`Gpu::new`], without blocking; in a browser its own adapter.
    ///
    /// # Errors
    /// As [`Gpu::new`].
    pub async fn open() -> Result<Gpu> {
        let backends = match cfg!(target_arch = "wasm32") {
            true => wgpu::Backends::BROWSER_WEBGPU,
            false => wgpu::Backends::VULKAN,
        };
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            flags: wgpu::InstanceFlags::empty(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|reason| {
            let problem = match cfg!(target_arch = "wasm32") {
                true => format!("no {API} adapter: {reason}; use a browser with WebGPU, and allow it").into(),
                false => message![
                    format!(
                        "no {API} adapter: {reason}; install the GPU's Vulkan driver and the loader (libvulkan1), or \
                         software Vulkan (mesa-vulkan-drivers), or use "
                    ),
                    Field("device"),
                    " cpu"
                ],
            };
            Error::device("wgpu", problem)
        })?;
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("warpface"),
            required_features: adapter.features() & wgpu::Features::TIMESTAMP_QUERY,
            required_limits: limits.clone(),
            ..Default::default()
        };
        let opened = adapter.request_device(&descriptor).await;
        let (device, queue) =
            opened.map_err(|reason| Error::device("wgpu", format!("{}: cannot be opened: {reason}", info.name)))?;
        let failure = Arc::new(Mutex::new(None));
        let (lost, uncaught) = (failure.clone(), failure.clone());
        let note = |to: &Mutex<Option<String>>, what: String| {
            to.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
        };
        device.set_device_lost_callback(move |_, message| note(&lost, format!("the device is lost: {message}")));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| note(&uncaught, explain(&error))));
        let tuning = Tuning {
            dialect: match info.device_type {
                wgpu::DeviceType::Cpu => Dialect::SoftwareShader,
                _ => Dialect::Shader,
            },
            max_groups: limits.max_compute_workgroups_per_dimension,
        };
        let nothing = ["nothing to read", "nothing to write"].map(|label| {
            let size = NOTHING * MOST_ARGUMENTS;
            let usage = wgpu::BufferUsages::STORAGE;
            let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
            device.create_buffer(&descriptor)
        });
        let (pipelines, accesses) = Default::default();
        Ok(Gpu(Arc::new(Context { device, queue, info, limits, tuning, pipelines, accesses, nothing, failure })))
    }

    pub(super) fn describe(&self) -> DeviceInfo {
        let (info, limits) = (&self.0.info, &self.0.limits);
        let kind = match info.device_type {
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Other => "other",
        };
        let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
        let facts = [
            ("type", kind.to_owned()),
            ("buffer", mib(limits.max_buffer_size)),
            ("storage binding", mib(limits.max_storage_buffer_binding_size)),
            ("workgroup memory", format!("{} KiB", limits.max_compute_workgroup_storage_size >> 10)),
            ("timestamps", if self.has_timestamps() { "yes" } else { "no" }.to_owned()),
        ];
        DeviceInfo {
            kind: "wgpu",
            name: info.name.clone(),
            driver: format!("{API}, {} {}", info.driver, info.driver_info).trim_end().to_owned(),
            // Vulkan's heaps are not told through this API.
            memory: None,
            software: info.device_type == wgpu::DeviceType::Cpu,
            limits: facts.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    pub(super) fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    pub(super) fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    pub(super) fn tuning(&self) -> Tuning {
        self.0.tuning
    }

    pub(super) fn has_timestamps(&self) -> bool {
        self.0.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// An error of this device.
    pub(super) fn error(&self, problem: impl fmt::Display) -> Error {
        Error::device("wgpu", format!("{}: {problem}", self.0.info.name))
    }

    /// Does something with the device, and gives its error if there was one.
    pub(super) fn scoped<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.check()?;
        if cfg!(target_arch = "wasm32") {
            // There scopes can only be waited for: what goes wrong is told to `on_uncaptured_error`, and by the next check.
            return work();
        }
        let filters = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.0.device.push_error_scope(filter));
        let result = work();
        let mut caught = None;
        for scope in scopes.into_iter().rev() {
            caught = caught.or(pollster::block_on(scope.pop()));
        }
        self.check()?;
        match caught {
            Some(error) => Err(self.error(explain(&error))),
            None => result,
        }
    }

    fn check(&self) -> Result<()> {
        match &*self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(self.error(failure)),
            None => Ok(()),
        }
    }

    /// A buffer of at least 256 bytes.
    pub(super) fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let size = bytes.next_multiple_of(256).max(256);
        let most = self.0.limits.max_buffer_size;
        if size > most {
            let problem = format!("{label} needs {} MiB in one buffer, the device allows {}", size >> 20, most >> 20);
            return Err(self.error(format!("{problem}; use a smaller batch or smaller photographs")));
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        Ok(self.0.device.create_buffer(&descriptor))
    }

    /// What stands for an argument that is not given or holds nothing, the launch's `at`-th: a buffer, and where in it [`NOTHING`] bytes are this
    /// argument's. WebGPU refuses two writable bindings of the same bytes, whether a shader touches them or not.
    pub(super) fn nothing(&self, access: Access, at: usize) -> (&wgpu::Buffer, u64) {
        (&self.0.nothing[usize::from(access == Access::ReadWrite)], at as u64 * NOTHING)
    }

    /// Bytes that one buffer may have and a binding may show.
    pub(super) fn most_bound(&self) -> u64 {
        self.0.limits.max_storage_buffer_binding_size.min(self.0.limits.max_buffer_size)
    }

    /// Checks that a binding is not too large for the device.
    pub(super) fn check_binding(&self, what: &str, bytes: u64) -> Result<()> {
        let most = self.0.limits.max_storage_buffer_binding_size;
        if bytes <= most {
            return Ok(());
        }
        let problem = format!("{what} takes {} MiB, the device binds at most {}", bytes >> 20, most >> 20);
        Err(self.error(format!("{problem}; use a smaller batch")))
    }

    /// Waits for everything submitted; a browser cannot.
    pub(super) fn wait(&self) -> Result<()> {
        if cfg!(target_arch = "wasm32") {
            return Err(self.error("a browser cannot block; use the asynchronous form of this call"));
        }
        self.0.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| self.error(error))?;
        self.check()
    }

    /// How a shader uses its bindings 1, 2, ..
    pub(super) fn accesses(&self, stem: &'static str) -> Arc<[Access]> {
        let mut accesses = self.0.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        let declared = || bindings(&source(stem)).skip(1).map(|(_, access)| access).collect();
        accesses.entry(stem).or_insert_with(declared).clone()
    }

    /// The pipeline of a shader's entry point, compiled when first asked for. `all_writable` binds constants for
    /// writing as well: WebGPU allows a buffer one kind of use at a time, and constants may be values of the arena.
    pub(super) fn pipeline(
        &self,
        stem: &'static str,
        entry: Cow<'static, str>,
        all_writable: bool,
    ) -> Result<Arc<Pipeline>> {
        let key = PipelineKey { stem, entry, all_writable };
        let mut pipelines = self.0.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(self.scoped(|| Ok(self.compile(&key)))?);
        pipelines.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    fn compile(&self, key: &PipelineKey) -> Pipeline {
        let source = source(key.stem);
        let source = if key.all_writable { source.replace("<storage, read>", "<storage, read_write>") } else { source };
        let label = Some(&*key.entry);
        let entries: Vec<_> = bindings(&source).map(|(binding, access)| layout_entry(binding, access)).collect();
        let descriptor = wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(source.into()) };
        let unchecked = wgpu::ShaderRuntimeChecks::unchecked();
        let device = &self.0.device;
        // SAFETY: the shaders are this crate's own: they index within the ranges that plans bind, divide by extents
        // that shape rules keep above zero, and their loops end.
        let module = unsafe { device.create_shader_module_trusted(descriptor, unchecked) };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(&key.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: self.constants(key.stem),
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }
}

impl Gpu {
    /// Where software wants other workgroups than a GPU: barriers among more threads than a vector has lanes are slow.
    fn constants(&self, stem: &str) -> &'static [(&'static str, f64)] {
        if self.0.tuning.software() && stem == "cascade/suppress" { &[("LANES", 8.0)] } else { &[] }
    }
}

/// How a shader uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Uniform,
    Read,
    ReadWrite,
}

/// The bindings that a shader declares, in order, as its text says.
pub(super) fn bindings(source: &str) -> impl Iterator<Item = (u32, Access)> {
    source.lines().filter_map(|line| {
        let (binding, rest) = line.strip_prefix("@group(0) @binding(")?.split_once(')')?;
        let access = if rest.contains("<uniform>") {
            Access::Uniform
        } else if rest.contains("<storage, read>") {
            Access::Read
        } else {
            Access::ReadWrite
        };
        Some((binding.parse().ok()?, access))
    })
}

fn layout_entry(binding: u32, access: Access) -> wgpu::BindGroupLayoutEntry {
    let ty = match access {
        Access::Uniform => wgpu::BufferBindingType::Uniform,
        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: access == Access::Uniform, min_binding_size: None },
        count: None,
    }
}

fn explain(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => {
            "out of memory; use a smaller batch, or close what else uses the device".to_owned()
        }
        wgpu::Error::Validation { description, .. } => format!("refused a command (a bug of warpface): {description}"),
        wgpu::Error::Internal { description, .. } => format!("failed: {description}"),
    }
}
