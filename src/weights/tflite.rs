//! TFLite: a FlatBuffer of operators, tensors and buffers.
//!
//! The tables are TensorFlow's `schema.fbs`. What is read of a FlatBuffer fits a page: a table begins with the distance
//! back to its vtable, which lists the places of its fields; a vector is a length and its elements.

use std::collections::{HashMap, HashSet};

use super::collector::{Collector, Part};
use super::cursor::to_usize;
use super::dtype::{Dtype, Float};
use super::sequence::{self, Layer, Node, Op};
use super::source::Source;
use super::{Parsed, damaged};

/// The file's identifier, behind the place of its root.
const IDENTIFIER: &[u8] = b"TFL3";

/// Whether the file is a TFLite model.
pub(super) fn is(head: &[u8]) -> bool {
    head.get(4..8) == Some(IDENTIFIER)
}

/// A place in the file.
#[derive(Clone, Copy)]
struct Table<'a> {
    source: &'a Source,
    at: usize,
}

/// A vector of elements of one size.
#[derive(Clone, Copy)]
struct Vector<'a> {
    source: &'a Source,
    at: usize,
    len: usize,
}

fn u32_at(source: &Source, at: usize) -> Parsed<u32> {
    let mut bytes = [0; 4];
    source.read_at(at, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn follow(source: &Source, at: usize) -> Parsed<usize> {
    at.checked_add(to_usize(u32_at(source, at)?)?).ok_or_else(|| "is damaged: an offset leads nowhere".into())
}

impl<'a> Table<'a> {
    /// The root table.
    fn root(source: &'a Source) -> Parsed<Self> {
        Ok(Table { source, at: follow(source, 0)? })
    }

    /// Where field `i` is, if the table has it.
    fn field(self, i: usize) -> Parsed<Option<usize>> {
        let back = u32_at(self.source, self.at)? as i32;
        let vtable = i64::try_from(self.at).unwrap_or(i64::MAX) - i64::from(back);
        let vtable = usize::try_from(vtable).map_err(|_| "is damaged: a table has no vtable")?;
        let u16_at = |at: usize| -> Parsed<usize> {
            let mut bytes = [0; 2];
            self.source.read_at(at, &mut bytes)?;
            Ok(u16::from_le_bytes(bytes).into())
        };
        let place = 4 + 2 * i;
        if place + 2 > u16_at(vtable)? {
            return Ok(None);
        }
        let offset = u16_at(vtable + place)?;
        Ok((offset != 0).then_some(self.at + offset))
    }

    fn u32(self, i: usize, default: u32) -> Parsed<u32> {
        self.field(i)?.map_or(Ok(default), |at| u32_at(self.source, at))
    }

    fn u8(self, i: usize) -> Parsed<u8> {
        let mut byte = [0];
        if let Some(at) = self.field(i)? {
            self.source.read_at(at, &mut byte)?;
        }
        Ok(byte[0])
    }

    fn u64(self, i: usize) -> Parsed<u64> {
        let mut bytes = [0; 8];
        if let Some(at) = self.field(i)? {
            self.source.read_at(at, &mut bytes)?;
        }
        Ok(u64::from_le_bytes(bytes))
    }

    /// A vector field; empty where it is not there.
    fn vector(self, i: usize, element: usize) -> Parsed<Vector<'a>> {
        let Some(field) = self.field(i)? else { return Ok(Vector { source: self.source, at: 0, len: 0 }) };
        let start = follow(self.source, field)?;
        let len = to_usize(u32_at(self.source, start)?)?;
        let at = start + 4;
        let end = len.checked_mul(element).and_then(|bytes| at.checked_add(bytes));
        match end.is_some_and(|end| end <= self.source.len()) {
            true => Ok(Vector { source: self.source, at, len }),
            false => Err("is cut short: a list reaches beyond it; fetch it again".into()),
        }
    }

    fn text(self, i: usize) -> Parsed<String> {
        let bytes = self.vector(i, 1)?;
        let bytes = self.source.bytes(bytes.at..bytes.at + bytes.len)?;
        String::from_utf8(bytes).map_err(|_| "is damaged: a name is not UTF-8".into())
    }
}

impl<'a> Vector<'a> {
    /// The tables that the elements lead to.
    fn tables(self) -> impl Iterator<Item = Parsed<Table<'a>>> {
        (0..self.len).map(move |i| Ok(Table { source: self.source, at: follow(self.source, self.at + 4 * i)? }))
    }

    /// The elements, paid for: lists may lie in one place for any number of tables.
    fn i32s(self, out: &mut Collector) -> Parsed<Vec<i32>> {
        out.spend(self.len)?;
        (0..self.len).map(|i| Ok(u32_at(self.source, self.at + 4 * i)? as i32)).collect()
    }
}

/// `Model`: operator codes (1), subgraphs (2), buffers (4).
pub(super) fn read(source: &Source, out: &mut Collector) -> Parsed<Vec<Layer>> {
    let damaged = |problem| damaged("TFLite model", problem);
    let Graph { nodes, outputs, quantized, .. } = graph(source, out).map_err(damaged)?;
    if let Some(name) = quantized {
        return Err(format!("holds weights quantized to integers (`{name}`): convert the model in f32 or f16"));
    }
    sequence::layers(&nodes, &outputs, out.tensors())
}

/// What a model's graph holds, besides constants.
#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    outputs: Vec<String>,
    /// Short lists of integers, which may be axes.
    integers: HashMap<String, Vec<usize>>,
    /// Weights that are no floats.
    quantized: Option<String>,
}

