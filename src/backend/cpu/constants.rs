//! A graph's constants as the CPU runs on them: filters packed in the type that they are multiplied in, and read for that
//! alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use half::bf16;
use rayon::prelude::*;

use super::Cpu;
use super::bf16::multiplies;
use super::pack::{Packed, Panels};
use super::tile::Tiled;
use super::winograd::{Form, Transformed, WinogradFilters};
use super::workers::Workers;
use crate::graph::{Constant, NodeId, Source};
use crate::ops::Op;
use crate::{Graph, Precision, Result, Tensor};

/// What a graph's constants became.
pub(super) struct Constants {
    /// Filters of convolutions and dense layers in f32.
    packed: HashMap<NodeId, Packed<f32>>,
    /// Those of layers that multiply in bf16.
    packed_bf16: HashMap<NodeId, Packed<bf16>>,
    /// Those of convolutions by minimal filtering.
    winograd: HashMap<NodeId, WinogradFilters>,
    /// What steps read as it is.
    values: HashMap<NodeId, Arc<Tensor>>,
}

impl Constants {
    /// Reads what still lies in a file. Each filter is read, packed and freed by one thread, so that few of them are
    /// in memory twice.
    pub fn load(cpu: &Cpu, graph: &Graph, precision: Precision) -> Result<Self> {
        let uses = Uses::of(cpu, graph, precision)?;
        let read = |id: &NodeId| -> Result<Arc<Tensor>> { constant(graph, *id).value() };
        let packed = pack(cpu, &uses.filters, |workers, id| Ok(Packed::new(workers, &*read(id)?)))?;
        let packed_bf16 = pack(cpu, &uses.filters_bf16, |workers, id| Ok(Packed::new(workers, &*read(id)?)))?;
        let winograd = pack(cpu, &uses.winograd.keys().copied().collect(), |workers, id| {
            Ok(WinogradFilters::new(workers, uses.winograd[id], &*read(id)?))
        })?;
        let mut values = HashMap::new();
        for id in uses.values {
            values.insert(id, constant(graph, id).value()?);
        }
        give_back();
        Ok(Constants { packed, packed_bf16, winograd, values })
    }

    /// A filter at the points of a minimal filtering, if an op takes it so.
    pub fn winograd(&self, id: NodeId) -> Option<&WinogradFilters> {
        self.winograd.get(&id)
    }

    /// A filter's panels, if it is packed in this type.
    pub fn panels<E: Multiplied>(&self, id: NodeId) -> Option<Panels<'_, E>> {
        E::packed(self).get(&id).map(Packed::panels)
    }

    /// A constant's values, unless it is a filter that nothing reads but convolutions and dense layers.
    pub fn values(&self, id: NodeId) -> Option<&[f32]> {
        self.values.get(&id).map(|tensor| tensor.data())
    }
}

/// A type that filters are packed in.
pub(super) trait Multiplied: Tiled + Transformed {
    fn packed(constants: &Constants) -> &HashMap<NodeId, Packed<Self>>;
}

impl Multiplied for f32 {
    fn packed(constants: &Constants) -> &HashMap<NodeId, Packed<f32>> {
        &constants.packed
    }
}

impl Multiplied for bf16 {
    fn packed(constants: &Constants) -> &HashMap<NodeId, Packed<bf16>> {
        &constants.packed_bf16
    }
}

/// Reads and packs filters: several at once, else one by all threads.
fn pack<P: Send>(
    cpu: &Cpu,
    ids: &BTreeSet<NodeId>,
    pack: impl Fn(Workers, &NodeId) -> Result<P> + Sync,
) -> Result<HashMap<NodeId, P>> {
    let workers = Workers::new(cpu, ids.len() == 1);
    let pack = |id: &NodeId| Ok((*id, pack(workers, id)?));
    cpu.pool().install(|| ids.iter().collect::<Vec<_>>().into_par_iter().with_max_len(1).map(pack).collect())
}

/// Gives the pages of what was read and freed back to the system, where the allocator would keep them: with several
/// threads they are a good part of a model's size.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: it may be called at any time, from any thread; what is in use stays as it is.
        unsafe { malloc_trim(0) };
    }
}

/// Which constants are filters, and which are read as they are; those in memory already are always among the latter.
struct Uses {
    filters: BTreeSet<NodeId>,
    filters_bf16: BTreeSet<NodeId>,
    winograd: BTreeMap<NodeId, Form>,
    values: BTreeSet<NodeId>,
}

impl Uses {
    fn of(cpu: &Cpu, graph: &Graph, precision: Precision) -> Result<Self> {
        let keep_f32 = graph.keep_f32(precision)?;
        let is_constant = |id: NodeId| matches!(graph.nodes()[id.index()].source, Source::Param(_));
        let (mut filters, mut filters_bf16, mut values) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut winograd = BTreeMap::new();
        for node in graph.nodes() {
            let Source::Op(op, inputs) = &node.source else { continue };
            let narrow = |i: usize| !is_constant(inputs[i]) && !keep_f32[inputs[i].index()];
            let in_bf16 = precision == Precision::Bf16 && multiplies(op, |i| is_constant(inputs[i]), narrow);
            for (i, &id) in inputs.iter().enumerate().filter(|&(_, &id)| is_constant(id)) {
                let convolves = matches!(op, Op::Conv2d(_) | Op::Dense(_)) && i == 1;
                let shape = constant(graph, id).shape();
                match (convolves && shape.rank() > 1, cpu.form(op, shape.dims(), in_bf16)) {
                    (true, Some(form)) => _ = winograd.insert(id, form),
                    (true, None) if in_bf16 => _ = filters_bf16.insert(id),
                    (true, None) => _ = filters.insert(id),
                    (false, _) => _ = values.insert(id),
                }
            }
        }
        values.extend(graph.outputs().iter().filter(|&&id| is_constant(id)));
        let packed = filters.iter().chain(&filters_bf16).chain(winograd.keys());
        values.extend(packed.filter(|&&id| constant(graph, id).here().is_some()));
        Ok(Uses { filters, filters_bf16, winograd, values })
    }
}

fn constant(graph: &Graph, id: NodeId) -> &Constant {
    match &graph.nodes()[id.index()].source {
        Source::Param(constant) => constant,
        _ => unreachable!("only constants are asked for"),
    }
}
