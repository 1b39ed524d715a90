//! ONNX: `onnx.proto`'s `ModelProto` of opset 17, channels before rows and columns, any number of images.

mod ops;

use super::draft::{Draft, Held, INPUT, OUTPUT, Step, Value};
use super::message::Message;
use super::{Export, describe};
use crate::error::Result;
use crate::shape::Shape;

/// The version of the format, that of opset 17.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// `AttributeProto.AttributeType`.
mod kind {
    pub const FLOAT: i64 = 1;
    pub const INT: i64 = 2;
    pub const INTS: i64 = 7;
}

/// The model.
///
/// # Errors
/// [`crate::Error::Invalid`] names an op that ONNX does not have.
pub(super) fn model(export: &Export) -> Result<(Message, usize)> {
    let draft = export.draft("ONNX", ops::lower)?;
    let facts = export.facts.named();
    let metadata = facts.iter().map(|(name, value)| (*name, value.as_str())).chain([("warpface.layout", "NCHW")]);
    let model = Message::new().number(1, IR_VERSION).text(2, "warpface").text(3, env!("CARGO_PKG_VERSION"));
    let model = model.message(7, graph(export, &draft)).message(8, Message::new().text(1, "").number(2, OPSET));
    let model = metadata.fold(model, |model, (name, value)| {
        // `StringStringEntryProto`
        model.message(14, Message::new().text(1, name).text(2, value))
    });
    Ok((model, draft.constants.len()))
}

/// A `GraphProto`.
fn graph(export: &Export, draft: &Draft) -> Message {
    let nodes = draft.steps.iter().fold(Message::new(), |graph, step| graph.message(1, node(step)));
    let graph = nodes.text(2, export.network.def.name());
    let graph = draft.constants.iter().fold(graph, |graph, held| graph.message(5, tensor(held)));
    let channels_first = match *draft.input.dims() {
        [n, h, w, c] => Shape::from([n, c, h, w]),
        _ => draft.input.clone(),
    };
    let doc = format!("{}, as planes of red, green and blue", describe(export));
    let graph = graph.message(11, value(INPUT, &channels_first).text(3, &doc));
    graph.message(12, value(OUTPUT, &draft.output).text(3, "vectors of length 1"))
}

/// A `NodeProto`.
fn node(step: &Step) -> Message {
    let node = step.inputs.iter().fold(Message::new(), |node, input| node.text(1, input));
    let node = node.text(2, &step.name).text(3, &step.name).text(4, step.kind);
    step.attributes.iter().fold(node, |node, attribute| node.message(5, attribute.clone()))
}

/// A `TensorProto`.
fn tensor(held: &Held) -> Message {
    let dims: Vec<i64> = held.dims.iter().map(|&extent| extent as i64).collect();
    let tensor = Message::new().numbers(1, &dims);
    match &held.value {
        Value::Weights(constant, axes) => tensor.number(2, FLOAT).text(8, &held.name).values(9, constant, axes),
        Value::Ints(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensor.number(2, INT64).text(8, &held.name).bytes(9, &bytes)
        }
        Value::Float(x) => tensor.number(2, FLOAT).text(8, &held.name).bytes(9, &x.to_le_bytes()),
    }
}

/// A `ValueInfoProto` of floats: any number of images of these extents.
fn value(name: &str, one: &Shape) -> Message {
    let any = Message::new().message(1, Message::new().text(2, "n"));
    let extent = |shape: Message, &extent: &usize| shape.message(1, Message::new().number(1, extent as i64));
    let shape = one.dims().iter().skip(1).fold(any, extent);
    let tensor = Message::new().number(1, FLOAT).message(2, shape);
    Message::new().text(1, name).message(2, Message::new().message(1, tensor))
}

/// An `AttributeProto`.
fn int(name: &str, value: i64) -> Message {
    Message::new().text(1, name).number(3, value).number(20, kind::INT)
}

fn float(name: &str, value: f32) -> Message {
    Message::new().text(1, name).float(2, value).number(20, kind::FLOAT)
}

fn ints(name: &str, values: &[i64]) -> Message {
    let attribute = values.iter().fold(Message::new().text(1, name), |attribute, &value| attribute.number(8, value));
    attribute.number(20, kind::INTS)
}
