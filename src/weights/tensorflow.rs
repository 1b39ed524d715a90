//! TensorFlow's frozen graph: a GraphDef whose `Const` nodes hold the weights.
//!
//! The messages are TensorFlow's `graph.proto`, `node_def.proto`, `attr_value.proto`, `tensor.proto` and
//! `tensor_shape.proto`, with only the fields that carry weights.

use std::ops::Range;

use prost::Message;

use super::Parsed;
use super::collector::{Collector, Part};
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};
use super::source::Source;
use super::wire::{self, Field, Fields};

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
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
pub(super) fn is_graph(head: &[u8]) -> bool {
    let Some((&0x0a, rest)) = head.split_first() else { return false };
    let length = rest.iter().take(10).take_while(|&&b| b & 0x80 != 0).count() + 1;
    rest.get(length) == Some(&0x0a)
}

/// Adds every float constant under its node's name.
pub(super) fn read(source: &Source, out: &mut Collector) -> Parsed<()> {
    let damaged = |e| format!("is a damaged or cut TensorFlow graph, or none at all ({e}); fetch it again");
    let mut graph = Fields::of(source, 0..source.len());
    let mut variables = 0;
    while let Some((field, value)) = graph.next().map_err(damaged)? {
        // `GraphDef.node`
        if let (1, Field::Bytes(node)) = (field, value) {
            variables += usize::from(self::node(source, node, out)?);
        }
    }
    match variables {
        0 => Ok(()),
        n => Err(format!(
            "is a TensorFlow graph that is not frozen: its {n} variables are in a checkpoint; give that, or freeze the graph"
        )),
    }
}

/// Whether a file is a MetaGraphDef: the description of the graph (2) after that of the whole (1).
pub(super) fn is_meta(source: &Source) -> bool {
    let mut fields = Fields::of(source, 0..source.len());
    let mut next = || fields.next().ok().flatten();
    match (next(), next()) {
        (Some((1, Field::Bytes(_))), Some((2, Field::Bytes(graph)))) => {
            source.bytes(graph.start..graph.end.min(graph.start + 16)).is_ok_and(|head| is_graph(&head))
        }
        _ => false,
    }
}

/// A node: its name (1), its op (2), and its attributes (5), of which `value` is a constant's. Whether it is a variable.
fn node(source: &Source, node: Range<usize>, out: &mut Collector) -> Parsed<bool> {
    let (mut name, mut op, mut value) = (String::new(), String::new(), None);
    let mut fields = Fields::of(source, node);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(text)) => name = wire::text(source, text)?,
            (2, Field::Bytes(text)) => op = wire::text(source, text)?,
            (5, Field::Bytes(attribute)) => value = self::value(source, attribute)?.or(value),
            _ => {}
        }
    }
    match (op.as_str(), value) {
        ("Const", Some(tensor)) => constant(source, &name, tensor, out).map(|()| false),
        ("Const", None) => Err(format!("is damaged: constant `{name}` has no value")),
        _ => Ok(matches!(op.as_str(), "Variable" | "VariableV2" | "VarHandleOp")),
    }
}

/// The tensor (8) of an attribute whose key (1) is `value`.
fn value(source: &Source, attribute: Range<usize>) -> Parsed<Option<Range<usize>>> {
    let (mut is_value, mut tensor) = (false, None);
    let mut fields = Fields::of(source, attribute);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(key)) => is_value = source.bytes(key)? == b"value",
            (2, Field::Bytes(value)) => {
                let mut fields = Fields::of(source, value);
                while let Some(field) = fields.next()? {
                    if let (8, Field::Bytes(range)) = field {
                        tensor = Some(range);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(tensor.filter(|_| is_value))
}

/// A constant, which stays where it is where its elements are bytes.
fn constant(source: &Source, name: &str, tensor: Range<usize>, out: &mut Collector) -> Parsed<()> {
    let (mut dtype, mut shape, mut content) = (0, TensorShape::default(), None);
    let mut fields = Fields::of(source, tensor.clone());
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Number(number)) => dtype = i32::try_from(number).unwrap_or(0),
            (2, Field::Bytes(range)) => {
                shape = TensorShape::decode(source.bytes(range)?.as_slice()).map_err(|e| e.to_string())?;
            }
            (4, Field::Bytes(range)) => content = Some(range).filter(|range| !range.is_empty()),
            _ => {}
        }
    }
    let Some(float) = float(dtype) else {
        return out.skip(name, format!("TensorFlow type {dtype}"));
    };
    let Some(content) = content else {
        let tensor = TensorProto::decode(source.bytes(tensor)?.as_slice()).map_err(|e| e.to_string())?;
        return listed(name, &tensor, float, &shape.dims()?, out);
    };
    let part = Part::of(source, content.start, content.len());
    out.insert_stored(name, &shape.dims()?, Dtype::little(float), false, part)
}

/// A constant whose elements are numbers in a list.
fn listed(name: &str, tensor: &TensorProto, float: Float, dims: &[usize], out: &mut Collector) -> Parsed<()> {
    let mut values: Vec<f32> = match float {
        Float::F32 => tensor.float_val.clone(),
        Float::F64 => tensor.double_val.iter().map(|&v| v as f32).collect(),
        Float::F16 | Float::Bf16 => {
            let bits: Vec<u8> = tensor.half_val.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect();
            Dtype::little(float).decode(&bits)
        }
    };
    let elements = out.admit(name, dims)?;
    if values.len() < elements {
        // A shorter list stands for its last value repeated, an empty one for zeros.
        values.resize(elements, values.last().copied().unwrap_or(0.0));
    }
    out.insert(name, dims, values)
}
