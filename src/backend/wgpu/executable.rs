//! A planned graph on the device.

use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::launch::{Launch, Prepared};
use super::{Gpu, GpuModule};
use crate::backend::{Executable, check_inputs};
use crate::graph::{Region, Source, View};
use crate::{Plan, Result, Shape};

/// A planned graph on the device, with an arena of its own. Runs are one after the other.
pub struct GpuExecutable {
    module: GpuModule,
    plan: Plan,
    launches: Vec<Launch>,
    arena: wgpu::Buffer,
    staging: Mutex<Staging>,
}

/// How values go to the device and back.
struct Staging {
    /// Mapped for writing while no run is under way.
    upload: wgpu::Buffer,
    readback: wgpu::Buffer,
    upload_is_mapped: bool,
}

impl GpuExecutable {
    pub(super) fn new(module: GpuModule, inputs: &[Shape]) -> Result<Self> {
        let gpu = module.gpu().clone();
        let plan = Plan::new(module.graph().clone(), inputs)?;
        gpu.scoped(|| {
            use wgpu::BufferUsages as Usage;
            let prepared = Prepared::new(&module, &plan)?;
            let usage = Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST;
            let arena = gpu.buffer("arena", 4 * prepared.arena as u64, usage)?;
            let launches = prepared.bind(&module, &plan, &arena)?;
            let upload = gpu.buffer("upload", bytes(&plan.inputs), Usage::MAP_WRITE | Usage::COPY_SRC)?;
            let readback = gpu.buffer("readback", bytes(&plan.outputs), Usage::MAP_READ | Usage::COPY_DST)?;
            let staging = Mutex::new(Staging { upload, readback, upload_is_mapped: false });
            Ok(GpuExecutable { module: module.clone(), plan: plan.clone(), launches, arena, staging })
        })
    }

    fn gpu(&self) -> &Gpu {
        self.module.gpu()
    }

