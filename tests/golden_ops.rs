//! Every op, on every device, against the dumps of `tools/golden/ops.py` and `tools/golden/losses.py`.

mod common;
#[path = "../src/ops/list.rs"]
mod list;

use std::sync::Arc;

use serde_json::{Map, Value};
use warpface::ops::{self, Op};
use warpface::{Graph, Shape, Tensor};

use common::Tolerance;
use common::close::{ROUNDED, Report};
use common::npz::{self, Arrays};
use common::{devices, files};

/// Makes the op that attributes describe: by the names of its fields, `null` where it has none.
type Describe = fn(Value) -> serde_json::Result<Op>;

/// One case of a dump: an op with its inputs and its result.
struct Case {
    name: String,
    op: Op,
    inputs: Vec<Tensor>,
    /// Which of the inputs are weights.
    params: Vec<usize>,
    expected: Tensor,
    /// An absolute tolerance where the op's usual one cannot be held.
    atol: f32,
    /// The same for f64, where inputs are rounded results themselves.
    atol64: f32,
}

impl Case {
    fn read(name: &str, arrays: &Arrays, op: Describe) -> Case {
        let attrs = arrays[&format!("{name}.attrs")].u8();
        let mut attrs: Map<String, Value> = serde_json::from_slice(attrs).unwrap();
        let params = attrs.remove("params").map_or(Vec::new(), |params| serde_json::from_value(params).unwrap());
        let mut atol = |name| attrs.remove(name).map_or(0.0, |atol| atol.as_f64().unwrap() as f32);
        let (atol, atol64) = (atol("atol"), atol("atol64"));
        // What is left describes the op.
        let attrs = if attrs.is_empty() { Value::Null } else { attrs.into() };
        let op = op(attrs).unwrap_or_else(|error| panic!("{name}: {error}"));
        let inputs = (0..).map_while(|i| Some(arrays.get(&format!("{name}.in{i}"))?.tensor())).collect();
        let expected = arrays[&format!("{name}.out")].tensor();
        Case { name: name.to_owned(), op, inputs, params, expected, atol, atol64 }
    }

    /// How far a kind of device may be from the dump.
    fn tolerance(&self, kind: &str) -> Tolerance {
        match &self.op {
            // The order of OpenCV's sums is kept on the CPU.
            Op::ResizeArea(_) | Op::WarpAffine(_) if kind == "cpu" => Tolerance::EXACT,
            op => op.tolerance().at_least(self.atol),
        }
    }

    /// The op alone in a graph: weights as parameters, the rest as inputs.
    fn graph(&self) -> (Graph, Vec<Tensor>) {
        let mut graph = Graph::new();
        let mut given = Vec::new();
        let mut nodes = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            nodes.push(if self.params.contains(&i) {
                graph.param(&format!("in{i}"), input.clone())
            } else {
                given.push(input.clone());
                graph.input(&format!("in{i}"))
            });
        }
        let y = graph.op("y", self.op.clone(), &nodes);
        graph.output(y);
        (graph, given)
    }
}

/// The reference in f32 and f64, and every device, against the dump of `stem`.
fn compare(stem: &str, op: Describe) {
    let arrays = npz::load(&files::golden(&format!("ops/{stem}.npz")));
    let cases: Vec<Case> =
        arrays.keys().filter_map(|key| Some(Case::read(key.strip_suffix(".attrs")?, &arrays, op))).collect();
    let mut report = Report::default();
    for case in &cases {
        let (graph, inputs) = case.graph();
        let tolerance = case.tolerance("cpu");
        let y = &graph.reference(&inputs).unwrap()[0];
        assert_eq!(y.shape(), case.expected.shape(), "{stem} {}", case.name);
        report.compare(&format!("reference f32, {}", case.name), y.data(), case.expected.data(), tolerance);
        let wide: Vec<Tensor<f64>> = inputs
            .iter()
            .map(|x| Tensor::new(x.shape().clone(), x.data().iter().map(|&x| x.into()).collect()))
            .collect();
        let y = &graph.reference(&wide).unwrap()[0];
        let tolerance = ROUNDED.at_least(case.atol64);
        report.compare(&format!("reference f64, {}", case.name), y.data(), case.expected.data(), tolerance);
    }
    devices::each_and_simulated(|device| {
        let kind = device.info().kind;
        for case in &cases {
            let (graph, inputs) = case.graph();
            let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape().clone()).collect();
            let values: Vec<&[f32]> = inputs.iter().map(Tensor::data).collect();
            let module = device.backend().load(Arc::new(graph)).unwrap();
            let got = module.plan(&shapes).and_then(|plan| plan.run(&values));
            let got = got.unwrap_or_else(|e| panic!("{stem} {} on {kind}: {e}", case.name));
            let tolerance = case.tolerance(kind);
            report.compare(&format!("{kind}, {}", case.name), &got[0], case.expected.data(), tolerance);
        }
    });
    report.finish();
}

macro_rules! golden {
    ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
        $(#[test]
        fn $stem() {
            compare(stringify!($stem), |attrs| serde_json::from_value::<ops::$name>(attrs).map(Op::from));
        })+
    };
}

list::for_each_op!(golden);
