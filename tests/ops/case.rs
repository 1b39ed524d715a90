//! Cases of ops: inputs, graphs, and what must come out.

use warpface::ops::{Cast, Op, Port};
use warpface::{Graph, Precision, Tensor};

use crate::common::Tolerance;

/// One op on one set of inputs.
pub struct Case {
    pub name: String,
    pub op: Op,
    pub inputs: Vec<Tensor>,
    /// Which inputs a network would hold as constants.
    pub constants: std::ops::Range<usize>,
    /// Whether they can be nothing else.
    pub fixed: bool,
    /// An absolute tolerance where the op's own cannot be held.
    pub atol: f32,
}

/// What is fed with each run; the rest are constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feeding {
    /// What is no constant of the case.
    Values,
    /// Weights too, in f32, as training keeps them.
    Weights,
    /// Everything.
    All,
}

impl Case {
    /// A case whose inputs are all computed.
    pub fn new(name: impl Into<String>, op: impl Into<Op>, inputs: Vec<Tensor>) -> Case {
        Case { name: name.into(), op: op.into(), inputs, constants: 0..0, fixed: false, atol: 0.0 }
    }

    /// The case with these inputs as constants.
    pub fn constants(self, constants: std::ops::Range<usize>) -> Case {
        Case { constants, ..self }
    }

    /// The case with inputs that only constants can be.
    pub fn fixed(self, constants: std::ops::Range<usize>) -> Case {
        Case { constants, fixed: true, ..self }
    }

    /// The case with an absolute tolerance of its own.
    pub fn atol(self, atol: f32) -> Case {
        Case { atol, ..self }
    }

    /// The graph of the op alone, and what to feed it.
    pub fn graph(&self, feeding: Feeding) -> (Graph, Vec<Tensor>) {
        let (mut graph, mut fed) = (Graph::new(), Vec::new());
        let mut ids = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let name = format!("input {i}");
            let is_weight = self.op.port(i) == Port::Any;
            let is_given = match feeding {
                Feeding::Values => !self.constants.contains(&i),
                Feeding::Weights => is_weight || !self.constants.contains(&i),
                Feeding::All => true,
            };
            if !is_given {
                ids.push(graph.param(&name, input.clone()));
                continue;
            }
            fed.push(input.clone());
            let id = graph.input(&name);
            let is_cast = is_weight && feeding == Feeding::Weights;
            ids.push(if is_cast { graph.op("f32", Cast { keep_f32: true }, &[id]) } else { id });
        }
        let y = graph.op(&self.name, self.op.clone(), &ids);
        graph.output(y);
        (graph, fed)
    }
}

/// How far a backend may be from the exact result of a case. In other precisions the inputs are rounded first: what is
/// left is the rounding of the result, twice for safety.
pub fn tolerance(case: &Case, precision: Precision) -> Tolerance {
    let Tolerance { atol, rtol } = case.op.tolerance().at_least(case.atol);
    let rounding = match precision {
        Precision::F32 | Precision::Tf32 => 0.0,
        Precision::F16 => 1.0 / 1024.0,
        Precision::Bf16 => 1.0 / 128.0,
    };
    // The smallest f16 above zero is 2^-24.
    Tolerance { atol: atol + rounding * 1e-4, rtol: rtol + rounding }
}

/// What a backend is compared with: the reference in f64, or, where values must be equal, in f32.
pub fn expected(op: &Op, graph: &Graph, fed: &[Tensor]) -> Result<Tensor, warpface::Error> {
    if op.tolerance() == Tolerance::EXACT {
        return Ok(graph.reference(fed)?.remove(0));
    }
    let wide = |x: &Tensor| Tensor::<f64>::new(x.shape().clone(), x.data().iter().map(|&x| x.into()).collect());
    let y = graph.reference(&fed.iter().map(wide).collect::<Vec<_>>())?.remove(0);
    Ok(Tensor::new(y.shape().clone(), y.data().iter().map(|&y| y as f32).collect()))
}
