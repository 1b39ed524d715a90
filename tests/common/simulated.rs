//! A CUDA device that runs the shipped PTX on the processor: `tools/ptxsim` behind the backend's own driver trait.

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use ptxsim::{Checks, Machine, Options, Profile};
use warpface::backend::cuda::{
    Cuda, Driver, EncodedMap, EventId, GraphId, KernelId, KernelLaunch, MapElement, ModuleId, Properties, Stream,
    TensorMap, Window,
};
use warpface::{Device, Error, Result};

/// A simulated GPU of this compute capability.
pub fn device(capability: (u32, u32)) -> Device {
    let driver = Simulated::new(capability);
    Device::from_backend(Cuda::with_driver(Arc::new(driver), None).expect("a capability with kernels"))
}

/// The simulator as a driver: everything is done at once, in order.
pub struct Simulated {
    machine: Machine,
    properties: Properties,
    modules: Mutex<Vec<Arc<ptxsim::Module>>>,
    kernels: Mutex<Vec<(Arc<ptxsim::Module>, String)>>,
    graphs: Mutex<HashMap<u64, Vec<Work>>>,
    capture: Mutex<Option<Vec<Work>>>,
    /// Bytes of each allocation that lives.
    live: Mutex<HashMap<u64, usize>>,
    allocations: AtomicUsize,
    failing: AtomicBool,
    events: AtomicU64,
    counter: Option<Counter>,
}

/// Counts what launches ask of a GPU, step by step of a plan.
#[derive(Default)]
struct Counter {
    /// Launches and events in their order.
    seen: Mutex<Vec<Seen>>,
    /// Launches between the two events of each step that was timed.
    steps: Mutex<Vec<Vec<Counted>>>,
    /// Whether some blocks stand for the others.
    samples: bool,
}

enum Seen {
    Event(EventId),
    Launch(Box<Counted>),
}

/// What a launch asked for.
#[derive(Clone)]
pub struct Counted {
    /// The PTX file of its kernel.
    pub file: String,
    /// The counts.
    pub profile: Profile,
}

/// What a captured graph does again.
#[derive(Clone)]
enum Work {
    Launch(KernelLaunch),
    Upload { to: u64, from: usize, bytes: usize },
    Download { to: usize, from: u64, bytes: usize },
    Copy { to: u64, from: u64, bytes: usize },
    Clear { address: u64, bytes: usize },
}

