//! An implicit matrix product.

use super::convolution::{ConvGeometry, Epilogue, Params, flags, packing};
use super::filters::Filters;
use super::{Calls, Lower, Operand, Packed, Tuning};
use crate::Shape;
use crate::graph::Step;
use crate::ops::{Conv2d, window};

impl Lower for Conv2d {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [_, h, w, _] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let [c_out, k_h, k_w, _] = step.inputs[1].shape.nhwc().ok_or("w is not [c_out, k_h, k_w, c_in]")?;
        let [ay, ax] = window::axes([h, w], [k_h, k_w], self.stride, self.padding)?;
        let [bias, alpha, residual] = self.optional_inputs();
        let geometry = ConvGeometry {
            x: step.inputs[0].clone(),
            c_out,
            kernel: [k_h, k_w],
            stride: self.stride,
            before: [ay.before as isize, ax.before as isize],
            out: [ay.out, ax.out],
        };
        let epilogue = Epilogue {
            flags: flags(self.bias, self.activation, residual.is_some()),
            scale: self.residual_scale.unwrap_or(1.0),
            given: [
                Operand::constant(step, bias),
                Operand::constant(step, alpha),
                residual.map_or(Operand::NoValue, |i| Operand::View(step.inputs[i].clone())),
            ],
            y: (Operand::View(step.output.clone()), step.output.offset, step.output.stride),
        };
        let tile = geometry.tile(tuning);
        let (pack, filters) = Filters::forward(&step.inputs[1], tile.packing, tuning)?;
        Ok(pack.into_iter().chain([geometry.call(tile, filters, epilogue, tuning)?]).collect())
    }

    fn packing(&self, i: usize, shape: &Shape, tuning: Tuning) -> Option<Packed> {
        (i == 1).then(|| Packed::Filters(packing(shape.dims()[0], shape.last(), tuning)))
    }
}
