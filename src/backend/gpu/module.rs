//! A graph's parameters on the device.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::pack::{self, ParamStorage};
use super::{GpuExecutable, Runtime};
use crate::backend::kernels::{Tuning, packing};
use crate::backend::{Executable, Module};
use crate::graph::{NodeId, Source, View};
use crate::{Graph, Precision, Result, Shape};

/// Alignment of parameters, in bytes: any device can bind there.
pub(super) const ALIGN: usize = 256;

/// A graph whose parameters are on the device, in one buffer; filters are packed as the kernels read them.
pub(crate) struct GpuModule<R: Runtime> {
    runtime: R,
    graph: Arc<Graph>,
    precision: Precision,
    params: R::Buffer,
    places: Arc<HashMap<(NodeId, ParamStorage), Place>>,
    states: Arc<[R::Buffer]>,
}

/// Where a parameter lies among the parameters, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub offset: usize,
    pub bytes: usize,
}

impl<R: Runtime> Clone for GpuModule<R> {
    fn clone(&self) -> Self {
        GpuModule {
            runtime: self.runtime.clone(),
            graph: self.graph.clone(),
            params: self.params.clone(),
            places: self.places.clone(),
            states: self.states.clone(),
            ..*self
        }
    }
}

impl<R: Runtime> GpuModule<R> {
    /// Packs the graph's parameters and writes them to the device. `states` are those that the graph works on.
    pub fn new(runtime: R, graph: Arc<Graph>, precision: Precision, states: Arc<[R::Buffer]>) -> Result<Self> {
        runtime.check_precision(precision)?;
        let (data, places) = lay_out(&graph, precision, runtime.tuning(precision))?;
        let params = runtime.scoped(|| {
            let params = runtime.allocate("the weights", data.len())?;
            runtime.write(&params, &data)?;
            Ok(params)
        })?;
        Ok(GpuModule { runtime, graph, precision, params, places: Arc::new(places), states })
    }

    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// All parameters.
    pub(super) fn params(&self) -> &R::Buffer {
        &self.params
    }

    /// Where a parameter lies among them.
    pub(super) fn place(&self, id: NodeId, storage: ParamStorage) -> Place {
        let same = storage == ParamStorage::Value && self.precision.bytes() == 4;
        self.places[&(id, if same { ParamStorage::Constant } else { storage })]
    }

    /// A state's values.
    pub(super) fn state(&self, slot: usize) -> &R::Buffer {
        &self.states[slot]
    }

    /// Bytes of an element of a view.
    pub(super) fn element(&self, view: &View) -> usize {
        if view.keep_f32 { 4 } else { self.precision.bytes() }
    }
}

/// Every parameter, stored in each way that an op reads it, side by side.
#[allow(clippy::type_complexity)]
fn lay_out(
    graph: &Graph,
    precision: Precision,
    tuning: Tuning,
) -> Result<(Vec<u8>, HashMap<(NodeId, ParamStorage), Place>)> {
    let (mut data, mut places) = (Vec::new(), HashMap::new());
    for node in graph.nodes() {
        let Source::Op(op, inputs) = &node.source else { continue };
        for (i, &id) in inputs.iter().enumerate() {
            let Source::Param(value) = &graph.nodes()[id.index()].source else { continue };
            let storages: &[ParamStorage] = match packing(op, i, value.shape(), tuning) {
                Some(packing) => &[ParamStorage::Packed(packing)],
                // An op's kernel takes it as one or the other; in 32 bits they are the same.
                None if precision.bytes() == 4 => &[ParamStorage::Constant],
                None => &[ParamStorage::Constant, ParamStorage::Value],
            };
            for &storage in storages {
                if let Entry::Vacant(place) = places.entry((id, storage)) {
                    data.resize(data.len().next_multiple_of(ALIGN), 0);
                    let offset = data.len();
                    pack::append(&*value.value()?, storage, precision, &mut data);
                    place.insert(Place { offset, bytes: data.len() - offset });
                }
            }
        }
    }
    Ok((data, places))
}

impl<R: Runtime> Module for GpuModule<R> {
    fn plan(&self, inputs: &[Shape]) -> Result<Box<dyn Executable>> {
        Ok(Box::new(GpuExecutable::new(self.clone(), inputs)?))
    }
}
