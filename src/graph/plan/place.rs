//! Offsets in one arena, by the time that values live.

use super::homes::{Home, Homes};
use crate::graph::{Graph, Source};
use crate::ops::Port;

/// From which step to which each node's memory is in use; an output's to the end.
pub(super) struct Lives {
    first: Vec<usize>,
    last: Vec<usize>,
}

impl Lives {
    /// A home lives from the first of these nodes that writes into it to the last that reads from it.
    pub fn new(graph: &Graph, homes: &Homes, nodes: &[usize]) -> Lives {
        let mut first = vec![usize::MAX; graph.nodes.len()];
        let mut last = vec![0; graph.nodes.len()];
        for &i in nodes {
            let root = homes.root(i);
            // Inputs are all there before the first step.
            let born = if matches!(graph.nodes[i].source, Source::Input(_)) { 0 } else { i };
            first[root] = first[root].min(born);
            last[root] = last[root].max(i);
            if let Source::Op(op, from) = &graph.nodes[i].source {
                for (_, id) in from.iter().enumerate().filter(|(port, _)| op.port(*port) != Port::Extents) {
                    let root = homes.root(id.0);
                    last[root] = last[root].max(i);
                }
            }
        }
        graph.outputs.iter().for_each(|id| last[homes.root(id.0)] = usize::MAX);
        Lives { first, last }
    }

    /// Gives each of these nodes that has memory of its own an offset, the largest first, each at the lowest place free
    /// during its whole life; and says where the arena ends.
    pub fn place(&self, homes: &Homes, nodes: &[usize], sizes: &[usize], align: usize) -> (Vec<usize>, usize) {
        let mut owners: Vec<usize> = nodes.iter().copied().filter(|&i| homes.of(i) == Home::Own).collect();
        owners.sort_by_key(|&i| (std::cmp::Reverse(sizes[i]), i));
        let mut offsets = vec![0; sizes.len()];
        let mut placed: Vec<(usize, usize, usize)> = Vec::new(); // (offset, end, node), by offset
        let mut arena = 0;
        for i in owners {
            let size = sizes[i].next_multiple_of(align);
            let mut offset = 0;
            for &(from, to, other) in &placed {
                let lives_meanwhile = self.first[i] <= self.last[other] && self.first[other] <= self.last[i];
                if lives_meanwhile && offset < to {
                    if offset + size <= from {
                        break;
                    }
                    offset = to;
                }
            }
            offsets[i] = offset;
            arena = arena.max(offset + size);
            let at = placed.partition_point(|&(from, ..)| from <= offset);
            placed.insert(at, (offset, offset + size, i));
        }
        (offsets, arena)
    }
}
