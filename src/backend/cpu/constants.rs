//! A graph's constants as the CPU runs on them: filters packed in the type that they are multiplied in, and read for that
//! alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use half::bf16;
use rayon::prelude::*;

use super::Cpu;
use super::bf16::multiplies;
use super::element::Element;
use super::pack::{Packed, Panels};
use super::tile::Tiled;
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
    /// What steps read as it is.
    values: HashMap<NodeId, Arc<Tensor>>,
}

impl Constants {
    /// Reads what still lies in a file. Each filter is read, packed and freed by one thread, so that few of them are
    /// in memory twice.
    pub fn load(cpu: &Cpu, graph: &Graph, precision: Precision) -> Result<Self> {
        let uses = Uses::of(graph, precision)?;
        let mut values = HashMap::new();
        let packed = pack(cpu, graph, &uses.filters)?;
        let packed_bf16 = pack(cpu, graph, &uses.filters_bf16)?;
        for id in uses.values {
            values.insert(id, constant(graph, id).value()?);
        }
        Ok(Constants { packed, packed_bf16, values })
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
pub(super) trait Multiplied: Tiled {
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

/// Reads and packs filters.
fn pack<E: Element>(cpu: &Cpu, graph: &Graph, ids: &BTreeSet<NodeId>) -> Result<HashMap<NodeId, Packed<E>>> {
    let filters: Vec<(NodeId, &Constant)> = ids.iter().map(|&id| (id, constant(graph, id))).collect();
    let alone = filters.len() == 1;
    let pack = |&(id, constant): &(NodeId, &Constant)| {
        let w = constant.value()?;
        Ok((id, Packed::new(Workers::new(cpu, alone), &w)))
    };
    cpu.pool().install(|| filters.par_iter().with_max_len(1).map(pack).collect())
}

/// Which constants are filters, and which are read as they are; those in memory already are always among the latter.
struct Uses {
    filters: BTreeSet<NodeId>,
    filters_bf16: BTreeSet<NodeId>,
    values: BTreeSet<NodeId>,
}

impl Uses {
    fn of(graph: &Graph, precision: Precision) -> Result<Self> {
        let keep_f32 = graph.keep_f32(precision)?;
        let is_constant = |id: NodeId| matches!(graph.nodes()[id.index()].source, Source::Param(_));
        let (mut filters, mut filters_bf16, mut values) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for node in graph.nodes() {
            let Source::Op(op, inputs) = &node.source else { continue };
            let narrow = |i: usize| !is_constant(inputs[i]) && !keep_f32[inputs[i].index()];
            let in_bf16 = precision == Precision::Bf16 && multiplies(op, |i| is_constant(inputs[i]), narrow);
            for (i, &id) in inputs.iter().enumerate().filter(|&(_, &id)| is_constant(id)) {
                let convolves = matches!(op, Op::Conv2d(_) | Op::Dense(_)) && i == 1;
                match convolves && constant(graph, id).shape().rank() > 1 {
                    true if in_bf16 => filters_bf16.insert(id),
                    true => filters.insert(id),
                    false => values.insert(id),
                };
            }
        }
        values.extend(graph.outputs().iter().filter(|&&id| is_constant(id)));
        let packed = filters.iter().chain(&filters_bf16);
        values.extend(packed.filter(|&&id| constant(graph, id).here().is_some()));
        Ok(Uses { filters, filters_bf16, values })
    }
}

fn constant(graph: &Graph, id: NodeId) -> &Constant {
    match &graph.nodes()[id.index()].source {
        Source::Param(constant) => constant,
        _ => unreachable!("only constants are asked for"),
    }
}
