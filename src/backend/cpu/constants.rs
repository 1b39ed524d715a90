//! A graph's constants as the CPU runs on them: filters packed, and read for that alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::Cpu;
use super::pack::{Packed, Panels};
use super::workers::Workers;
use crate::graph::{Constant, NodeId, Source};
use crate::ops::Op;
use crate::{Graph, Result, Tensor};

/// What a graph's constants became.
pub(super) struct Constants {
    /// Filters of convolutions and dense layers.
    packed: HashMap<NodeId, Packed>,
    /// What steps read as it is.
    values: HashMap<NodeId, Arc<Tensor>>,
}

impl Constants {
    /// Reads what still lies in a file. Each filter is read, packed and freed by one thread, so that few of them are
    /// in memory twice.
    pub fn load(cpu: &Cpu, graph: &Graph) -> Result<Self> {
        let uses = Uses::of(graph);
        let filters: Vec<(NodeId, &Constant)> = uses.filters.iter().map(|&id| (id, constant(graph, id))).collect();
        let alone = filters.len() == 1;
        let pack = |&(id, constant): &(NodeId, &Constant)| {
            let w = constant.value()?;
            Ok((id, Packed::new(Workers::new(cpu, alone), w.dims()[0], w.data())))
        };
        let packed = cpu.pool().install(|| filters.par_iter().with_max_len(1).map(pack).collect::<Result<_>>())?;
        let mut values = HashMap::new();
        for id in uses.values {
            values.insert(id, constant(graph, id).value()?);
        }
        give_back();
        Ok(Constants { packed, values })
    }

    /// A filter's panels, if it is packed.
    pub fn panels(&self, id: NodeId) -> Option<Panels<'_>> {
        self.packed.get(&id).map(Packed::panels)
    }

    /// A constant's values, unless it is a filter that nothing reads but convolutions and dense layers.
    pub fn values(&self, id: NodeId) -> Option<&[f32]> {
        self.values.get(&id).map(|tensor| tensor.data())
    }
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
    values: BTreeSet<NodeId>,
}

impl Uses {
    fn of(graph: &Graph) -> Self {
        let is_constant = |id: NodeId| matches!(graph.nodes()[id.index()].source, Source::Param(_));
        let (mut filters, mut values) = (BTreeSet::new(), BTreeSet::new());
        for node in graph.nodes() {
            let Source::Op(op, inputs) = &node.source else { continue };
            for (i, &id) in inputs.iter().enumerate().filter(|&(_, &id)| is_constant(id)) {
                let convolves = matches!(op, Op::Conv2d(_) | Op::Dense(_)) && i == 1;
                match convolves && constant(graph, id).shape().rank() > 1 {
                    true => filters.insert(id),
                    false => values.insert(id),
                };
            }
        }
        values.extend(graph.outputs().iter().filter(|&&id| is_constant(id)));
        values.extend(filters.iter().filter(|&&id| constant(graph, id).here().is_some()));
        Uses { filters, values }
    }
}

fn constant(graph: &Graph, id: NodeId) -> &Constant {
    match &graph.nodes()[id.index()].source {
        Source::Param(constant) => constant,
        _ => unreachable!("only constants are asked for"),
    }
}
