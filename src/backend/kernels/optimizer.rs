//! One thread an element; CUDA's takes four.

use super::updates::{part, start, update};
use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::{Step, View};
use crate::ops::{Optimizer, OptimizerKind};

fields! {
    Params {
        elements: u32, decayed: u32, decay: f32, kind: u32, has_b: u32, has_average: u32, from_w: u32, from_a:
        u32, from_b: u32, from_average: u32,
    }
}

impl Lower for Optimizer {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let elements = step.output.shape.last();
        let row = |i: usize| part(&step.output, i * elements, elements);
        let slots = self.kind.initial().len();
        let b = (slots > 1).then(|| row(2));
        let average = self.average.then(|| row(1 + slots));
        let from = |view: &Option<View>| view.as_ref().map_or(0, start);
        let params = Params {
            elements: elements as u32,
            decayed: self.decayed.min(elements) as u32,
            decay: self.decay,
            kind: match self.kind {
                OptimizerKind::Adagrad => 0,
                OptimizerKind::Adadelta => 1,
                OptimizerKind::Adam => 2,
                OptimizerKind::RmsProp => 3,
                OptimizerKind::Momentum => 4,
            },
            has_b: u32::from(b.is_some()),
            has_average: u32::from(average.is_some()),
            from_w: start(&row(0)),
            from_a: start(&row(1)),
            from_b: from(&b),
            from_average: from(&average),
        };
        let mut operands: Vec<Operand> = step.inputs[1..].iter().cloned().map(Operand::Constant).collect();
        operands.extend([row(0), row(1)].map(Operand::View));
        operands.extend([b, average].map(|view| view.map_or(Operand::NoValue, Operand::View)));
        // A CUDA thread takes four elements.
        let groups = tuning.threads(if tuning.cuda() { elements.div_ceil(4) } else { elements })?;
        update(step, Some(call::<Self>("optimizer_fwd", params, operands, groups)), tuning)
    }
}
