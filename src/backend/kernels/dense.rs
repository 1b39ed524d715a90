//! A convolution of one pixel where tensor cores multiply; else a product of its own.

use super::convolution::{ConvGeometry, Epilogue, flags};
use super::filters::{Filters, Packing};
use super::{Calls, Lower, Operand, Packed, Tuning, call, fields};
use crate::Shape;
use crate::graph::Step;
use crate::ops::Dense;

fields! {
    Params { rows: u32, k: u32, c_out: u32, columns: u32, flags: u32 }
}

impl Lower for Dense {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let &[rows, c_out] = step.output.shape.dims() else { return Err("y is not [n, c_out]".into()) };
        let k = step.inputs[1].shape.last();
        let [bias, alpha] = self.optional_inputs();
        let flags = flags(self.bias, self.activation, false);
        let (b, alpha) = (Operand::constant(step, bias), Operand::constant(step, alpha));
        let y = Operand::View(step.output.clone());
        if tuning.tensor_cores() {
            let geometry = ConvGeometry::of_pixels(&step.inputs[0], rows, k, c_out);
            let tile = geometry.tile(tuning);
            let (pack, filters) = Filters::forward(&step.inputs[1], tile.packing, tuning)?;
            let y = (y, step.output.offset, step.output.stride);
            let epilogue = Epilogue { flags, scale: 1.0, given: [b, alpha, Operand::NoValue], y };
            return Ok(pack.into_iter().chain([geometry.call(tile, filters, epilogue, tuning)?]).collect());
        }
        let (pack, filters) = Filters::forward(&step.inputs[1], Packing::Columns, tuning)?;
        let params = Params { rows: rows as u32, k: k as u32, c_out: c_out as u32, columns: filters.pitch, flags };
        let groups = if tuning.cuda() {
            [c_out.div_ceil(64) as u32, rows.div_ceil(16) as u32, 1]
        } else {
            let [y, z] = tuning.fold(rows.div_ceil(4))?;
            [c_out.div_ceil(4 * 32) as u32, y, z]
        };
        let operands = vec![Operand::View(step.inputs[0].clone()), filters.operand, b, alpha, y];
        Ok(pack.into_iter().chain([call::<Self>("dense_fwd", params, operands, groups)]).collect())
    }

    fn packing(&self, i: usize, _: &Shape, tuning: Tuning) -> Option<Packed> {
        // Tensor cores take it for a convolution of one pixel.
        (i == 1).then(|| Packed::Filters(if tuning.tensor_cores() { Packing::Rows } else { Packing::Columns }))
    }
}
