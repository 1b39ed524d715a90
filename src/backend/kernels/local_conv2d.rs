//! One thread an output of four images; CUDA's warps take four outputs of all images. Filters that a binding cannot hold
//! are taken piece by piece.

use super::{Calls, Lower, Operand, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::{Activation, LocalConv2d};

fields! {
    Params {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_h: u32, k_w: u32, stride_y: u32,
        stride_x: u32, outputs: u32, relu: u32, first: u32, positions: u32, skipped: u32,
    }
}

impl Lower for LocalConv2d {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [n, h, w, c_in] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let &[h_out, w_out, c_out, k_h, k_w, _] = step.inputs[1].shape.dims() else {
            return Err("w is not [h_out, w_out, c_out, k_h, k_w, c_in]".into());
        };
        let outputs = step.output.shape.elements();
        let params = Params {
            h: h as u32,
            w: w as u32,
            c_in: c_in as u32,
            h_out: h_out as u32,
            w_out: w_out as u32,
            c_out: c_out as u32,
            k_h: k_h as u32,
            k_w: k_w as u32,
            stride_y: self.stride[0] as u32,
            stride_x: self.stride[1] as u32,
            outputs: outputs as u32,
            relu: u32::from(self.activation == Activation::Relu),
            ..Default::default()
        };
        let filters = step.inputs[1].shape.elements() / (h_out * w_out).max(1);
        // Every WebGPU device binds 128 MiB; CUDA has no bindings.
        let most = if tuning.cuda() { h_out * w_out } else { (BINDING / filters.max(1)).max(1) };
        let piece = |first: usize| {
            let positions = most.min(h_out * w_out - first);
            let (of, start) = (step.inputs[1].clone(), first * filters);
            let skipped = ((of.offset + start) % 64) as u32;
            let mut operands = operands(step);
            operands[1] = Operand::Part { of, first: start, elements: positions * filters };
            let params = Params { first: first as u32, positions: positions as u32, skipped, ..params };
            let groups = match tuning.cuda() {
                true => tuning.rows(positions * c_out.div_ceil(4))?,
                false => tuning.threads(n.div_ceil(4) * positions * c_out)?,
            };
            Ok(call::<Self>("local_conv2d_fwd", params, operands, groups))
        };
        (0..h_out * w_out).step_by(most).map(piece).collect()
    }
}

/// Filters' elements that a piece has at most.
const BINDING: usize = 16 << 20;
