//! TensorFlow's frozen graph, `graph.proto`'s `GraphDef` whose weights are constants, and the SavedModel around it.

mod ops;

use super::Export;
use super::draft::{Held, INPUT, OUTPUT, Step, Value};
use super::message::Message;
use crate::error::Result;
use crate::shape::Shape;

/// `DataType`.
const FLOAT: i64 = 1;
const INT32: i64 = 3;

/// The version that graphs had when all of these ops were there, TensorFlow 1.15's.
const PRODUCER: i64 = 134;

/// What a SavedModel's graph is for, and the signature that TensorFlow Serving takes where none is named.
const TAG: &str = "serve";
const SIGNATURE: &str = "serving_default";
const METHOD: &str = "tensorflow/serving/predict";

/// The graph.
///
/// # Errors
/// [`crate::Error::Invalid`] names an op that TensorFlow does not have.
pub(super) fn graph(export: &Export) -> Result<(Message, usize)> {
    let (graph, drafted) = graph_def(export)?;
    Ok((graph, drafted.tensors))
}

/// The graph as a `SavedModel`, whose weights are in the graph.
///
/// # Errors
/// As [`graph`].
pub(super) fn saved_model(export: &Export) -> Result<(Message, usize)> {
    let (graph, Drafted { tensors, input, output }) = graph_def(export)?;
    // TensorFlow reads a version of its own there, and takes it that none is named.
    let info = Message::new().text(4, TAG);
    let tensor = |name: &str, one: &Shape| {
        // `TensorInfo`, in a map.
        let info = Message::new().text(1, &format!("{name}:0")).number(2, FLOAT).message(3, any_images(one));
        Message::new().text(1, name).message(2, info)
    };
    let signature = Message::new().message(1, tensor(INPUT, &input)).message(2, tensor(OUTPUT, &output));
    let signature = Message::new().text(1, SIGNATURE).message(2, signature.text(3, METHOD));
    let meta = Message::new().message(1, info).message(2, graph).message(5, signature);
    Ok((Message::new().number(1, 1).message(2, meta), tensors))
}

/// What is known of a graph that was made.
struct Drafted {
    tensors: usize,
    /// Extents for one image.
    input: Shape,
    output: Shape,
}

/// A `GraphDef`.
fn graph_def(export: &Export) -> Result<(Message, Drafted)> {
    let draft = export.draft("TensorFlow", ops::lower)?;
    let graph = Message::new().message(1, placeholder(export, &draft.input));
    let graph = draft.constants.iter().fold(graph, |graph, held| graph.message(1, constant(held)));
    let graph = draft.steps.iter().fold(graph, |graph, step| graph.message(1, node(step)));
    let graph = graph.message(4, Message::new().number(1, PRODUCER));
    Ok((graph, Drafted { tensors: draft.constants.len(), input: draft.input, output: draft.output }))
}

/// The input. What is known of it goes with it, as attributes of names that TensorFlow leaves to others.
fn placeholder(export: &Export, one: &Shape) -> Message {
    let shape = attribute("shape", Message::new().message(7, any_images(one)));
    let mut attributes = vec![data_type("dtype", FLOAT), shape];
    let facts = export.facts.named();
    attributes.extend(facts.iter().map(|(name, value)| text(&format!("_{name}"), value)));
    node(&Step { name: INPUT.to_owned(), kind: "Placeholder", inputs: Vec::new(), attributes })
}

/// A `NodeDef`.
fn node(step: &Step) -> Message {
    let node = Message::new().text(1, &step.name).text(2, step.kind);
    let node = step.inputs.iter().fold(node, |node, input| node.text(3, input));
    step.attributes.iter().fold(node, |node, attribute| node.message(5, attribute.clone()))
}

/// A `Const` with its `TensorProto`.
fn constant(held: &Held) -> Message {
    let shape = shape(&held.dims.iter().map(|&extent| extent as i64).collect::<Vec<_>>());
    let tensor = |dtype: i64| Message::new().number(1, dtype).message(2, shape.clone());
    let (dtype, tensor) = match &held.value {
        Value::Weights(constant, axes) => (FLOAT, tensor(FLOAT).values(4, constant, axes)),
        // One value alone stands in a list, as TensorFlow itself writes it: OpenCV looks nowhere else.
        Value::Ints(values) if values.len() == 1 => (INT32, tensor(INT32).numbers(7, values)),
        Value::Ints(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect();
            (INT32, tensor(INT32).bytes(4, &bytes))
        }
        Value::Float(x) => (FLOAT, tensor(FLOAT).bytes(5, &x.to_le_bytes())),
    };
    let attributes = vec![data_type("dtype", dtype), attribute("value", Message::new().message(8, tensor))];
    node(&Step { name: held.name.clone(), kind: "Const", inputs: Vec::new(), attributes })
}

/// A `TensorShapeProto`; -1 is any extent.
fn shape(dims: &[i64]) -> Message {
    dims.iter().fold(Message::new(), |shape, &extent| shape.message(2, Message::new().number(1, extent)))
}

/// Any number of images of these extents.
fn any_images(one: &Shape) -> Message {
    let dims = one.dims().iter().skip(1).map(|&extent| extent as i64);
    shape(&[-1].into_iter().chain(dims).collect::<Vec<_>>())
}

/// A node's attribute: a name and an `AttrValue`.
fn attribute(name: &str, value: Message) -> Message {
    Message::new().text(1, name).message(2, value)
}

fn text(name: &str, value: &str) -> Message {
    attribute(name, Message::new().text(2, value))
}

fn int(name: &str, value: i64) -> Message {
    attribute(name, Message::new().number(3, value))
}

fn float(name: &str, value: f32) -> Message {
    attribute(name, Message::new().float(4, value))
}

fn boolean(name: &str, value: bool) -> Message {
    attribute(name, Message::new().number(5, value.into()))
}

fn data_type(name: &str, value: i64) -> Message {
    attribute(name, Message::new().number(6, value))
}

fn ints(name: &str, values: &[i64]) -> Message {
    attribute(name, Message::new().message(1, Message::new().numbers(3, values)))
}
