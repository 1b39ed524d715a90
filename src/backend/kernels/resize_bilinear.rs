//! Taps are tables made here, where f64 decides them as it does on the CPU.

use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::image::{PillowResize, PillowTable};
use crate::ops::ResizeBilinear;

fields! {
    Params { h: u32, w: u32, h_out: u32, w_out: u32, outputs: u32, columns_first: u32, rows: u32 }
}

impl Lower for ResizeBilinear {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [_, h, w, _] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let outputs = step.output.shape.elements();
        let resize = PillowResize::new((w, h), (self.w, self.h));
        let params = Params {
            h: h as u32,
            w: w as u32,
            h_out: self.h as u32,
            w_out: self.w as u32,
            outputs: outputs as u32,
            columns_first: u32::from(resize.columns_first),
            rows: self.w as u32 + 1,
        };
        let operands = vec![
            Operand::View(step.inputs[0].clone()),
            Operand::Table(pillow_taps(&resize.x, &resize.y)),
            Operand::View(step.output.clone()),
        ];
        Ok(vec![call::<Self>("resize_bilinear_fwd", params, operands, tuning.threads(outputs)?)])
    }
}

/// `[source, weight]` words: where each cell's taps start for both axes, then the taps.
fn pillow_taps(x: &PillowTable, y: &PillowTable) -> Vec<u32> {
    let mut next = (x.taps.len() + y.taps.len() + 2) as u32;
    let mut words = Vec::new();
    for axis in [x, y] {
        words.extend([next, 0]);
        for (_, weights) in &axis.taps {
            next += weights.len() as u32;
            words.extend([next, 0]);
        }
    }
    for (from, weights) in x.taps.iter().chain(&y.taps) {
        words.extend(weights.iter().enumerate().flat_map(|(i, &weight)| [(from + i) as u32, weight as u32]));
    }
    words
}
