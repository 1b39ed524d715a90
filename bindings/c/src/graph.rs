//! Graphs of ops, for who links the kernels.

use std::ffi::c_char;
use std::sync::{Arc, Mutex, PoisonError};

use warpface::backend::Executable;
use warpface::graph::NodeId;
use warpface::ops::Op;
use warpface::{Graph, Shape, Tensor};

use crate::device::WarpfaceDevice;
use crate::status::{Fault, Outcome, WarpfaceStatus, guard};
use crate::{give, here, place, slice, take, text};

/// A graph of ops that is being built. Values are dense, row-major, NHWC; filters OHWI.
pub struct WarpfaceGraph(Mutex<Building>);

#[derive(Default)]
struct Building {
    graph: Graph,
    nodes: Vec<NodeId>,
}

/// A graph at fixed sizes on a device, ready to run any number of times.
pub struct WarpfaceProgram(Box<dyn Executable>);

/// The extents of a value.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WarpfaceShape {
    /// One for each axis.
    pub extents: *const usize,
    /// How many there are.
    pub rank: usize,
}

impl WarpfaceShape {
    /// # Safety
    /// There are as many extents as it says.
    unsafe fn shape(&self) -> Outcome<Shape> {
        // SAFETY: the caller's promise.
        let extents = unsafe { slice(self.extents, self.rank, "extents")? };
        let elements = extents.iter().try_fold(1usize, |all, &extent| all.checked_mul(extent));
        match elements.filter(|&all| all > 0 && all < isize::MAX as usize / 4) {
            Some(_) => Ok(Shape::from(extents)),
            None => Err(Fault::usage(format!("{extents:?} is no shape"))),
        }
    }
}

impl WarpfaceGraph {
    /// Adds a node, and returns its number.
    fn add(&self, make: impl FnOnce(&mut Building) -> Outcome<NodeId>) -> Outcome<usize> {
        let mut building = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let node = make(&mut building)?;
        building.nodes.push(node);
        Ok(building.nodes.len() - 1)
    }
}

impl Building {
    fn node(&self, number: usize) -> Outcome<NodeId> {
        let node = self.nodes.get(number).copied();
        node.ok_or_else(|| Fault::usage(format!("there is no node {number}; {} are there", self.nodes.len())))
    }
}

/// Begins a graph.
///
/// # Safety
/// `graph` is a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_graph_new(graph: *mut *mut WarpfaceGraph) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        *unsafe { place(graph, "graph")? } = give(WarpfaceGraph(Mutex::default()));
        Ok(())
    })
}

/// Frees a graph. Programs of it go on.
///
/// # Safety
/// `graph` is NULL, or was made and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_graph_free(graph: *mut WarpfaceGraph) {
    // SAFETY: the caller's promise.
    unsafe { take(graph) }
}

/// Adds an input; `node` is its number.
///
/// # Safety
/// `graph` is a graph, `name` a C string, `node` a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_graph_input(
    graph: *const WarpfaceGraph,
    name: *const c_char,
    node: *mut usize,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (graph, name, node) = unsafe { (here(graph, "graph")?, text(name, "name")?, place(node, "node")?) };
        *node = graph.add(|building| Ok(building.graph.input(name)))?;
        Ok(())
    })
}

/// Adds weights, whose values are copied; `node` is their number.
///
/// # Safety
/// `graph` is a graph, `name` a C string, `values` has as many values as `shape` says, `node` is a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_graph_weights(
    graph: *const WarpfaceGraph,
    name: *const c_char,
    shape: WarpfaceShape,
    values: *const f32,
    node: *mut usize,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (graph, name, node) = unsafe { (here(graph, "graph")?, text(name, "name")?, place(node, "node")?) };
        // SAFETY: the caller's promise.
        let shape = unsafe { shape.shape()? };
        // SAFETY: the caller's promise.
        let values = unsafe { slice(values, shape.elements(), "values")? }.to_vec();
        *node = graph.add(|building| Ok(building.graph.param(name, Tensor::new(shape, values))))?;
        Ok(())
    })
}