    /// Copies inputs in, records what `body` records, copies outputs out, submits it all at once, and waits.
    fn submit(&self, inputs: &[&[f32]], body: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<Vec<Vec<f32>>> {
        check_inputs(&self.plan, inputs)?;
        let mut staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        self.gpu().scoped(|| {
            if !staging.upload_is_mapped {
                map(self.gpu(), &staging.upload, wgpu::MapMode::Write)?;
            }
            staging.upload_is_mapped = false;
            let mut encoder = self.gpu().device().create_command_encoder(&Default::default());
            let mut at = 0;
            for (view, input) in self.plan.inputs.iter().zip(inputs).filter(|(_, input)| !input.is_empty()) {
                let bytes: &[u8] = bytemuck::cast_slice(input);
                let size = bytes.len() as u64;
                let mut range = staging
                    .upload
                    .slice(at..at + size)
                    .get_mapped_range_mut()
                    .map_err(|error| self.gpu().error(error))?;
                range.copy_from_slice(bytes);
                drop(range);
                encoder.copy_buffer_to_buffer(&staging.upload, at, &self.arena, 4 * view.offset as u64, size);
                at += size.next_multiple_of(8);
            }
            staging.upload.unmap();
            body(&mut encoder);
            let mut at = 0;
            for view in &self.plan.outputs {
                let size = 4 * view.shape.elements() as u64;
                let from = match view.region {
                    Region::Arena => Some(&self.arena),
                    Region::State(slot) => Some(self.module.state(slot)),
                    Region::Param(_) => None,
                };
                if let Some(from) = from.filter(|_| size > 0) {
                    encoder.copy_buffer_to_buffer(from, 4 * view.offset as u64, &staging.readback, at, size);
                }
                at += size.next_multiple_of(8);
            }
            self.gpu().queue().submit([encoder.finish()]);
            map_both(self.gpu(), &staging.upload, &staging.readback)?;
            staging.upload_is_mapped = true;
            let outputs = self.read(&staging.readback);
            staging.readback.unmap();
            outputs
        })
    }

    fn read(&self, readback: &wgpu::Buffer) -> Result<Vec<Vec<f32>>> {
        let mut at = 0;
        let mut outputs = Vec::with_capacity(self.plan.outputs.len());
        for view in &self.plan.outputs {
            let size = 4 * view.shape.elements() as u64;
            outputs.push(match view.region {
                Region::Param(id) => match &self.plan.graph.nodes()[id.index()].source {
                    Source::Param(value) => value.data().to_vec(),
                    _ => unreachable!("the planner names parameters only"),
                },
                Region::Arena | Region::State(_) if size == 0 => Vec::new(),
                Region::Arena | Region::State(_) => {
                    let range =
                        readback.slice(at..at + size).get_mapped_range().map_err(|error| self.gpu().error(error))?;
                    bytemuck::pod_collect_to_vec(&range)
                }
            });
            at += size.next_multiple_of(8);
        }
        Ok(outputs)
    }

    /// Times each step by its own pass's timestamps.
    fn profile_by_timestamps(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        use wgpu::BufferUsages as Usage;
        let gpu = self.gpu();
        let count = 2 * self.plan.steps.len() as u32;
        let (queries, resolved, readback) = gpu.scoped(|| {
            let queries = gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("steps"),
                ty: wgpu::QueryType::Timestamp,
                count,
            });
            let resolved = gpu.buffer("timestamps", 8 * u64::from(count), Usage::QUERY_RESOLVE | Usage::COPY_SRC)?;
            let readback = gpu.buffer("timestamps", 8 * u64::from(count), Usage::MAP_READ | Usage::COPY_DST)?;
            Ok((queries, resolved, readback))
        })?;
        self.submit(inputs, |encoder| {
            for step in 0..self.plan.steps.len() {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                        query_set: &queries,
                        beginning_of_pass_write_index: Some(2 * step as u32),
                        end_of_pass_write_index: Some(2 * step as u32 + 1),
                    }),
                });
                self.launches.iter().filter(|launch| launch.step == step).for_each(|launch| launch.record(&mut pass));
            }
            encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
            encoder.copy_buffer_to_buffer(&resolved, 0, &readback, 0, 8 * u64::from(count));
        })?;
        gpu.scoped(|| {
            map(gpu, &readback, wgpu::MapMode::Read)?;
            let range = readback.slice(..8 * u64::from(count)).get_mapped_range().map_err(|error| gpu.error(error))?;
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&range);
            let nanoseconds = f64::from(gpu.queue().get_timestamp_period());
            let time = |pair: &[u64]| pair[1].saturating_sub(pair[0]) as f64 * nanoseconds;
            Ok(ticks.chunks_exact(2).map(|pair| Duration::from_nanos(time(pair) as u64)).collect())
        })
    }

    /// Times each step by a submission of its own, waiting included.
    fn profile_by_submissions(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        // The inputs are brought by a run without steps; what it reads back is not used.
        self.submit(inputs, |_| ())?;
        let gpu = self.gpu();
        let time = |step: usize| {
            gpu.scoped(|| {
                let mut encoder = gpu.device().create_command_encoder(&Default::default());
                let mut pass = encoder.begin_compute_pass(&Default::default());
                self.launches.iter().filter(|launch| launch.step == step).for_each(|launch| launch.record(&mut pass));
                drop(pass);
                let start = Instant::now();
                gpu.queue().submit([encoder.finish()]);
                gpu.wait()?;
                Ok(start.elapsed())
            })
        };
        (0..self.plan.steps.len()).map(time).collect()
    }
}

impl Executable for GpuExecutable {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        self.submit(inputs, |encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            self.launches.iter().for_each(|launch| launch.record(&mut pass));
        })
    }

    fn profile(&self, inputs: &[&[f32]]) -> Result<Vec<Duration>> {
        // A query set holds at most 4,096 queries.
        if self.gpu().has_timestamps() && (1..=2048).contains(&self.plan.steps.len()) {
            self.profile_by_timestamps(inputs)
        } else {
            self.profile_by_submissions(inputs)
        }
    }
}

/// Bytes of views side by side, each starting at a multiple of 8: the alignment of mapped ranges.
fn bytes(views: &[View]) -> u64 {
    views.iter().map(|view| (4 * view.shape.elements() as u64).next_multiple_of(8)).sum()
}

/// Maps a buffer and waits for it.
pub(super) fn map(gpu: &Gpu, buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    buffer.map_async(mode, .., move |result| drop(sender.send(result)));
    gpu.wait()?;
    mapped(gpu, &receiver)
}

/// Maps what was read back, and the upload buffer for the next run, in one wait.
fn map_both(gpu: &Gpu, upload: &wgpu::Buffer, readback: &wgpu::Buffer) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    let other = sender.clone();
    upload.map_async(wgpu::MapMode::Write, .., move |result| drop(sender.send(result)));
    readback.map_async(wgpu::MapMode::Read, .., move |result| drop(other.send(result)));
    gpu.wait()?;
    mapped(gpu, &receiver)?;
    mapped(gpu, &receiver)
}

fn mapped(gpu: &Gpu, receiver: &mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>) -> Result<()> {
    match receiver.try_recv() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(gpu.error(error)),
        Err(error) => Err(gpu.error(format!("a buffer was not mapped: {error}"))),
    }
}
