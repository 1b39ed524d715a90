//! A graph's parameters on the device.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Gpu, GpuExecutable};
use crate::backend::kernels::packing;
use crate::backend::{Executable, Module};
use crate::graph::{NodeId, Source};
use crate::{Graph, Result, Shape, Tensor};

/// A graph whose parameters are on the device, in one buffer; filters are packed as the kernels read them.
#[derive(Clone)]
pub struct GpuModule {
    gpu: Gpu,
    graph: Arc<Graph>,
    params: wgpu::Buffer,
    places: Arc<Places>,
    states: Arc<[wgpu::Buffer]>,
}

/// Where each parameter begins, in elements, as it is and packed; and how many elements it has packed.
#[derive(Default)]
struct Places {
    raw: HashMap<NodeId, usize>,
    packed: HashMap<NodeId, (usize, usize)>,
}

impl GpuModule {
    pub(super) fn new(gpu: Gpu, graph: Arc<Graph>, states: Arc<[wgpu::Buffer]>) -> Result<Self> {
        let (mut data, mut places) = (Vec::new(), Places::default());
        for node in graph.nodes() {
            let Source::Op(op, inputs) = &node.source else { continue };
            for (i, &id) in inputs.iter().enumerate() {
                let Source::Param(value) = &graph.nodes()[id.index()].source else { continue };
                data.resize(Vec::len(&data).next_multiple_of(64), 0.0f32);
                if packing(op, i, value.shape(), gpu.tuning()).is_some() {
                    places.packed.entry(id).or_insert_with(|| pack(value, &mut data));
                } else {
                    places.raw.entry(id).or_insert_with(|| {
                        data.extend(value.data());
                        data.len() - value.data().len()
                    });
                }
            }
        }
        let usage = wgpu::BufferUsages::STORAGE;
        let params = gpu.scoped(|| gpu.filled("weights", bytemuck::cast_slice(&data), usage))?;
        Ok(GpuModule { gpu, graph, params, places: Arc::new(places), states })
    }

    /// As [`Module::plan`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for shapes that do not fit; [`crate::Error::Device`] if the device has too little room.
    pub fn executable(&self, inputs: &[Shape]) -> Result<GpuExecutable> {
        GpuExecutable::new(self.clone(), inputs)
    }

    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    pub(super) fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub(super) fn params(&self) -> &wgpu::Buffer {
        &self.params
    }

    pub(super) fn state(&self, slot: usize) -> &wgpu::Buffer {
        &self.states[slot]
    }

    pub(super) fn raw_offset(&self, id: NodeId) -> usize {
        self.places.raw[&id]
    }

    pub(super) fn packed_range(&self, id: NodeId) -> (usize, usize) {
        self.places.packed[&id]
    }
}

/// Appends filters `[c_out, ..k]` as `[k, c_out]`, channels padded to a multiple of four; gives offset and length.
fn pack(w: &Tensor, data: &mut Vec<f32>) -> (usize, usize) {
    let c_out = w.dims()[0];
    let k: usize = w.dims()[1..].iter().product();
    let columns = c_out.next_multiple_of(4);
    let from = data.len();
    data.resize(from + k * columns, 0.0);
    for (o, filter) in w.data().chunks_exact(k.max(1)).enumerate() {
        filter.iter().enumerate().for_each(|(i, &value)| data[from + i * columns + o] = value);
    }
    (from, k * columns)
}

impl Module for GpuModule {
    fn plan(&self, inputs: &[Shape]) -> Result<Box<dyn Executable>> {
        Ok(Box::new(self.executable(inputs)?))
    }
}