/// Adds an op by its stem, such as "max_pool2d", with its attributes as a JSON object, such as
/// {"kernel": [2, 2], "stride": [2, 2], "padding": "valid"}; `node` is its number. The ops and their attributes are those of
/// the library's module `ops`.
///
/// # Safety
/// `graph` is a graph; `name`, `op` and `attributes` are C strings; `inputs` has `count` numbers; `node` is a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_graph_op(
    graph: *const WarpfaceGraph,
    name: *const c_char,
    op: *const c_char,
    attributes: *const c_char,
    inputs: *const usize,
    count: usize,
    node: *mut usize,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (graph, name, node) = unsafe { (here(graph, "graph")?, text(name, "name")?, place(node, "node")?) };
        // SAFETY: the caller's promise.
        let (op, attributes) = unsafe { (text(op, "op")?, text(attributes, "attributes")?) };
        // SAFETY: the caller's promise.
        let inputs = unsafe { slice(inputs, count, "inputs")? };
        let op = Op::from_json(op, attributes)?;
        *node = graph.add(|building| {
            let inputs = inputs.iter().map(|&input| building.node(input)).collect::<Outcome<Vec<NodeId>>>()?;
            Ok(building.graph.op(name, op, &inputs))
        })?;
        Ok(())
    })
}

/// Makes a node's value an output: the first, the second, and so on.
///
/// # Safety
/// `graph` is a graph.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_graph_output(graph: *const WarpfaceGraph, node: usize) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let graph = unsafe { here(graph, "graph")? };
        let mut building = graph.0.lock().unwrap_or_else(PoisonError::into_inner);
        let node = building.node(node)?;
        building.graph.output(node);
        Ok(())
    })
}

/// Loads a graph into a device, for inputs of these shapes, in f32.
///
/// # Safety
/// `device` is a device, `graph` a graph, `inputs` has `count` shapes, `program` is a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_program_open(
    device: *const WarpfaceDevice,
    graph: *const WarpfaceGraph,
    inputs: *const WarpfaceShape,
    count: usize,
    program: *mut *mut WarpfaceProgram,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (device, graph) = unsafe { (here(device, "device")?, here(graph, "graph")?) };
        // SAFETY: the caller's promise.
        let (inputs, place) = unsafe { (slice(inputs, count, "inputs")?, place(program, "program")?) };
        // SAFETY: the caller's promise.
        let shapes = inputs.iter().map(|shape| unsafe { shape.shape() }).collect::<Outcome<Vec<Shape>>>()?;
        let graph = graph.0.lock().unwrap_or_else(PoisonError::into_inner).graph.clone();
        let backend = device.0.backend();
        *place = give(WarpfaceProgram(backend.load(Arc::new(graph))?.plan(&shapes)?));
        Ok(())
    })
}

/// Frees a program.
///
/// # Safety
/// `program` is NULL, or was opened and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_program_free(program: *mut WarpfaceProgram) {
    // SAFETY: the caller's promise.
    unsafe { take(program) }
}

/// Values of an output; 0 where there is none of this number.
///
/// # Safety
/// `program` is NULL or a program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_program_values(program: *const WarpfaceProgram, output: usize) -> usize {
    // SAFETY: the caller's promise.
    let program = unsafe { here(program, "program") };
    program.map_or(0, |program| program.0.plan().outputs.get(output).map_or(0, |view| view.shape.elements()))
}

/// Runs a program: as many inputs and outputs as the graph has, each with all its values.
///
/// # Safety
/// `program` is a program; each of `inputs` and of `outputs` has as many values as the program's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_program_run(
    program: *const WarpfaceProgram,
    inputs: *const *const f32,
    outputs: *const *mut f32,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let program = unsafe { here(program, "program")? };
        let plan = program.0.plan();
        // SAFETY: the caller's promise.
        let inputs = unsafe { slice(inputs, plan.inputs.len(), "inputs")? };
        // SAFETY: the caller's promise.
        let outputs = unsafe { slice(outputs, plan.outputs.len(), "outputs")? };
        if outputs.iter().any(|output| output.is_null()) {
            return Err(Fault::null("an output"));
        }
        let views = plan.inputs.iter().zip(inputs);
        // SAFETY: the caller's promise.
        let values = views.map(|(view, &input)| unsafe { slice(input, view.shape.elements(), "an input") });
        let values = values.collect::<Outcome<Vec<&[f32]>>>()?;
        for (result, &output) in program.0.run(&values)?.iter().zip(outputs) {
            // SAFETY: the caller's promise; results are as long as the plan says.
            unsafe { std::ptr::copy_nonoverlapping(result.as_ptr(), output, result.len()) };
        }
        Ok(())
    })
}
