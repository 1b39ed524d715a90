//! Resizes: their taps are tables made here, where f64 decides them as it does on the CPU.

use super::{Call, Operand, Tuning, call, params};
use crate::graph::Step;
use crate::image::{AreaResize, AreaTable, LinearTable, Method, PillowResize, PillowTable};
use crate::ops::{ResizeArea, ResizeBilinear};

pub fn resize_area(op: &ResizeArea, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [_, h, w, c] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let outputs = step.output.shape.elements();
    let resize = AreaResize::new((w, h), (op.w, op.h));
    let mut params = params::ResizeArea {
        h: h as u32,
        w: w as u32,
        c: c as u32,
        h_out: op.h as u32,
        w_out: op.w as u32,
        outputs: outputs as u32,
        bytes: u32::from(op.bytes),
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
    Ok(vec![call("resize_area_fwd", params, operands, tuning.threads(outputs)?)])
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

pub fn resize_bilinear(op: &ResizeBilinear, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [_, h, w, _] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let outputs = step.output.shape.elements();
    let resize = PillowResize::new((w, h), (op.w, op.h));
    let params = params::ResizeBilinear {
        h: h as u32,
        w: w as u32,
        h_out: op.h as u32,
        w_out: op.w as u32,
        outputs: outputs as u32,
        columns_first: u32::from(resize.columns_first),
        rows: op.w as u32 + 1,
    };
    let operands = vec![
        Operand::View(step.inputs[0].clone()),
        Operand::Table(pillow_taps(&resize.x, &resize.y)),
        Operand::View(step.output.clone()),
    ];
    Ok(vec![call("resize_bilinear_fwd", params, operands, tuning.threads(outputs)?)])
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
