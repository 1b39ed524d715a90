//! Values that outlive runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::aligned::Aligned;
use super::{Cpu, CpuModule};
use crate::Precision;
use crate::backend::{Module, States, check_state, check_states, needs_cuda};
use crate::{Graph, Result};

/// States in host memory. Whoever runs on them has them to itself meanwhile.
#[derive(Clone)]
pub struct CpuStates {
    cpu: Cpu,
    lengths: Vec<usize>,
    memory: Arc<Mutex<Vec<Aligned>>>,
}

impl CpuStates {
    pub(super) fn new(cpu: Cpu, lengths: &[usize]) -> Self {
        let memory = lengths.iter().map(|&length| Aligned::zeros(length)).collect();
        CpuStates { cpu, lengths: lengths.to_vec(), memory: Arc::new(Mutex::new(memory)) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Aligned>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl States for CpuStates {
    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        if precision != Precision::F32 {
            return Err(needs_cuda("cpu", "trains in f32 alone", precision));
        }
        check_states(&graph, &self.lengths)?;
        Ok(Arc::new(CpuModule::new(self.cpu.clone(), graph, precision, Some(self.clone()))?))
    }

    fn read(&self, slot: usize) -> Result<Vec<f32>> {
        Ok(self.lock()[slot].to_vec())
    }

    fn write(&self, slot: usize, values: &[f32]) -> Result<()> {
        check_state(slot, self.lengths[slot], values.len())?;
        self.lock()[slot].copy_from_slice(values);
        Ok(())
    }
}
