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
use super::facts::PREFIX;
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
    match graph(source, 0..source.len(), out)? {
        0 => Ok(()),
        n => Err(format!(
            "is a TensorFlow graph that is not frozen: its {n} variables are in a checkpoint; give that, or freeze the graph"
        )),
    }
}

/// Whether the file begins like a `SavedModel`: its version (field 1), then a graph and what is said of it (field 2).
pub(super) fn is_saved_model(head: &[u8]) -> bool {
    head.starts_with(b"\x08\x01\x12")
}

/// As [`read`], of a SavedModel's graph, for one that needs no variables beside it.
pub(super) fn read_saved_model(source: &Source, out: &mut Collector) -> Parsed<()> {
    let mut variables = 0;
    for meta in messages(source, 0..source.len(), 2)? {
        for graph in messages(source, meta, 2)? {
            variables += self::graph(source, graph, out)?;
        }
    }
    match variables {
        0 => Ok(()),
        n => {
            Err(format!("is a SavedModel's graph without its {n} variables: name its folder, with the variables in it"))
        }
    }
}

fn damaged(problem: String) -> String {
    format!("is a damaged or cut TensorFlow graph, or none at all ({problem}); fetch it again")
}

/// Where the messages of a field lie.
fn messages(source: &Source, within: Range<usize>, wanted: u64) -> Parsed<Vec<Range<usize>>> {
    let (mut found, mut fields) = (Vec::new(), Fields::of(source, within));
    while let Some((field, value)) = fields.next().map_err(damaged)? {
        match value {
            Field::Bytes(range) if field == wanted => found.push(range),
            _ => {}
        }
    }
    Ok(found)
}

/// Adds the constants of a `GraphDef`; how many variables it has.
fn graph(source: &Source, graph: Range<usize>, out: &mut Collector) -> Parsed<usize> {
    let (mut fields, mut variables) = (Fields::of(source, graph), 0);
    while let Some((field, value)) = fields.next().map_err(damaged)? {
        // `GraphDef.node`
        if let (1, Field::Bytes(node)) = (field, value) {
            variables += usize::from(self::node(source, node, out)?);
        }
    }
    Ok(variables)
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

/// A node: its name (1), its op (2), and its attributes (5), of which `value` is a constant's, and `_warpface.…` are what is
/// known of an input. Whether it is a variable.
fn node(source: &Source, node: Range<usize>, out: &mut Collector) -> Parsed<bool> {
    let (mut name, mut op, mut attributes) = (String::new(), String::new(), Vec::new());
    let mut fields = Fields::of(source, node);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(text)) => name = wire::text(source, text)?,
            (2, Field::Bytes(text)) => op = wire::text(source, text)?,
            (5, Field::Bytes(attribute)) => attributes.push(attribute),
            _ => {}
        }
    }
    match op.as_str() {
        "Const" => {
            let mut value = None;
            for attribute in attributes {
                value = self::attribute(source, attribute, |key| key == b"value", 8)?.map(|(_, value)| value).or(value);
            }
            let value = value.ok_or_else(|| format!("is damaged: constant `{name}` has no value"))?;
            constant(source, &name, value, out).map(|()| false)
        }
        "Placeholder" => {
            let is_fact = |key: &[u8]| key.strip_prefix(b"_").is_some_and(|key| key.starts_with(PREFIX.as_bytes()));
            for attribute in attributes {
                if let Some((key, value)) = self::attribute(source, attribute, is_fact, 2)? {
                    out.learn(key.trim_start_matches('_'), &wire::text(source, value)?)?;
                }
            }
            Ok(false)
        }
        op => Ok(matches!(op, "Variable" | "VariableV2" | "VarHandleOp")),
    }
}

/// The key (1) of an attribute, if it is wanted, and where its value (2) has a field: text (2) or a tensor (8).
fn attribute(
    source: &Source,
    attribute: Range<usize>,
    wanted: impl Fn(&[u8]) -> bool,
    field: u64,
) -> Parsed<Option<(String, Range<usize>)>> {
    let (mut key, mut found) = (None, None);
    let mut fields = Fields::of(source, attribute);
    while let Some(of_entry) = fields.next()? {
        match of_entry {
            (1, Field::Bytes(text)) => key = Some(source.bytes(text)?),
            (2, Field::Bytes(value)) => found = messages(source, value, field)?.pop(),
            _ => {}
        }
    }
    let key = key.filter(|key| wanted(key)).map(|key| String::from_utf8_lossy(&key).into_owned());
    Ok(key.zip(found))
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
