//! Values that outlive runs.

use std::sync::Arc;

use super::executable::map;
use super::{Gpu, GpuModule};
use crate::Precision;
use crate::backend::Backend;
use crate::backend::{Module, States, check_state, check_states};
use crate::{Graph, Result};

/// States in buffers of their own.
pub struct GpuStates {
    gpu: Gpu,
    lengths: Vec<usize>,
    buffers: Arc<[wgpu::Buffer]>,
}

impl GpuStates {
    pub(super) fn new(gpu: Gpu, lengths: &[usize]) -> Result<Self> {
        use wgpu::BufferUsages as Usage;
        let usage = Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST;
        // New buffers hold zeros.
        let buffers = gpu.scoped(|| lengths.iter().map(|n| gpu.buffer("a state", 4 * *n as u64, usage)).collect())?;
        Ok(GpuStates { gpu, lengths: lengths.to_vec(), buffers })
    }
}

impl States for GpuStates {
    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        Backend::check(&self.gpu, precision)?;
        check_states(&graph, &self.lengths)?;
        Ok(Arc::new(GpuModule::new(self.gpu.clone(), graph, self.buffers.clone())?))
    }

    fn read(&self, slot: usize) -> Result<Vec<f32>> {
        let bytes = 4 * self.lengths[slot] as u64;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        self.gpu.scoped(|| {
            use wgpu::BufferUsages as Usage;
            let readback = self.gpu.buffer("readback of a state", bytes, Usage::MAP_READ | Usage::COPY_DST)?;
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&self.buffers[slot], 0, &readback, 0, bytes);
            self.gpu.queue().submit([encoder.finish()]);
            map(&self.gpu, &readback, wgpu::MapMode::Read)?;
            let range = readback.slice(..bytes).get_mapped_range().map_err(|error| self.gpu.error(error))?;
            Ok(bytemuck::pod_collect_to_vec(&range))
        })
    }

    fn write(&self, slot: usize, values: &[f32]) -> Result<()> {
        check_state(slot, self.lengths[slot], values.len())?;
        self.gpu.scoped(|| {
            if !values.is_empty() {
                self.gpu.queue().write_buffer(&self.buffers[slot], 0, bytemuck::cast_slice(values));
            }
            // What is queued goes with the next submission: this one, so that its memory is free again.
            self.gpu.queue().submit([]);
            self.gpu.wait()
        })
    }
}
