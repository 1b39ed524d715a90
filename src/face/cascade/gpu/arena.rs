//! One arena for all plans of the three networks: they run one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::gpu::{Bound, GpuModule, Prepared, Runtime};
use crate::{Plan, Result, Shape};

/// Plans kept for jobs of different sizes.
const PLANS: usize = 512;

/// A network at one size, bound to the arena.
pub(super) struct Net<R: Runtime> {
    /// What runs.
    pub bound: Bound<R>,
    /// Where its input begins in the arena, in elements.
    pub input: usize,
    /// Where its outputs begin.
    pub outputs: Vec<usize>,
}

/// Which network (its graph's address) at which size.
type Key = (usize, [usize; 4]);

/// The arena and the plans bound to it.
pub(super) struct Arena<R: Runtime> {
    buffer: Option<R::Buffer>,
    elements: usize,
    nets: HashMap<Key, Arc<Net<R>>>,
}

impl<R: Runtime> Default for Arena<R> {
    fn default() -> Self {
        Arena { buffer: None, elements: 0, nets: HashMap::new() }
    }
}

impl<R: Runtime> Arena<R> {
    /// A network at each of these sizes. The arena grows as the largest needs.
    pub fn nets(&mut self, module: &GpuModule<R>, shapes: &[[usize; 4]]) -> Result<Vec<Arc<Net<R>>>> {
        if self.nets.len() > PLANS {
            self.nets.clear();
        }
        let key = |shape: [usize; 4]| (Arc::as_ptr(module.graph()) as usize, shape);
        let mut new: HashMap<Key, (Plan, Prepared)> = HashMap::new();
        let mut needed = 0;
        for &shape in shapes {
            if !self.nets.contains_key(&key(shape)) && !new.contains_key(&key(shape)) {
                let plan = Plan::new(module.graph().clone(), &[Shape::from(shape)])?;
                let prepared = Prepared::new(module, &plan)?;
                needed = needed.max(prepared.arena);
                new.insert(key(shape), (plan, prepared));
            }
        }
        if needed > self.elements || self.buffer.is_none() {
            self.nets.clear();
            self.buffer = None;
            // Padding crops are computed as well: zeros keep them from reading uninitialised memory.
            module.runtime().check_argument("the arena", 4 * needed)?;
            self.buffer = Some(module.runtime().zeros("the arena", 4 * needed)?);
            self.elements = needed;
            // What was bound to the old arena is planned anew.
            return self.nets(module, shapes);
        }
        for (key, (plan, prepared)) in new {
            let bound = prepared.bind(module, &plan, self.buffer())?;
            let outputs = plan.outputs.iter().map(|view| view.offset).collect();
            self.nets.insert(key, Arc::new(Net { bound, input: plan.inputs[0].offset, outputs }));
        }
        Ok(shapes.iter().map(|&shape| self.nets[&key(shape)].clone()).collect())
    }

    /// The arena; [`Arena::nets`] has made it.
    pub fn buffer(&self) -> &R::Buffer {
        self.buffer.as_ref().expect("made by the first plans")
    }
}
