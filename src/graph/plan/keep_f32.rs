//! Which values are f32 in every precision.

use crate::graph::{Graph, Node, NodeId, Source};
use crate::ops::{Op, Port};
use crate::{Error, Precision, Result};

/// Which values are f32 in every precision: states, what an op says is, what an op asks of an input, and what ops make
/// of such values.
pub(super) fn find(graph: &Graph, precision: Precision) -> Result<Vec<bool>> {
    let mut keep_f32 = vec![false; graph.nodes.len()];
    for node in &graph.nodes {
        let Source::Op(op, from) = &node.source else { continue };
        for (_, id) in from.iter().enumerate().filter(|(port, _)| op.port(*port) == Port::KeepF32) {
            keep_f32[id.0] |= matches!(graph.nodes[id.0].source, Source::Input(_));
        }
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        match &node.source {
            Source::Input(_) | Source::Param(_) => {}
            Source::State(..) => keep_f32[i] = true,
            Source::Op(op, from) => {
                keep_f32[i] = op.keep_f32() | reads_f32(graph, &keep_f32, node, op, from, precision)?
            }
        }
    }
    Ok(keep_f32)
}

/// Whether the values that an op reads as they are stored are f32 in every precision; all of them, or none.
fn reads_f32(
    graph: &Graph,
    keep_f32: &[bool],
    node: &Node,
    op: &Op,
    from: &[NodeId],
    precision: Precision,
) -> Result<bool> {
    let error = |problem| Error::Shape { op: op.stem(), node: node.name.clone(), problem };
    let mut first: Option<NodeId> = None;
    for (port, id) in from.iter().enumerate().filter(|(_, id)| !graph.is_param(**id)) {
        match op.port(port) {
            Port::Value => match first {
                Some(first) if keep_f32[first.0] != keep_f32[id.0] && precision.bytes() < 4 => {
                    let names = [first, *id].map(|id| &graph.nodes[id.0].name);
                    let [one, other] = names;
                    return Err(error(format!(
                        "`{one}` and `{other}` are stored differently in {precision}; cast one"
                    )));
                }
                Some(_) => {}
                None => first = Some(*id),
            },
            Port::KeepF32 if !keep_f32[id.0] && precision.bytes() < 4 => {
                let name = &graph.nodes[id.0].name;
                return Err(error(format!("input {port}, `{name}`, is stored in {precision}; cast it to f32")));
            }
            Port::KeepF32 | Port::Any | Port::Extents => {}
        }
    }
    Ok(first.is_some_and(|id| keep_f32[id.0]))
}