fn fault(fault: impl std::fmt::Display) -> Error {
    Error::device("ptxsim", fault.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulated {
    pub fn new(capability: (u32, u32)) -> Simulated {
        let properties = Properties {
            name: format!("ptxsim {}.{}", capability.0, capability.1),
            capability,
            memory: 8 << 30,
            driver: "ptxsim".to_owned(),
            multiprocessors: 2,
            l2: 0,
        };
        let machine = Machine::new(Options { capability, ..Options::default() });
        let (modules, kernels, graphs, capture, live, allocations, failing, events) = Default::default();
        let counter = None;
        Simulated {
            machine,
            properties,
            modules,
            kernels,
            graphs,
            capture,
            live,
            allocations,
            failing,
            events,
            counter,
        }
    }

    /// A device that counts what each launch asks for, and checks nothing else: a graph's own tests do.
    /// With `samples` some blocks of a launch stand for the others, and results are of no use.
    pub fn counting(capability: (u32, u32), samples: bool) -> Simulated {
        let machine = Machine::new(Options { capability, checks: Checks::NONE, ..Options::default() });
        let counter = Some(Counter { samples, ..Counter::default() });
        Simulated { machine, counter, ..Simulated::new(capability) }
    }

    /// The launches of each step of the plan that was last profiled ([`warpface::backend::Executable::profile`]).
    pub fn take_steps(&self) -> Vec<Vec<Counted>> {
        let counter = self.counter.as_ref().expect("a device that counts");
        lock(&counter.seen).clear();
        std::mem::take(&mut lock(&counter.steps))
    }

    /// The device with this many bytes of memory.
    pub fn with_memory(mut self, bytes: u64) -> Simulated {
        self.properties.memory = bytes;
        self
    }

    /// Allocations so far.
    pub fn allocations(&self) -> usize {
        self.allocations.load(Relaxed)
    }

    /// Bytes allocated now.
    pub fn held(&self) -> usize {
        lock(&self.live).values().sum()
    }

    /// Captures so far.
    pub fn captures(&self) -> usize {
        lock(&self.graphs).len()
    }

    /// Lets launches fail from now on, or succeed.
    pub fn fail_launches(&self, failing: bool) {
        self.failing.store(failing, Relaxed);
    }

    /// Does it, or notes it down while work is captured.
    fn submit(&self, work: Work) -> Result<()> {
        match &mut *lock(&self.capture) {
            Some(captured) => captured.push(work),
            None => return self.work(&work),
        }
        Ok(())
    }

    fn work(&self, work: &Work) -> Result<()> {
        match work {
            Work::Launch(_) if self.failing.load(Relaxed) => Err(fault("launches fail, as asked")),
            Work::Launch(launch) => {
                let (module, entry) = lock(&self.kernels)[launch.kernel.0 as usize].clone();
                let KernelLaunch { grid, block, shared, args, .. } = launch;
                let launch = ptxsim::Launch { grid: *grid, block: *block, shared: *shared, args };
                let Some(counter) = &self.counter else {
                    return self.machine.launch(&module, &entry, &launch).map(|_| ()).map_err(fault);
                };
                let profile = match counter.samples {
                    true => self.machine.profile_sample(&module, &entry, &launch),
                    false => self.machine.profile(&module, &entry, &launch),
                };
                let profile = profile.map_err(fault)?;
                lock(&counter.seen).push(Seen::Launch(Box::new(Counted { file: module.name.clone(), profile })));
                Ok(())
            }
            &Work::Upload { to, from, bytes } => {
                // SAFETY: the trait's caller leaves the memory alone and alive until the work is done.
                let from = unsafe { std::slice::from_raw_parts(from as *const u8, bytes) };
                self.machine.write(to, from).map_err(fault)
            }
            &Work::Download { to, from, bytes } => {
                // SAFETY: as above.
                let to = unsafe { std::slice::from_raw_parts_mut(to as *mut u8, bytes) };
                self.machine.read(from, to).map_err(fault)
            }
            &Work::Copy { to, from, bytes } => self.machine.copy(to, from, bytes).map_err(fault),
            &Work::Clear { address, bytes } => self.machine.fill(address, 0, bytes / 4).map_err(fault),
        }
    }
}

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.properties.name)
    }
}

impl Driver for Simulated {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn load(&self, name: &str, ptx: &str) -> Result<ModuleId> {
        let module = ptxsim::Module::parse(name, ptx).map_err(fault)?;
        let mut modules = lock(&self.modules);
        modules.push(Arc::new(module));
        Ok(ModuleId(modules.len() as u64 - 1))
    }

    fn kernel(&self, module: ModuleId, entry: &str, _: u32) -> Result<KernelId> {
        let module = lock(&self.modules)[module.0 as usize].clone();
        module.entry(entry).ok_or_else(|| fault(format!("no kernel {entry}")))?;
        let mut kernels = lock(&self.kernels);
        kernels.push((module, entry.to_owned()));
        Ok(KernelId(kernels.len() as u64 - 1))
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        let free = self.properties.memory - self.held() as u64;
        if bytes as u64 > free {
            let (device, what) = (self.properties.name.clone(), "memory".to_owned());
            return Err(Error::OutOfMemory { device, what, asked: bytes as u64, free });
        }
        let address = self.machine.alloc(bytes).map_err(fault)?;
        lock(&self.live).insert(address, bytes);
        self.allocations.fetch_add(1, Relaxed);
        Ok(address)
    }

