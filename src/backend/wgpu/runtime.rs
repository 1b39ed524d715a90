//! WebGPU as the device trait: storage buffers, one command buffer a submission, timestamps.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wgpu::BufferUsages as Usage;

use super::Gpu;
use super::launch::{self, BoundDispatch};
use super::staging::Staging;
use crate::backend::gpu::{Command, Dispatch, Runtime, Wait};
use crate::backend::kernels::Tuning;
use crate::{Error, Precision, Result};

/// Queries that a query set holds at most.
const MAX_QUERIES: usize = 4096;

impl Runtime for Gpu {
    type Buffer = wgpu::Buffer;
    type Launch = BoundDispatch;
    type Parameters = Option<wgpu::Buffer>;
    type Staging = Staging;

    fn tuning(&self, _: Precision) -> Tuning {
        Gpu::tuning(self)
    }

    fn check_precision(&self, precision: Precision) -> Result<()> {
        crate::backend::only_f32("wgpu", precision)
    }

    fn error(&self, problem: &str) -> Error {
        Gpu::error(self, problem)
    }

    fn scoped<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        Gpu::scoped(self, work)
    }

    fn allocate(&self, what: &str, bytes: usize) -> Result<wgpu::Buffer> {
        self.buffer(what, bytes as u64, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST)
    }

    /// New buffers hold zeros.
    fn zeros(&self, what: &str, bytes: usize) -> Result<wgpu::Buffer> {
        self.allocate(what, bytes)
    }

    fn bytes(buffer: &wgpu::Buffer) -> usize {
        buffer.size() as usize
    }

    fn check_argument(&self, what: &str, bytes: usize) -> Result<()> {
        self.check_binding(what, bytes as u64)
    }

    fn write(&self, buffer: &wgpu::Buffer, bytes: &[u8]) -> Result<()> {
        if !bytes.is_empty() {
            self.queue().write_buffer(buffer, 0, bytes);
        }
        Ok(())
    }

    /// What is queued goes with the next submission: this one.
    fn flush(&self) -> Result<()> {
        self.queue().submit([]);
        if cfg!(target_arch = "wasm32") { Ok(()) } else { self.wait() }
    }

    fn bind(&self, dispatches: &[Dispatch<Gpu>], parameters: &mut Option<wgpu::Buffer>) -> Result<Vec<BoundDispatch>> {
        launch::bind(self, dispatches, parameters)
    }

    fn staging(&self, upload: usize, download: usize) -> Result<Staging> {
        Staging::new(self, upload, download)
    }

    fn fill(&self, staging: &mut Staging, at: usize, bytes: &[u8]) -> Result<()> {
        staging.fill(self, at, bytes)
    }

    fn uploaded(staging: &Staging) -> &wgpu::Buffer {
        &staging.upload.buffer
    }

    fn submit(&self, staging: &mut Staging, commands: &[Command<Gpu>], _: bool) -> Result<()> {
        staging.upload.unmap();
        staging.download.unmap();
        let mut encoder = self.device().create_command_encoder(&Default::default());
        encode(&mut encoder, staging, commands);
        self.queue().submit([encoder.finish()]);
        Ok(())
    }

    async fn finish(&self, staging: &mut Staging, wait: Wait) -> Result<()> {
        let signals = staging.map(self);
        if wait == Wait::Block {
            self.wait()?;
        }
        for signal in signals {
            signal.await?;
        }
        staging.is_host();
        Ok(())
    }

    fn downloaded<T>(&self, staging: &Staging, range: Range<usize>, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let slice = staging.download.buffer.slice(range.start as u64..range.end as u64);
        Ok(read(&slice.get_mapped_range().map_err(|error| Gpu::error(self, error))?))
    }

    fn time(
        &self,
        staging: &mut Staging,
        before: &[Command<Gpu>],
        steps: &[Vec<Arc<BoundDispatch>>],
    ) -> Result<Vec<Duration>> {
        let times = self.scoped(|| {
            self.submit(staging, before, false)?;
            match self.has_timestamps() && (1..=MAX_QUERIES / 2).contains(&steps.len()) {
                true => self.time_by_timestamps(steps),
                false => steps.iter().map(|step| self.time_by_clock(step)).collect(),
            }
        })?;
        pollster::block_on(self.finish(staging, Wait::Block))?;
        Ok(times)
    }
}

/// Records commands: launches that follow each other share a pass.
fn encode(encoder: &mut wgpu::CommandEncoder, staging: &Staging, commands: &[Command<Gpu>]) {
    let is_launch = |command: &Command<Gpu>| matches!(command, Command::Launch(_));
    for alike in commands.chunk_by(|a, b| is_launch(a) && is_launch(b)) {
        match &alike[0] {
            Command::Launch(_) => {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for command in alike {
                    let Command::Launch(launch) = command else { continue };
                    launch.record(&mut pass);
                }
            }
            Command::Upload { at, to, offset, bytes } => {
                let from = &staging.upload.buffer;
                encoder.copy_buffer_to_buffer(from, *at as u64, to, *offset as u64, *bytes as u64);
            }
            Command::Download { from, offset, bytes, at } => {
                let to = &staging.download.buffer;
                encoder.copy_buffer_to_buffer(from, *offset as u64, to, *at as u64, *bytes as u64);
            }
            Command::Clear(buffer) => encoder.clear_buffer(buffer, 0, None),
        }
    }
}

impl Gpu {
    /// Times each step by its own pass's timestamps.
    fn time_by_timestamps(&self, steps: &[Vec<Arc<BoundDispatch>>]) -> Result<Vec<Duration>> {
        let count = 2 * steps.len() as u32;
        let bytes = 8 * u64::from(count);
        let queries = self.device().create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("steps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let resolved = self.buffer("timestamps", bytes, Usage::QUERY_RESOLVE | Usage::COPY_SRC)?;
        let mut staging = Staging::new(self, 0, bytes as usize)?;
        let mut encoder = self.device().create_command_encoder(&Default::default());
        for (step, launches) in (0..).step_by(2).zip(steps) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(step),
                    end_of_pass_write_index: Some(step + 1),
                }),
            });
            launches.iter().for_each(|launch| launch.record(&mut pass));
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging.download.buffer, 0, bytes);
        self.queue().submit([encoder.finish()]);
        pollster::block_on(self.finish(&mut staging, Wait::Block))?;
        let nanoseconds = f64::from(self.queue().get_timestamp_period());
        let time = |pair: &[u64]| Duration::from_nanos((pair[1].saturating_sub(pair[0]) as f64 * nanoseconds) as u64);
        self.downloaded(&staging, 0..bytes as usize, |read| {
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(read);
            ticks.chunks_exact(2).map(time).collect()
        })
    }

    /// Times a step by a submission of its own, waiting included.
    fn time_by_clock(&self, launches: &[Arc<BoundDispatch>]) -> Result<Duration> {
        let mut encoder = self.device().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        launches.iter().for_each(|launch| launch.record(&mut pass));
        drop(pass);
        let start = Instant::now();
        self.queue().submit([encoder.finish()]);
        self.wait()?;
        Ok(start.elapsed())
    }
}
