//! Values that outlive runs.

use std::sync::Arc;

use super::{Command, GpuModule, Runtime, Wait};
use crate::backend::{Module, States, check_state, check_states};
use crate::{Graph, Precision, Result};

/// States in buffers of their own.
pub(crate) struct GpuStates<R: Runtime> {
    runtime: R,
    lengths: Vec<usize>,
    buffers: Arc<[R::Buffer]>,
}

impl<R: Runtime> GpuStates<R> {
    /// States of these lengths, all zero.
    pub fn new(runtime: R, lengths: &[usize]) -> Result<Self> {
        let zeros = |length: &usize| runtime.zeros("the weights in training", 4 * length);
        let buffers = runtime.scoped(|| lengths.iter().map(zeros).collect())?;
        Ok(GpuStates { runtime, lengths: lengths.to_vec(), buffers })
    }
}

impl<R: Runtime> States for GpuStates<R> {
    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        check_states(&graph, &self.lengths)?;
        Ok(Arc::new(GpuModule::new(self.runtime.clone(), graph, precision, self.buffers.clone())?))
    }

    fn read(&self, slot: usize) -> Result<Vec<f32>> {
        let bytes = 4 * self.lengths[slot];
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let mut staging = self.runtime.scoped(|| {
            let mut staging = self.runtime.staging(0, bytes)?;
            let download = Command::Download { from: self.buffers[slot].clone(), offset: 0, bytes, at: 0 };
            self.runtime.submit(&mut staging, &[download], false)?;
            Ok(staging)
        })?;
        pollster::block_on(self.runtime.finish(&mut staging, Wait::Block))?;
        self.runtime.downloaded(&staging, 0..bytes, bytemuck::pod_collect_to_vec)
    }

    fn write(&self, slot: usize, values: &[f32]) -> Result<()> {
        check_state(slot, self.lengths[slot], values.len())?;
        self.runtime.scoped(|| {
            self.runtime.write(&self.buffers[slot], bytemuck::cast_slice(values))?;
            self.runtime.flush()
        })
    }
}