    fn release(&self, address: u64) {
        lock(&self.live).remove(&address);
        self.machine.free(address).expect("memory is given back once");
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<NonNull<u8>> {
        let words = vec![0u128; bytes.div_ceil(16)].into_boxed_slice();
        Ok(NonNull::new(Box::into_raw(words).cast()).expect("a box"))
    }

    unsafe fn release_pinned(&self, address: NonNull<u8>, bytes: usize) {
        let words = std::ptr::slice_from_raw_parts_mut(address.as_ptr().cast::<u128>(), bytes.div_ceil(16));
        // SAFETY: made by `allocate_pinned` with as many bytes, as the caller promises.
        drop(unsafe { Box::from_raw(words) });
    }

    fn write(&self, to: u64, from: &[u8]) -> Result<()> {
        assert!(lock(&self.capture).is_none(), "a write is not captured");
        self.machine.write(to, from).map_err(fault)
    }

    unsafe fn upload(&self, _: Stream, to: u64, from: &[u8]) -> Result<()> {
        self.submit(Work::Upload { to, from: from.as_ptr() as usize, bytes: from.len() })
    }

    unsafe fn download(&self, _: Stream, to: &mut [u8], from: u64) -> Result<()> {
        self.submit(Work::Download { to: to.as_mut_ptr() as usize, from, bytes: to.len() })
    }

    fn copy(&self, _: Stream, to: u64, from: u64, bytes: usize) -> Result<()> {
        self.submit(Work::Copy { to, from, bytes })
    }

    fn clear(&self, _: Stream, address: u64, bytes: usize) -> Result<()> {
        self.submit(Work::Clear { address, bytes })
    }

    fn launch(&self, launch: &KernelLaunch) -> Result<()> {
        self.submit(Work::Launch(launch.clone()))
    }

    fn event(&self) -> Result<EventId> {
        Ok(EventId(self.events.fetch_add(1, Relaxed)))
    }

    fn release_event(&self, _: EventId) {}

    fn record(&self, event: EventId, _: Stream) -> Result<()> {
        if let Some(counter) = &self.counter {
            lock(&counter.seen).push(Seen::Event(event));
        }
        Ok(())
    }

    fn wait(&self, _: Stream, _: EventId) -> Result<()> {
        Ok(())
    }

    fn reach(&self, _: EventId) -> Result<()> {
        Ok(())
    }

    fn reached(&self, _: EventId) -> Result<bool> {
        Ok(true)
    }

    fn elapsed(&self, from: EventId, to: EventId) -> Result<u64> {
        if let Some(counter) = &self.counter {
            let seen = lock(&counter.seen);
            let at = |event| seen.iter().rposition(|seen| matches!(seen, Seen::Event(found) if *found == event));
            let (from, to) = (at(from).expect("recorded"), at(to).expect("recorded"));
            let launches = seen[from..to].iter().filter_map(|seen| match seen {
                Seen::Launch(counted) => Some((**counted).clone()),
                Seen::Event(_) => None,
            });
            lock(&counter.steps).push(launches.collect());
        }
        // Nothing is timed here: a simulated second is none.
        Ok(1)
    }

    fn begin_capture(&self) -> Result<()> {
        assert!(lock(&self.capture).replace(Vec::new()).is_none(), "captures do not nest");
        Ok(())
    }

    fn end_capture(&self) -> Result<GraphId> {
        let work = lock(&self.capture).take().expect("a capture has begun");
        let mut graphs = lock(&self.graphs);
        let id = graphs.len() as u64;
        graphs.insert(id, work);
        Ok(GraphId(id))
    }

    fn replay(&self, graph: GraphId) -> Result<()> {
        let work = lock(&self.graphs)[&graph.0].clone();
        work.iter().try_for_each(|work| self.work(work))
    }

    fn release_graph(&self, graph: GraphId) {
        // Its number stays taken.
        lock(&self.graphs).insert(graph.0, Vec::new());
    }

    fn synchronize(&self, _: Stream) -> Result<()> {
        Ok(())
    }

    fn encode(&self, map: &TensorMap) -> Result<EncodedMap> {
        use ptxsim::model::swizzle::Swizzle;
        use ptxsim::model::tensor_map::{DataType, Tensor, encode_im2col, encode_tiled};
        let data_type = match map.element {
            MapElement::F16 => DataType::F16,
            MapElement::Bf16 => DataType::BF16,
            MapElement::F32 => DataType::F32,
        };
        let swizzle = match map.swizzle {
            32 => Swizzle::B32,
            64 => Swizzle::B64,
            _ => Swizzle::B128,
        };
        let (address, dims, strides) = (map.address, &map.dims, &map.strides);
        let tensor = |element_strides| Tensor { data_type, address, dims, strides, element_strides, swizzle };
        let encoded = match &map.window {
            Window::Tiled(extents) => encode_tiled(tensor(&vec![1; dims.len()]), extents),
            Window::Im2col { lower, upper, channels, pixels, stride } => {
                encode_im2col(tensor(&[1, stride[0], stride[1], 1]), [lower, upper], *channels, *pixels)
            }
        };
        let bytes = encoded.map_err(fault)?;
        Ok(std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|j| bytes[8 * i + j]))))
    }
}
