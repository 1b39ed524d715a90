//! Pools.

use super::{Call, Operand, Tuning, call, operands, params};
use crate::Shape;
use crate::graph::Step;
use crate::ops::{AvgPool2d, AvgPool2dBwd, MaxPool2d, MaxPool2dBwd, Padding, window};

pub fn max_pool2d(op: &MaxPool2d, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = forward(step, op.kernel, op.stride, op.padding)?;
    let groups = tuning.threads(step.output.shape.elements())?;
    Ok(vec![call("max_pool2d_fwd", params, operands(step), groups)])
}

pub fn avg_pool2d(op: &AvgPool2d, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [_, h, w, _] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let max = forward(step, op.kernel_on(h, w), op.stride, op.padding)?;
    // The same fields for another shader.
    let params: params::AvgPool2d = bytemuck::cast(max);
    let groups = tuning.threads(step.output.shape.elements())?;
    Ok(vec![call("avg_pool2d_fwd", params, operands(step), groups)])
}

/// The window's way over `x`; what only one direction has is left at zero.
fn geometry(x: &Shape, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<params::MaxPool2d, String> {
    let [_, h, w, c] = x.nhwc().ok_or("x is not [n, h, w, c]")?;
    let [ay, ax] = window::axes([h, w], kernel, stride, padding)?;
    Ok(params::MaxPool2d {
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

/// The parameters forward: with where the output lies.
fn forward(step: &Step, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<params::MaxPool2d, String> {
    Ok(params::MaxPool2d {
        outputs: step.output.shape.elements() as u32,
        y_offset: (step.output.offset % 64) as u32,
        y_stride: step.output.stride as u32,
        ..geometry(&step.inputs[0].shape, kernel, stride, padding)?
    })
}

pub fn max_pool2d_bwd(op: &MaxPool2dBwd, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let params = backward(&step.output.shape, op.kernel, op.stride, op.padding)?;
    let groups = tuning.threads(step.output.shape.elements())?;
    Ok(vec![call("max_pool2d_bwd", params, operands(step), groups)])
}

pub fn avg_pool2d_bwd(op: &AvgPool2dBwd, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [_, h, w, _] = step.output.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let max = backward(&step.output.shape, op.kernel_on(h, w), op.stride, op.padding)?;
    // The same fields for another shader.
    let params: params::AvgPool2dBwd = bytemuck::cast(max);
    let operands = vec![Operand::View(step.inputs[0].clone()), Operand::View(step.output.clone())];
    Ok(vec![call("avg_pool2d_bwd", params, operands, tuning.threads(step.output.shape.elements())?)])
}

/// The parameters backward: with how many elements `x` has.
fn backward(
    x: &Shape,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
) -> Result<params::MaxPool2dBwd, String> {
    let params::MaxPool2d { h, w, c, h_out, w_out, k_h, k_w, stride_y, stride_x, pad_y, pad_x, .. } =
        geometry(x, kernel, stride, padding)?;
    let elements = x.elements() as u32;
    Ok(params::MaxPool2dBwd { h, w, c, h_out, w_out, k_h, k_w, stride_y, stride_x, pad_y, pad_x, elements })
}
