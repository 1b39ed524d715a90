//! One arena for all plans of the three networks: they run one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use super::Engine;
use crate::{Plan, Result, Shape};

/// Plans kept for jobs of different sizes.
const PLANS: usize = 512;

/// A network at one size, bound to the arena.
pub(in crate::backend) struct Net<E: Engine> {
    /// What runs.
    pub bound: E::Net,
    /// Where its input begins in the arena, in elements.
    pub input: usize,
    /// Where its outputs begin.
    pub outputs: Vec<usize>,
}

/// Which network (its graph's address) at which size.
type Key = (usize, [usize; 4]);

/// The arena and the plans bound to it.
pub(super) struct Arena<E: Engine> {
    buffer: Option<E::Buffer>,
    elements: usize,
    nets: HashMap<Key, Arc<Net<E>>>,
}

impl<E: Engine> Default for Arena<E> {
    fn default() -> Self {
        Arena { buffer: None, elements: 0, nets: HashMap::new() }
    }
}

impl<E: Engine> Arena<E> {
    /// A network at each of these sizes. The arena grows as the largest needs.
    pub fn nets(&mut self, gpu: &E, module: &E::Module, shapes: &[[usize; 4]]) -> Result<Vec<Arc<Net<E>>>> {
        if self.nets.len() > PLANS {
            self.nets.clear();
        }
        let key = |shape: [usize; 4]| (Arc::as_ptr(E::graph(module)) as usize, shape);
        let mut new: HashMap<Key, (Plan, E::Prepared)> = HashMap::new();
        let mut needed = 0;
        for &shape in shapes {
            if !self.nets.contains_key(&key(shape)) && !new.contains_key(&key(shape)) {
                let plan = Plan::new(E::graph(module).clone(), &[Shape::from(shape)])?;
                let (prepared, elements) = gpu.prepare(module, &plan)?;
                needed = needed.max(elements);
                new.insert(key(shape), (plan, prepared));
            }
        }
        if needed > self.elements || self.buffer.is_none() {
            self.nets.clear();
            self.buffer = None;
            self.buffer = Some(gpu.arena(needed)?);
            self.elements = needed;
            // What was bound to the old arena is planned anew.
            return self.nets(gpu, module, shapes);
        }
        for (key, (plan, prepared)) in new {
            let bound = gpu.bind(module, &plan, prepared, self.buffer())?;
            let outputs = plan.outputs.iter().map(|view| view.offset).collect();
            self.nets.insert(key, Arc::new(Net { bound, input: plan.inputs[0].offset, outputs }));
        }
        Ok(shapes.iter().map(|&shape| self.nets[&key(shape)].clone()).collect())
    }

    /// The arena; [`Arena::nets`] has made it.
    pub fn buffer(&self) -> &E::Buffer {
        self.buffer.as_ref().expect("made by the first plans")
    }
}
