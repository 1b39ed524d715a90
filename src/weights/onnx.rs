//! ONNX: a protocol buffer of nodes and initializers, which may lie in a file beside it.
//!
//! The messages are ONNX's `onnx.proto`: `ModelProto`, `GraphProto`, `NodeProto`, `AttributeProto`, `TensorProto`.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::collector::{Collector, Part};
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};
use super::sequence::{self, Layer, Node, Op};
use super::source::Source;
use super::wire::{self, Field, Fields};
use super::{Parsed, damaged};

/// Newer versions of the format than there are; a small number tells the file from other protocol buffers.
const MAX_VERSION: u8 = 64;

/// Whether the file begins like a `ModelProto`: its version (field 1), then a field that a model has.
pub(super) fn is(head: &[u8]) -> bool {
    let next = matches!(head.get(2), Some(0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42));
    head.first() == Some(&0x08) && head.get(1).is_some_and(|&version| (2..MAX_VERSION).contains(&version)) && next
}

/// What a model's graph holds, besides constants.
#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    outputs: Vec<String>,
    /// An operator that takes weights which are no floats.
    quantized: Option<String>,
}

/// Adds every float constant as it lies there, and returns the layers of the graph. `beside` is the folder of the
/// model, in which external data may lie.
pub(super) fn read(source: &Source, beside: &Path, out: &mut Collector) -> Parsed<Vec<Layer>> {
    let damaged = |problem| damaged("ONNX model", problem);
    let mut graph = Graph::default();
    let mut beside = Beside { folder: beside, open: HashMap::new() };
    let mut model = Fields::of(source, 0..source.len());
    while let Some(field) = model.next().map_err(damaged)? {
        match field {
            // `ModelProto.graph`
            (7, Field::Bytes(range)) => self::graph(source, range, &mut beside, &mut graph, out).map_err(damaged)?,
            // `ModelProto.metadata_props`
            (14, Field::Bytes(entry)) => {
                let (name, value) = entry_of(source, entry).map_err(damaged)?;
                out.learn(&name, &value)?;
            }
            _ => {}
        }
    }
    if let Some(kind) = graph.quantized {
        return Err(format!("holds weights quantized to integers (`{kind}`): export the model in f32 or f16"));
    }
    sequence::layers(&graph.nodes, &graph.outputs, out.tensors())
}

fn graph(
    source: &Source,
    range: Range<usize>,
    beside: &mut Beside,
    graph: &mut Graph,
    out: &mut Collector,
) -> Parsed<()> {
    let mut fields = Fields::of(source, range);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(node)) => self::node(source, node, beside, graph, out)?,
            (5, Field::Bytes(tensor)) => self::tensor(source, tensor, None, beside, out)?,
            (12, Field::Bytes(value)) => graph.outputs.push(name_of(source, value)?),
            _ => {}
        }
    }
    Ok(())
}

/// The name (1) of a `ValueInfoProto`.
fn name_of(source: &Source, value: Range<usize>) -> Parsed<String> {
    let mut fields = Fields::of(source, value);
    while let Some(field) = fields.next()? {
        if let (1, Field::Bytes(text)) = field {
            return wire::text(source, text);
        }
    }
    Ok(String::new())
}

/// A `StringStringEntryProto`: key (1) and value (2). What others note there may be no UTF-8.
fn entry_of(source: &Source, range: Range<usize>) -> Parsed<(String, String)> {
    let text = |range| Parsed::Ok(String::from_utf8_lossy(&source.bytes(range)?).into_owned());
    let (mut key, mut value) = (String::new(), String::new());
    let mut fields = Fields::of(source, range);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(range)) => key = text(range)?,
            (2, Field::Bytes(range)) => value = text(range)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// An attribute: its name, and the kinds of value that weights need.
#[derive(Default)]
struct Attribute {
    name: String,
    float: Option<f32>,
    int: Option<i64>,
    ints: Vec<i64>,
    tensor: Option<Range<usize>>,
}

fn node(
    source: &Source,
    range: Range<usize>,
    beside: &mut Beside,
    graph: &mut Graph,
    out: &mut Collector,
) -> Parsed<()> {
    let (mut inputs, mut outputs, mut kind, mut attributes) = (Vec::new(), Vec::new(), String::new(), Vec::new());
    let mut fields = Fields::of(source, range);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(text)) => inputs.push(wire::text(source, text)?),
            (2, Field::Bytes(text)) => outputs.push(wire::text(source, text)?),
            (4, Field::Bytes(text)) => kind = wire::text(source, text)?,
            (5, Field::Bytes(range)) => attributes.push(attribute(source, range)?),
            _ => {}
        }
    }
    out.spend(inputs.iter().chain(&outputs).map(|name| 1 + name.len()).sum())?;
    let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name);
    if kind == "Constant" {
        if let (Some(tensor), Some(name)) = (find("value").and_then(|value| value.tensor.clone()), outputs.first()) {
            self::tensor(source, tensor, Some(name), beside, out)?;
        }
        return Ok(());
    }
    let turned = find("transB").and_then(|value| value.int).unwrap_or(0) != 0;
    let op = match kind.as_str() {
        "Conv" => Op::Conv,
        "Gemm" => Op::Dense { outputs_first: turned },
        "MatMul" => Op::Dense { outputs_first: false },
        "Add" => Op::Add,
        "Mul" => Op::Mul,
        "BatchNormalization" => {
            let epsilon = find("epsilon").and_then(|value| value.float).unwrap_or(1e-5);
            Op::Norm { epsilon: epsilon.to_string().parse().unwrap_or(1e-5) }
        }
        "PRelu" => Op::Slope,
        "Transpose" => {
            let axes =
                find("perm").map(|perm| perm.ints.iter().filter_map(|&axis| usize::try_from(axis).ok()).collect());
            Op::Move(axes)
        }
        "Identity" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Cast" | "Dropout" => Op::Move(None),
        kind if kind.starts_with("QLinear") || kind == "DequantizeLinear" || kind == "DynamicQuantizeLinear" => {
            graph.quantized = Some(kind.to_owned());
            Op::Other
        }
        _ => Op::Other,
    };
    graph.nodes.push(Node { op, inputs, outputs });
    Ok(())
}

