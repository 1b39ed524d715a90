//! The cascade's submissions: bindings and parameters made anew for each, one command buffer.

use std::sync::Arc;

use wgpu::BufferUsages as Usage;

use super::device::PARAMS_SLOT;
use super::executable::map;
use super::launch::{Launch, Prepared};
use super::{Gpu, GpuModule};
use crate::backend::cascade::{Engine, Item};
use crate::backend::kernels::Tuning;
use crate::{Error, Graph, Plan, Result};

/// Parameters of one submission's launches, and what the host reads.
#[derive(Default)]
pub struct Scratch {
    params: Option<wgpu::Buffer>,
    readback: Option<wgpu::Buffer>,
}

/// The buffer, grown to at least so many bytes.
fn grown(gpu: &Gpu, buffer: &mut Option<wgpu::Buffer>, name: &str, bytes: u64, usage: Usage) -> Result<wgpu::Buffer> {
    match buffer {
        Some(buffer) if buffer.size() >= bytes => Ok(buffer.clone()),
        _ => Ok(buffer.insert(gpu.buffer(name, bytes, usage | Usage::COPY_DST)?).clone()),
    }
}

impl Engine for Gpu {
    type Buffer = wgpu::Buffer;
    type Module = GpuModule;
    type Prepared = Prepared;
    type Net = Vec<Launch>;
    type Scratch = Scratch;

    fn tuning(&self) -> Tuning {
        Gpu::tuning(self)
    }

    fn error(&self, problem: &str) -> Error {
        Gpu::error(self, problem)
    }

    fn scoped<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        Gpu::scoped(self, work)
    }

    fn load(&self, graph: Arc<Graph>) -> Result<GpuModule> {
        GpuModule::new(self.clone(), graph, std::sync::Arc::new([]))
    }

    fn graph(module: &GpuModule) -> &Arc<Graph> {
        module.graph()
    }

    fn buffer(&self, name: &str, bytes: usize, counted: bool) -> Result<wgpu::Buffer> {
        let usage = if counted { Usage::STORAGE | Usage::COPY_SRC } else { Usage::STORAGE };
        Gpu::buffer(self, name, bytes as u64, usage | Usage::COPY_DST)
    }

    fn bytes(buffer: &wgpu::Buffer) -> usize {
        buffer.size() as usize
    }

    fn write(&self, buffer: &wgpu::Buffer, bytes: &[u8]) -> Result<()> {
        self.queue().write_buffer(buffer, 0, bytes);
        Ok(())
    }

    fn prepare(&self, module: &GpuModule, plan: &Plan) -> Result<(Prepared, usize)> {
        let prepared = Prepared::new(module, plan)?;
        let elements = prepared.arena;
        Ok((prepared, elements))
    }

    fn arena(&self, elements: usize) -> Result<wgpu::Buffer> {
        self.check_binding("the arena", 4 * elements as u64)?;
        Gpu::buffer(self, "arena", 4 * elements as u64, Usage::STORAGE)
    }

    fn bind(&self, module: &GpuModule, plan: &Plan, prepared: Prepared, arena: &wgpu::Buffer) -> Result<Vec<Launch>> {
        prepared.bind(module, plan, arena)
    }

    fn submit(
        &self,
        scratch: &mut Scratch,
        items: &[Item<Gpu>],
        cleared: &[&wgpu::Buffer],
        reads: &[(&wgpu::Buffer, usize)],
    ) -> Result<Vec<u32>> {
        let mut params = Vec::new();
        for item in items {
            let Item::Launch(launch) = item else { continue };
            let slot = params.len();
            params.extend_from_slice(&launch.params);
            params.resize(slot + PARAMS_SLOT as usize, 0);
        }
        let uniforms = grown(self, &mut scratch.params, "parameters", params.len() as u64, Usage::UNIFORM)?;
        let words: usize = reads.iter().map(|(_, count)| count).sum();
        let size = 4 * (words as u64).next_multiple_of(2).max(2);
        let readback = grown(self, &mut scratch.readback, "readback", size, Usage::MAP_READ)?;
        self.queue().write_buffer(&uniforms, 0, &params);

        let mut slots = (0..).step_by(PARAMS_SLOT as usize);
        let mut bound = Vec::with_capacity(items.len());
        for item in items {
            bound.push(match item {
                Item::Launch(launch) => Some(Launch::new(
                    self,
                    (launch.stem, launch.entry),
                    (&uniforms, slots.next().expect("as many as launches")),
                    &launch.buffers,
                    launch.groups,
                )?),
                Item::Net(_) => None,
            });
        }
        let mut encoder = self.device().create_command_encoder(&Default::default());
        cleared.iter().for_each(|buffer| encoder.clear_buffer(buffer, 0, None));
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for (item, launch) in items.iter().zip(&bound) {
            match item {
                Item::Launch(_) => launch.iter().for_each(|launch| launch.record(&mut pass)),
                Item::Net(net) => net.bound.iter().for_each(|launch| launch.record(&mut pass)),
            }
        }
        drop(pass);
        let mut at = 0;
        for &(buffer, count) in reads.iter().filter(|(_, count)| *count > 0) {
            encoder.copy_buffer_to_buffer(buffer, 0, &readback, 4 * at as u64, 4 * count as u64);
            at += count;
        }
        self.queue().submit([encoder.finish()]);
        map(self, &readback, wgpu::MapMode::Read)?;
        let range = readback.slice(..size).get_mapped_range().map_err(|error| Gpu::error(self, error))?;
        let mut read: Vec<u32> = bytemuck::pod_collect_to_vec(&range);
        drop(range);
        readback.unmap();
        read.truncate(words);
        Ok(read)
    }
}
