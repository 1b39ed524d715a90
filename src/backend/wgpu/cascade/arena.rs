//! One arena for all plans of the three networks: they run one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::GpuModule;
use super::super::launch::{Launch, Prepared};
use crate::{Plan, Result, Shape};

/// Plans kept for jobs of different sizes.
const PLANS: usize = 512;

/// A network at one size, bound to the arena.
pub(super) struct Net {
    pub launches: Vec<Launch>,
    /// Where its input begins in the arena, in elements.
    pub input: usize,
    /// Where its outputs begin.
    pub outputs: Vec<usize>,
}

/// Which network (its graph's address) at which size.
type Key = (usize, [usize; 4]);

/// The arena and the plans bound to it.
#[derive(Default)]
pub(super) struct Arena {
    buffer: Option<wgpu::Buffer>,
    elements: usize,
    nets: HashMap<Key, Arc<Net>>,
}

impl Arena {
    /// A network at each of these sizes. The arena grows as the largest needs.
    pub fn nets(&mut self, module: &GpuModule, shapes: &[[usize; 4]]) -> Result<Vec<Arc<Net>>> {
        if self.nets.len() > PLANS {
            self.nets.clear();
        }
        let key = |shape: [usize; 4]| (Arc::as_ptr(module.graph()) as usize, shape);
        let mut new: HashMap<Key, (Plan, Prepared)> = HashMap::new();
        for &shape in shapes {
            if !self.nets.contains_key(&key(shape)) && !new.contains_key(&key(shape)) {
                let plan = Plan::new(module.graph().clone(), &[Shape::from(shape)])?;
                let prepared = Prepared::new(module, &plan)?;
                new.insert(key(shape), (plan, prepared));
            }
        }
        let needed = new.values().map(|(_, prepared)| prepared.arena).max().unwrap_or(0);
        if needed > self.elements || self.buffer.is_none() {
            let gpu = module.gpu();
            gpu.check_binding("the arena", 4 * needed as u64)?;
            self.nets.clear();
            self.buffer = None;
            self.buffer = Some(gpu.buffer("arena", 4 * needed as u64, wgpu::BufferUsages::STORAGE)?);
            self.elements = needed;
            // What was bound to the old arena is planned anew.
            return self.nets(module, shapes);
        }
        for (key, (plan, prepared)) in new {
            let launches = prepared.bind(module, &plan, self.buffer())?;
            let outputs = plan.outputs.iter().map(|view| view.offset).collect();
            self.nets.insert(key, Arc::new(Net { launches, input: plan.inputs[0].offset, outputs }));
        }
        Ok(shapes.iter().map(|&shape| self.nets[&key(shape)].clone()).collect())
    }

    /// The arena; [`Arena::nets`] has made it.
    pub fn buffer(&self) -> &wgpu::Buffer {
        self.buffer.as_ref().expect("made by the first plans")
    }
}