fn attribute(source: &Source, range: Range<usize>) -> Parsed<Attribute> {
    let mut attribute = Attribute::default();
    let mut fields = Fields::of(source, range);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(text)) => attribute.name = wire::text(source, text)?,
            (2, Field::Number(bits)) => attribute.float = Some(f32::from_bits(bits as u32)),
            (3, Field::Number(number)) => attribute.int = Some(number as i64),
            (5, Field::Bytes(tensor)) => attribute.tensor = Some(tensor),
            (8, Field::Number(number)) => attribute.ints.push(number as i64),
            (8, Field::Bytes(packed)) => attribute.ints.extend(wire::numbers(source, packed)?),
            _ => {}
        }
    }
    Ok(attribute)
}

/// ONNX's `TensorProto.DataType`, where it is a float.
fn float(dtype: u64) -> Option<Float> {
    match dtype {
        1 => Some(Float::F32),
        10 => Some(Float::F16),
        11 => Some(Float::F64),
        16 => Some(Float::Bf16),
        _ => None,
    }
}

/// A constant, which stays where it is where its elements are bytes; `name` is what a node calls it.
fn tensor(
    source: &Source,
    range: Range<usize>,
    name: Option<&str>,
    beside: &mut Beside,
    out: &mut Collector,
) -> Parsed<()> {
    let (mut dims, mut dtype, mut own, mut raw) = (Vec::new(), 0, String::new(), None);
    let (mut listed, mut external) = (Vec::new(), External::default());
    let mut fields = Fields::of(source, range);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Number(extent)) => dims.push(to_usize(extent)?),
            (1, Field::Bytes(packed)) => {
                dims.extend(wire::numbers(source, packed)?.into_iter().map(to_usize).collect::<Parsed<Vec<_>>>()?);
            }
            (2, Field::Number(number)) => dtype = number,
            // `float_data`; the other lists hold what is no float, or what nobody writes.
            (4, Field::Bytes(packed)) => listed.extend(source.bytes(packed)?),
            (8, Field::Bytes(text)) => own = wire::text(source, text)?,
            (9, Field::Bytes(bytes)) => raw = Some(bytes),
            (13, Field::Bytes(entry)) => external.entry(source, entry)?,
            _ => {}
        }
    }
    let name = name.unwrap_or(&own);
    let Some(float) = float(dtype) else { return out.skip(name, format!("ONNX type {dtype}")) };
    let dtype = Dtype::little(float);
    match (raw, external.location) {
        (Some(raw), _) => out.insert_stored(name, &dims, dtype, false, Part::of(source, raw.start, raw.len())),
        (None, Some(location)) => {
            let elements = dims.iter().fold(1usize, |n, &extent| n.saturating_mul(extent));
            let len = external.length.unwrap_or(elements.saturating_mul(dtype.size()));
            let part = beside.part(&location, external.offset, len)?;
            out.earn(len);
            out.insert_stored(name, &dims, dtype, false, part)
        }
        (None, None) => out.insert_bytes(name, &dims, dtype, false, &listed),
    }
}

/// Where a tensor's data lies outside the model.
#[derive(Default)]
struct External {
    location: Option<String>,
    offset: usize,
    length: Option<usize>,
}

impl External {
    fn entry(&mut self, source: &Source, range: Range<usize>) -> Parsed<()> {
        let (key, value) = entry_of(source, range)?;
        let number = |value: &str| value.parse().map_err(|_| format!("external data's {key} is `{value}`"));
        match key.as_str() {
            "location" => self.location = Some(value),
            "offset" => self.offset = number(&value)?,
            "length" => self.length = Some(number(&value)?),
            _ => {}
        }
        Ok(())
    }
}

/// The folder of the model, and its files that hold data: each is opened once, since every tensor keeps it open.
struct Beside<'a> {
    folder: &'a Path,
    open: HashMap<String, Source>,
}

impl Beside<'_> {
    /// Bytes of a file; nothing outside the folder is read.
    fn part(&mut self, location: &str, offset: usize, len: usize) -> Parsed<Part> {
        if Path::new(location).file_name() != Some(location.as_ref()) {
            return Err(format!("its data lies in `{location}`, which is no file beside it"));
        }
        let data = match self.open.get(location) {
            Some(data) => data,
            None => {
                let data = Source::open(&self.folder.join(location));
                let data = data.map_err(|error| format!("its data lies in `{location}` beside it: {error}"))?;
                self.open.entry(location.to_owned()).or_insert(data)
            }
        };
        match offset.checked_add(len).is_some_and(|end| end <= data.len()) {
            true => Ok(Part::of(data, offset, len)),
            false => Err(format!("`{location}` beside it is cut short")),
        }
    }
}
