//! Devices: one for each name in a process, unless another is asked for; a closed one, and one from before a fork, are refused.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use pyo3::prelude::*;
use warpface::backend::Devices;
use warpface::backend::cpu::{ConvAlgorithm, Cpu};
use warpface::{Error, Result};

use crate::errors::Raise;

/// An open device, and whether it may still be used.
pub struct Handle {
    device: warpface::Device,
    process: u32,
    closed: AtomicBool,
    /// Nanoseconds that calls have spent in the library.
    busy: AtomicU64,
}

impl Handle {
    fn open(name: &str, threads: usize, conv: ConvAlgorithm) -> Result<Arc<Handle>> {
        let named: Devices = name.parse()?;
        if named.are_several() {
            return Err(Error::invalid(format!("device `{name}`"), "one is expected here, as cuda:0"));
        }
        let (_, device) = named.open_or(|| Ok(Cpu::new(threads)?.conv(conv)))?.swap_remove(0);
        Ok(Arc::new(Handle { device, process: process::id(), closed: AtomicBool::new(false), busy: AtomicU64::new(0) }))
    }

    /// Refuses a device that was closed, and one whose threads a fork has left behind.
    fn problem(&self) -> Option<&'static str> {
        if self.closed.load(Ordering::Relaxed) {
            return Some("was closed; open it anew");
        }
        let forked = self.process != process::id();
        forked.then_some(
            "was opened before this process was forked, and its threads stayed with the parent: open it anew here, or \
             start workers by `spawn`",
        )
    }

    /// The device, if it may be used.
    pub fn device(&self) -> Result<&warpface::Device> {
        match self.problem() {
            None => Ok(&self.device),
            Some(problem) => Err(Error::device(self.device.info().kind, problem)),
        }
    }

    /// Does a call's work, if the device may be used, and counts its time.
    pub fn work<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        self.device()?;
        let start = Instant::now();
        let result = work();
        self.busy.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        result
    }
}

/// What names a device that is shared.
type Key = (String, usize, String);

/// The devices that are shared in this process, for as long as something uses them.
static SHARED: Mutex<Vec<(Key, Weak<Handle>)>> = Mutex::new(Vec::new());

fn shared(name: &str, threads: usize, conv: ConvAlgorithm) -> Result<Arc<Handle>> {
    let key = (name.to_owned(), threads, conv.to_string());
    let mut open = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, handle)| handle.upgrade().is_some_and(|handle| handle.problem().is_none()));
    if let Some(handle) = open.iter().find(|(of, _)| *of == key).and_then(|(_, handle)| handle.upgrade()) {
        return Ok(handle);
    }
    let handle = Handle::open(name, threads, conv)?;
    open.push((key, Arc::downgrade(&handle)));
    Ok(handle)
}

/// A device that runs networks: `cpu`, `wgpu`, `cuda`, `cuda:N`, or `auto`.
#[pyclass(frozen, module = "warpface")]
pub struct Device {
    handle: Arc<Handle>,
}

impl Device {
    /// What detectors and embedders hold.
    pub fn handle(&self) -> Arc<Handle> {
        self.handle.clone()
    }
}

#[pymethods]
impl Device {
    /// Opens a device of its own, or with `share` the one that this process has open under these names.
    #[new]
    #[pyo3(signature = (name = "cpu", threads = 0, conv = "auto", share = false))]
    fn new(py: Python<'_>, name: &str, threads: usize, conv: &str, share: bool) -> PyResult<Self> {
        let handle = py.detach(|| {
            let conv = conv.parse()?;
            if share { shared(name, threads, conv) } else { Handle::open(name, threads, conv) }
        });
        Ok(Device { handle: handle.raise(py)? })
    }

    /// `cpu`, `wgpu` or `cuda`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.handle.device.info().kind
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.closed.load(Ordering::Relaxed)
    }

    /// Seconds that detectors and embedders on it have spent in the library, apart from Python.
    #[getter]
    fn busy(&self) -> f64 {
        self.handle.busy.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// Refuses all further work on it.
    fn close(&self) {
        self.handle.closed.store(true, Ordering::Relaxed);
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.close();
    }

    fn __repr__(&self) -> String {
        format!("<warpface.Device {}>", self.handle.device)
    }
}
