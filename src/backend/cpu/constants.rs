//! A graph's constants as the CPU runs on them: filters packed, and read for that alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::Cpu;
use super::filters::{Filters, form};
use super::winograd::Form;
use super::workers::Workers;
use crate::graph::{Constant, NodeId, Source};
use crate::ops::Op;
use crate::{Graph, Result, Tensor};

/// What a graph's constants became.
pub(super) struct Constants {
    /// Filters of convolutions and dense layers.
    packed: HashMap<NodeId, Filters>,
    /// What steps read as it is.
    values: HashMap<NodeId, Arc<Tensor>>,
}

impl Constants {
    /// Reads what still lies in a file. Each filter is read, packed and freed by one thread, so that few of them are
    /// in memory twice.
    pub fn load(cpu: &Cpu, graph: &Graph) -> Result<Self> {
        let uses = Uses::of(cpu, graph);
        let filters: Vec<_> = uses.filters.iter().map(|(&id, &form)| (id, constant(graph, id), form)).collect();
        let alone = filters.len() == 1;
        let pack = |&(id, constant, form): &(NodeId, &Constant, Option<Form>)| {
            let (w, workers) = (constant.value()?, Workers::new(cpu, alone));
            let filters = match form {
                Some(form) => Filters::winograd(workers, form, w.dims(), w.data()),
                None => Filters::direct(workers, w.dims()[0], w.data()),
            };
            Ok((id, filters))
        };
        let packed = cpu.pool().install(|| filters.par_iter().with_max_len(1).map(pack).collect::<Result<_>>())?;
        let mut values = HashMap::new();
        for id in uses.values {
            values.insert(id, constant(graph, id).value()?);
        }
        give_back();
        Ok(Constants { packed, values })
    }

    /// A filter, if it is packed.
    pub fn filters(&self, id: NodeId) -> Option<&Filters> {
        self.packed.get(&id)
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
    /// With the minimal filtering that all their users take, if there is one.
    filters: BTreeMap<NodeId, Option<Form>>,
    values: BTreeSet<NodeId>,
}

impl Uses {
    fn of(cpu: &Cpu, graph: &Graph) -> Self {
        let is_constant = |id: NodeId| matches!(graph.nodes()[id.index()].source, Source::Param(_));
        let (mut filters, mut values) = (BTreeMap::new(), BTreeSet::new());
        for node in graph.nodes() {
            let Source::Op(op, inputs) = &node.source else { continue };
            for (i, &id) in inputs.iter().enumerate().filter(|&(_, &id)| is_constant(id)) {
                let convolves = matches!(op, Op::Conv2d(_) | Op::Dense(_)) && i == 1;
                let shape = constant(graph, id).shape();
                if convolves && shape.rank() > 1 {
                    let form = form(cpu.conv_algorithm(), op, shape.dims());
                    let of_all = filters.entry(id).or_insert(form);
                    *of_all = of_all.filter(|_| *of_all == form);
                } else {
                    values.insert(id);
                }
            }
        }
        values.extend(graph.outputs().iter().filter(|&&id| is_constant(id)));
        values.extend(filters.keys().filter(|&&id| constant(graph, id).here().is_some()));
        Uses { filters, values }
    }
}

fn constant(graph: &Graph, id: NodeId) -> &Constant {
    match &graph.nodes()[id.index()].source {
        Source::Param(constant) => constant,
        _ => unreachable!("only constants are asked for"),
    }
}
