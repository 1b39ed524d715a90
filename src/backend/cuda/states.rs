//! Values that outlive runs.

use std::sync::Arc;

use super::driver::{Memory, Stream};
use super::{Cuda, CudaModule};
use crate::Precision;
use crate::backend::{Module, States, check_state, check_states};
use crate::{Graph, Result};

/// States in allocations of their own.
pub struct CudaStates {
    cuda: Cuda,
    lengths: Vec<usize>,
    memory: Arc<[Memory]>,
}

impl CudaStates {
    pub(super) fn new(cuda: Cuda, lengths: &[usize]) -> Result<Self> {
        let zeros = |length: &usize| {
            let memory = cuda.memory("the weights in training", 4 * length)?;
            cuda.driver().clear(Stream::Compute, memory.address(), memory.bytes())?;
            Ok(memory)
        };
        let memory = lengths.iter().map(zeros).collect::<Result<_>>()?;
        cuda.driver().synchronize(Stream::Compute)?;
        Ok(CudaStates { cuda, lengths: lengths.to_vec(), memory })
    }
}

impl States for CudaStates {
    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        check_states(&graph, &self.lengths)?;
        Ok(Arc::new(CudaModule::new(self.cuda.clone(), graph, precision, self.memory.clone())?))
    }

    fn read(&self, slot: usize) -> Result<Vec<f32>> {
        let mut values = vec![0.0f32; self.lengths[slot]];
        if !values.is_empty() {
            let driver = self.cuda.driver();
            let to = bytemuck::cast_slice_mut(&mut values);
            // SAFETY: waited for before anybody else sees the values; after a failure nothing works on the device.
            unsafe { driver.download(Stream::Compute, to, self.memory[slot].address())? };
            driver.synchronize(Stream::Compute)?;
        }
        Ok(values)
    }

    fn write(&self, slot: usize, values: &[f32]) -> Result<()> {
        check_state(slot, self.lengths[slot], values.len())?;
        self.memory[slot].write(bytemuck::cast_slice(values))
    }
}
