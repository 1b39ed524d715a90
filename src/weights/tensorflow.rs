//! TensorFlow's frozen graph: a GraphDef whose `Const` nodes hold the weights.
//!
//! The messages are TensorFlow's `graph.proto`, `node_def.proto`, `attr_value.proto`, `tensor.proto` and
//! `tensor_shape.proto`, with only the fields that carry weights; prost skips the rest.

use std::collections::HashMap;

use prost::Message;

use super::Parsed;
use super::collector::Collector;
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};

#[derive(Clone, PartialEq, Message)]
struct GraphDef {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeDef>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeDef {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    op: String,
    #[prost(map = "string, message", tag = "5")]
    attr: HashMap<String, AttrValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AttrValue {
    #[prost(message, optional, tag = "8")]
    tensor: Option<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    tensor_shape: Option<TensorShape>,
    #[prost(bytes = "vec", tag = "4")]
    tensor_content: Vec<u8>,
    #[prost(float, repeated, tag = "5")]
    float_val: Vec<f32>,
    #[prost(double, repeated, tag = "6")]
    double_val: Vec<f64>,
    /// f16 or bf16 bits.
    #[prost(int32, repeated, tag = "13")]
    half_val: Vec<i32>,
}

/// TensorFlow's `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    size: i64,
}

impl TensorShape {
    /// The extents.
    pub fn dims(&self) -> Parsed<Vec<usize>> {
        self.dim.iter().map(|dim| to_usize(dim.size)).collect()
    }
}

/// TensorFlow's `DataType`, where it is a float.
pub(super) fn float(dtype: i32) -> Option<Float> {
    match dtype {
        1 => Some(Float::F32),
        2 => Some(Float::F64),
        14 => Some(Float::Bf16),
        19 => Some(Float::F16),
        _ => None,
    }
}

/// Whether the file begins like a GraphDef: a node (field 1) whose name (field 1) follows its length.
pub(super) fn is_graph(bytes: &[u8]) -> bool {
    let Some((&0x0a, rest)) = bytes.split_first() else { return false };
    let length = rest.iter().take(10).take_while(|&&b| b & 0x80 != 0).count() + 1;
    rest.get(length) == Some(&0x0a)
}

/// Reads every float constant under its node's name.
pub(super) fn read(bytes: &[u8], out: &mut Collector) -> Parsed<()> {
    let graph = GraphDef::decode(bytes)
        .map_err(|e| format!("is a damaged or cut TensorFlow graph, or none at all ({e}); fetch it again"))?;
    for mut node in graph.node {
        if node.op != "Const" {
            if matches!(node.op.as_str(), "Variable" | "VariableV2" | "VarHandleOp") {
                out.skip(&node.name, "a variable: freeze the graph, or load its checkpoint")?;
            }
            continue;
        }
        let Some(tensor) = node.attr.remove("value").and_then(|attr| attr.tensor) else {
            return Err(format!("is damaged: constant `{}` has no value", node.name));
        };
        constant(&node.name, &tensor, out)?;
    }
    Ok(())
}

fn constant(name: &str, tensor: &TensorProto, out: &mut Collector) -> Parsed<()> {
    let Some(float) = float(tensor.dtype) else {
        return out.skip(name, format!("TensorFlow type {}", tensor.dtype));
    };
    let dims = tensor.tensor_shape.as_ref().map_or(Ok(Vec::new()), TensorShape::dims)?;
    let dtype = Dtype::little(float);
    if !tensor.tensor_content.is_empty() {
        return out.insert_bytes(name, &dims, dtype, false, &tensor.tensor_content);
    }
    let mut values: Vec<f32> = match float {
        Float::F32 => tensor.float_val.clone(),
        Float::F64 => tensor.double_val.iter().map(|&v| v as f32).collect(),
        Float::F16 | Float::Bf16 => {
            let bits: Vec<u8> = tensor.half_val.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect();
            dtype.decode(&bits)
        }
    };
    let elements = out.admit(name, &dims)?;
    if values.len() < elements {
        // A shorter list stands for its last value repeated, an empty one for zeros.
        values.resize(elements, values.last().copied().unwrap_or(0.0));
    }
    out.insert(name, &dims, values)
}
