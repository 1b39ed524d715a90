//! What pools share: the window's way over the image, as kernels take it.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::Shape;
use crate::graph::Step;
use crate::ops::{Padding, window};

fields! {
    Forward {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, k_h: u32, k_w: u32, stride_y: u32, stride_x: u32, pad_y:
        u32, pad_x: u32, outputs: u32, y_offset: u32, y_stride: u32,
    }
}

fields! {
    Backward {
        h: u32, w: u32, c: u32, h_out: u32, w_out: u32, k_h: u32, k_w: u32, stride_y: u32, stride_x: u32, pad_y:
        u32, pad_x: u32, elements: u32,
    }
}

/// The window's way over `x`; what only one direction has is left at zero.
fn geometry(x: &Shape, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<Forward, String> {
    let [_, h, w, c] = x.nhwc().ok_or("x is not [n, h, w, c]")?;
    let [ay, ax] = window::axes([h, w], kernel, stride, padding)?;
    Ok(Forward {
        h: h as u32,
        w: w as u32,
        c: c as u32,
        h_out: ay.out as u32,
        w_out: ax.out as u32,
        k_h: kernel[0] as u32,
        k_w: kernel[1] as u32,
        stride_y: stride[0] as u32,
        stride_x: stride[1] as u32,
        pad_y: ay.before as u32,
        pad_x: ax.before as u32,
        ..Default::default()
    })
}

impl Forward {
    /// With where the output lies.
    pub fn of(step: &Step, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<Forward, String> {
        Ok(Forward {
            outputs: step.output.shape.elements() as u32,
            y_offset: (step.output.offset % 64) as u32,
            y_stride: step.output.stride as u32,
            ..geometry(&step.inputs[0].shape, kernel, stride, padding)?
        })
    }
}

/// A call of a pool's kernel: one thread an output, on CUDA one for eight channels where channels come in eights and lie
/// aligned, as `by_eights` in `kernels/pool2d.cuh` has it.
pub fn call_pool<L: Lower<Params = Forward>>(
    entry: &'static str,
    params: Forward,
    step: &Step,
    tuning: Tuning,
) -> Calls {
    let Forward { c, y_offset, y_stride, outputs, .. } = params;
    let by_eights = tuning.cuda() && (c | y_stride | y_offset).is_multiple_of(8);
    let threads = if by_eights { outputs / 8 } else { outputs };
    Ok(vec![call::<L>(entry, params, operands(step), tuning.threads(threads as usize)?)])
}

impl Backward {
    /// With how many elements `x` has.
    pub fn of(x: &Shape, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<Backward, String> {
        let Forward { h, w, c, h_out, w_out, k_h, k_w, stride_y, stride_x, pad_y, pad_x, .. } =
            geometry(x, kernel, stride, padding)?;
        let elements = x.elements() as u32;
        Ok(Backward { h, w, c, h_out, w_out, k_h, k_w, stride_y, stride_x, pad_y, pad_x, elements })
    }
}
