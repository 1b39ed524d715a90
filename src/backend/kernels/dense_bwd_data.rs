//! A convolution of one pixel where tensor cores multiply; else a product of its own.

use super::convolution::{ConvGeometry, Epilogue};
use super::filters::{Filters, Taps};
use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::DenseBwdData;

fields! {
    Params { rows: u32, k: u32, c_out: u32 }
}

impl Lower for DenseBwdData {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let dx = || Operand::View(step.output.clone());
        let &[c_out, k] = step.inputs[1].shape.dims() else { return Err("w is not [c_out, k]".into()) };
        let (dy, w) = (&step.inputs[0], &step.inputs[1]);
        let rows = dy.shape.dims()[0];
        if tuning.tensor_cores() {
            let geometry = ConvGeometry::of_pixels(dy, rows, c_out, k);
            let tile = geometry.tile(tuning);
            let taps = Taps { count: [1; 2], last: [0; 2], step: [1; 2] };
            let (pack, filters) = Filters::backward(w, tile.packing, taps, tuning)?;
            let epilogue = Epilogue { y: (dx(), step.output.offset, k), ..Epilogue::plain(dx(), k) };
            return Ok(vec![pack, geometry.call(tile, filters, epilogue, tuning)?]);
        }
        let params = Params { rows: rows as u32, k: k as u32, c_out: c_out as u32 };
        let [y, z] = tuning.fold(rows.div_ceil(4))?;
        let (entry, threads) = match (tuning.cuda(), w.keep_f32) {
            (true, true) => ("dense_bwd_data_keep_f32", 256),
            (true, false) => ("dense_bwd_data", 256),
            (false, _) => ("dense_bwd_data", 64),
        };
        let operands = vec![Operand::View(dy.clone()), Operand::View(w.clone()), dx()];
        Ok(vec![call::<Self>(entry, params, operands, [k.div_ceil(threads) as u32, y, z])])
    }
}
