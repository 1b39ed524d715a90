//! Host memory that a submission uploads from and downloads to, and the future that it is the host's again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use wgpu::BufferUsages as Usage;

use super::Gpu;
use crate::Result;

/// Two buffers that the host maps: one to write, one to read.
pub(crate) struct Staging {
    pub(super) upload: Mapped,
    pub(super) download: Mapped,
}

/// A buffer, and whether it is the host's at the moment.
pub(super) struct Mapped {
    pub buffer: wgpu::Buffer,
    is_mapped: bool,
    /// Whether it was asked for, and not given to the device since.
    is_asked_for: bool,
    /// Whether it has bytes to move.
    is_used: bool,
    mode: wgpu::MapMode,
}

impl Mapped {
    fn new(gpu: &Gpu, name: &str, bytes: usize, mode: wgpu::MapMode) -> Result<Mapped> {
        let usage = match mode {
            wgpu::MapMode::Write => Usage::MAP_WRITE | Usage::COPY_SRC,
            wgpu::MapMode::Read => Usage::MAP_READ | Usage::COPY_DST,
        };
        Ok(Mapped {
            buffer: gpu.buffer(name, bytes as u64, usage)?,
            is_mapped: false,
            is_asked_for: false,
            is_used: bytes > 0,
            mode,
        })
    }

    /// Gives it to the device.
    pub fn unmap(&mut self) {
        self.is_mapped = false;
        if std::mem::take(&mut self.is_asked_for) {
            self.buffer.unmap();
        }
    }

    /// Asks for it back.
    fn map(&mut self, gpu: &Gpu) -> Option<Signal> {
        if !self.is_used || self.is_asked_for {
            return None;
        }
        self.is_asked_for = true;
        let (signal, done) = Signal::new(gpu);
        self.buffer.map_async(self.mode, .., move |result| done.set(result.map_err(|error| error.to_string())));
        Some(signal)
    }
}

impl Staging {
    pub fn new(gpu: &Gpu, upload: usize, download: usize) -> Result<Staging> {
        Ok(Staging {
            upload: Mapped::new(gpu, "upload", upload, wgpu::MapMode::Write)?,
            download: Mapped::new(gpu, "download", download, wgpu::MapMode::Read)?,
        })
    }

    /// Writes to the upload buffer. If a failed run has left it with the device, another takes its place.
    pub fn fill(&mut self, gpu: &Gpu, at: usize, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.upload.is_mapped {
            let size = self.upload.buffer.size();
            let usage = Usage::MAP_WRITE | Usage::COPY_SRC;
            let descriptor = wgpu::BufferDescriptor { label: Some("upload"), size, usage, mapped_at_creation: true };
            self.upload.buffer = gpu.device().create_buffer(&descriptor);
            (self.upload.is_mapped, self.upload.is_asked_for) = (true, true);
        }
        let range = at as u64..(at + bytes.len()) as u64;
        let view = self.upload.buffer.slice(range).get_mapped_range_mut();
        view.map_err(|error| gpu.error(error))?.copy_from_slice(bytes);
        Ok(())
    }

    /// Notes that all futures of [`Staging::map`] have ended.
    pub fn is_host(&mut self) {
        for buffer in [&mut self.upload, &mut self.download] {
            buffer.is_mapped = buffer.is_asked_for;
        }
    }

    /// Futures that end when the buffers in use are the host's again.
    pub(super) fn map(&mut self, gpu: &Gpu) -> Vec<Signal> {
        [&mut self.upload, &mut self.download].into_iter().filter_map(|buffer| buffer.map(gpu)).collect()
    }
}

/// What a callback of the device has told, and whom to wake.
#[derive(Default)]
struct Told {
    result: Option<Result<(), String>>,
    waker: Option<Waker>,
}

/// The device's half of a [`Signal`].
struct Done(Arc<Mutex<Told>>);

impl Done {
    fn set(self, result: Result<(), String>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.result = Some(result);
        told.waker.take().into_iter().for_each(Waker::wake);
    }
}

/// Ends when the device calls back. Outside a browser somebody must ask the device for that, so whoever polls does.
pub(super) struct Signal {
    gpu: Gpu,
    told: Arc<Mutex<Told>>,
}

impl Signal {
    fn new(gpu: &Gpu) -> (Signal, Done) {
        let told = Arc::<Mutex<Told>>::default();
        (Signal { gpu: gpu.clone(), told: told.clone() }, Done(told))
    }
}

impl Future for Signal {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let in_browser = cfg!(target_arch = "wasm32");
        if !in_browser && let Err(error) = self.gpu.device().poll(wgpu::PollType::Poll) {
            return Poll::Ready(Err(self.gpu.error(error)));
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told.result.take() {
            Some(result) => Poll::Ready(result.map_err(|problem| self.gpu.error(problem))),
            None => {
                match in_browser {
                    true => told.waker = Some(context.waker().clone()),
                    false => context.waker().wake_by_ref(),
                }
                Poll::Pending
            }
        }
    }
}
