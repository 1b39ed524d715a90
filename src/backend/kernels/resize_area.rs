//! Taps are tables made here, where f64 decides them as it does on the CPU.

use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::image::{AreaResize, AreaTable, LinearTable, Method};
use crate::ops::ResizeArea;

fields! {
    Params {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, outputs: u32, method: u32, factor_y: u32, factor_x: u32,
        bytes: u32, rows: u32, zero: u32,
    }
}

impl Lower for ResizeArea {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [_, h, w, c] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let outputs = step.output.shape.elements();
        let resize = AreaResize::new((w, h), (self.w, self.h));
        let mut params = Params {
            h: h as u32,
            w: w as u32,
            c: c as u32,
            h_out: self.h as u32,
            w_out: self.w as u32,
            outputs: outputs as u32,
            bytes: u32::from(self.bytes),
            ..Default::default()
        };
        let table = match resize.method() {
            Method::Nothing => return Err("nothing to resize".into()),
            // Blocks of one pixel.
            Method::Copy => {
                (params.method, params.factor_y, params.factor_x) = (1, 1, 1);
                vec![0; 3]
            }
            Method::Block { x, y } => {
                (params.method, params.factor_y, params.factor_x) = (1, *y as u32, *x as u32);
                vec![0; 3]
            }
            Method::Area { x, y } => {
                params.rows = x.len() as u32 + 1;
                area_taps(x, y)
            }
            Method::Linear { x, y } => {
                (params.method, params.rows) = (2, x.taps.len() as u32);
                linear_taps(x, y)
            }
        };
        let operands =
            vec![Operand::View(step.inputs[0].clone()), Operand::Table(table), Operand::View(step.output.clone())];
        Ok(vec![call::<Self>("resize_area_fwd", params, operands, tuning.threads(outputs)?)])
    }
}

/// `[first, second, weight]` words: where each cell's taps start for both axes, then the taps.
fn area_taps(x: &AreaTable, y: &AreaTable) -> Vec<u32> {
    let mut next = (x.len() + y.len() + 2) as u32;
    let mut words = Vec::new();
    for axis in [x, y] {
        for d in 0..=axis.len() {
            words.extend([next, 0, 0]);
            next += if d < axis.len() { axis.taps(d).len() as u32 } else { 0 };
        }
    }
    for axis in [x, y] {
        let taps = (0..axis.len()).flat_map(|d| axis.taps(d));
        words.extend(taps.flat_map(|tap| [tap.source, 0, tap.weight.to_bits()]));
    }
    words
}

fn linear_taps(x: &LinearTable, y: &LinearTable) -> Vec<u32> {
    let taps = x.taps.iter().chain(&y.taps);
    taps.flat_map(|tap| [tap.first, tap.second, tap.weight.to_bits()]).collect()
}