fn graph(source: &Source, out: &mut Collector) -> Parsed<Graph> {
    let model = Table::root(source)?;
    let codes = model.vector(1, 4)?.tables().map(|code| builtin(code?)).collect::<Parsed<Vec<u32>>>()?;
    let buffers = model.vector(4, 4)?.tables().collect::<Parsed<Vec<_>>>()?;
    let Some(subgraph) = model.vector(2, 4)?.tables().next().transpose()? else { return Err("it has no graph".into()) };
    // `SubGraph`: tensors (0), outputs (2), operators (3).
    let (mut names, mut graph) = (Names::default(), Graph::default());
    for (i, tensor) in subgraph.vector(0, 4)?.tables().enumerate() {
        let tensor = tensor?;
        let name = names.add(tensor, i, out)?;
        add(tensor, &name, &buffers, &mut graph, out)?;
    }
    for operator in subgraph.vector(3, 4)?.tables() {
        // `Operator`: code (0), inputs (1), outputs (2).
        let operator = operator?;
        let code = codes.get(to_usize(operator.u32(0, 0)?)?).copied().unwrap_or(u32::MAX);
        let (inputs, outputs) = (names.of(operator.vector(1, 4)?, out)?, names.of(operator.vector(2, 4)?, out)?);
        let axes = inputs.get(1).and_then(|name| graph.integers.get(name));
        graph.nodes.push(Node { op: op(code, axes), inputs, outputs });
    }
    graph.outputs = names.of(subgraph.vector(2, 4)?, out)?;
    Ok(graph)
}

/// `OperatorCode`: the newer field (3), or the one of a byte (0) that came before.
fn builtin(code: Table) -> Parsed<u32> {
    Ok(code.u32(3, 0)?.max(code.u8(0)?.into()))
}

/// What an operator does, by its number in `BuiltinOperator`.
fn op(code: u32, axes: Option<&Vec<usize>>) -> Op {
    match code {
        0 => Op::Add,
        3 => Op::Conv,
        9 => Op::Dense { outputs_first: true },
        18 => Op::Mul,
        // TRANSPOSE takes its axes as a constant.
        39 => Op::Move(axes.cloned()),
        54 => Op::Slope,
        // DEQUANTIZE of f16, RESHAPE, SQUEEZE, EXPAND_DIMS, CAST.
        6 | 22 | 43 | 53 | 70 => Op::Move(None),
        _ => Op::Other,
    }
}

/// What tensors are called, by their numbers.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    taken: HashSet<String>,
}

impl Names {
    /// The name (3) of the next tensor, which need not be there, nor differ from others.
    fn add(&mut self, tensor: Table, number: usize, out: &mut Collector) -> Parsed<String> {
        let text = tensor.text(3)?;
        let name = if text.is_empty() || self.taken.contains(&text) { format!("{text}#{number}") } else { text };
        out.spend(name.len())?;
        self.taken.insert(name.clone());
        self.all.push(name.clone());
        Ok(name)
    }

    /// The names of a list of numbers, paid for before they are made: a long one may stand in many lists.
    fn of(&self, numbers: Vector, out: &mut Collector) -> Parsed<Vec<String>> {
        let name = |i: i32| usize::try_from(i).ok().and_then(|i| self.all.get(i)).map_or("", String::as_str);
        let names: Vec<&str> = numbers.i32s(out)?.into_iter().map(name).collect();
        out.spend(names.iter().map(|name| 1 + name.len()).sum())?;
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}

/// Axes are few; longer lists of integers are none.
const MOST_AXES: usize = 8;

/// `Tensor`: shape (0), type (1), buffer (2). Adds it where its buffer has floats; the graph takes what else matters.
fn add(tensor: Table, name: &str, buffers: &[Table], graph: &mut Graph, out: &mut Collector) -> Parsed<()> {
    let dims = tensor.vector(0, 4)?.i32s(out)?;
    let buffer = buffers.get(to_usize(tensor.u32(2, 0)?)?).ok_or("a tensor has no buffer")?;
    let Some((at, len)) = bytes_of(*buffer)? else { return Ok(()) };
    let float = match tensor.u8(1)? {
        0 => Float::F32,
        1 => Float::F16,
        10 => Float::F64,
        2 if len <= 4 * MOST_AXES => {
            let numbers = Vector { source: tensor.source, at, len: len / 4 }.i32s(out)?;
            graph
                .integers
                .insert(name.to_owned(), numbers.into_iter().filter_map(|n| usize::try_from(n).ok()).collect());
            return Ok(());
        }
        3 | 9 if dims.len() > 1 => {
            graph.quantized.get_or_insert_with(|| name.to_owned());
            return out.skip(name, "quantized to integers");
        }
        other => return out.skip(name, format!("TFLite type {other}")),
    };
    let dims = dims.into_iter().map(to_usize).collect::<Parsed<Vec<usize>>>()?;
    out.insert_stored(name, &dims, Dtype::little(float), false, Part::of(tensor.source, at, len))
}

/// `Buffer`: data (0), or a place (1) and a size (2) outside the FlatBuffer.
fn bytes_of(buffer: Table) -> Parsed<Option<(usize, usize)>> {
    let data = buffer.vector(0, 1)?;
    let (at, len) = match data.len {
        0 => (to_usize(buffer.u64(1)?)?, to_usize(buffer.u64(2)?)?),
        len => (data.at, len),
    };
    // A place of 0 or 1 stands for no data.
    if len == 0 || at <= 1 {
        return Ok(None);
    }
    match at.checked_add(len).is_some_and(|end| end <= buffer.source.len()) {
        true => Ok(Some((at, len))),
        false => Err("is cut short: a buffer reaches beyond it; fetch it again".into()),
    }
}
