//! Ops as ONNX has them, of opset 17, with channels before rows and columns.

use super::{float, int, ints};
use crate::ops::{Activation, AvgPool2d, Conv2d, Dense, L2Normalize, L2Pool2d, LocalConv2d, Lrn, MaxPool2d, Op, Pad2d};
use crate::weights::export::draft::{At, Lowered};
use crate::weights::export::message::Message;
use crate::weights::export::windows::{self, pads};

/// Adds the steps of an op; returns the name of its value.
pub(super) fn lower(at: &mut At<'_>, op: &Op) -> Lowered {
    match op {
        Op::Conv2d(op) => conv(at, op),
        Op::LocalConv2d(op) => local(at, op),
        Op::Dense(op) => dense(at, op),
        Op::MaxPool2d(op) => max_pool(at, op),
        Op::AvgPool2d(op) => mean_pool(at, op),
        Op::L2Pool2d(op) => norm_pool(at, op),
        Op::Lrn(op) => Ok(response(at, op)),
        Op::Concat(_) => {
            let inputs = at.all_inputs();
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            Ok(at.step("Concat", "Concat", &inputs, vec![int("axis", 1)]))
        }
        Op::Pad2d(op) => pad(at, op),
        Op::Flatten(_) => Ok(flatten(at)),
        Op::L2Normalize(op) => normalize(at, op),
        other => Err(other.stem().to_owned()),
    }
}

/// What a window is called in attributes.
fn window(kernel: [usize; 2], stride: [usize; 2], pads: [[i64; 2]; 2]) -> Vec<Message> {
    let [[top, bottom], [left, right]] = pads;
    let wide = |extents: [usize; 2]| extents.map(|extent| extent as i64);
    vec![ints("kernel_shape", &wide(kernel)), ints("strides", &wide(stride)), ints("pads", &[top, left, bottom, right])]
}

fn conv(at: &mut At<'_>, op: &Conv2d) -> Lowered {
    let (&[_, h, w, c_in], &[c_out, k_h, k_w, _]) = (at.dims(0), at.dims(1)) else { return Err("such extents".into()) };
    let [bias, _, residual] = op.optional_inputs();
    let mut inputs = vec![at.input(0), at.weights(1, &[0, 3, 1, 2], &[c_out, c_in, k_h, k_w])?];
    if let Some(bias) = bias {
        inputs.push(at.weights(bias, &[0], &[c_out])?);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let pads = pads([h, w], [k_h, k_w], op.stride, op.padding)?;
    let mut y = at.step("Conv", "Conv", &inputs, window([k_h, k_w], op.stride, pads));
    if let (Some(residual), Some(scale)) = (residual, op.residual_scale) {
        if scale != 1.0 {
            let scale = at.float("scale", scale);
            y = at.step("Mul", "Mul", &[&y, &scale], Vec::new());
        }
        let residual = at.input(residual);
        y = at.step("Add", "Add", &[&y, &residual], Vec::new());
    }
    activate(at, op.activation, y)
}

fn activate(at: &mut At<'_>, activation: Activation, y: String) -> Lowered {
    match activation {
        Activation::None => Ok(y),
        Activation::Relu => Ok(at.step("Relu", "Relu", &[&y], Vec::new())),
        Activation::PRelu => Err("a fused PReLU".into()),
    }
}

/// ONNX has no such layer: rows and columns of all windows are gathered, and each position has a product of its own.
fn local(at: &mut At<'_>, op: &LocalConv2d) -> Lowered {
    let &[h_out, w_out, c_out, k_h, k_w, c_in] = at.dims(1) else { return Err("such extents".into()) };
    let (positions, taps) = (h_out * w_out, k_h * k_w * c_in);
    let (x, [s_h, s_w]) = (at.input(0), op.stride);
    let rows = at.table("row_places", &[h_out, k_h], windows::places(h_out, k_h, s_h));
    let columns = at.table("column_places", &[w_out, k_w], windows::places(w_out, k_w, s_w));
    let x = at.step("rows", "Gather", &[&x, &rows], vec![int("axis", 2)]);
    let x = at.step("columns", "Gather", &[&x, &columns], vec![int("axis", 4)]);
    // From images, channels, rows and their taps, columns and their taps.
    let x = at.step("windows", "Transpose", &[&x], vec![ints("perm", &[2, 4, 0, 3, 5, 1])]);
    let shape = at.ints("windows_shape", &[positions as i64, -1, taps as i64]);
    let x = at.step("windows_of_positions", "Reshape", &[&x, &shape], Vec::new());
    let w = at.weights(1, &[0, 1, 3, 4, 5, 2], &[positions, taps, c_out])?;
    let y = at.step("MatMul", "MatMul", &[&x, &w], Vec::new());
    let y = at.step("images", "Transpose", &[&y], vec![ints("perm", &[1, 0, 2])]);
    let shape = at.ints("map_shape", &[-1, h_out as i64, w_out as i64, c_out as i64]);
    let y = at.step("map", "Reshape", &[&y, &shape], Vec::new());
    let b = at.weights(2, &[0, 1, 2], &[h_out, w_out, c_out])?;
    let y = at.step("Add", "Add", &[&y, &b], Vec::new());
    let y = activate(at, op.activation, y)?;
    Ok(at.step("channels_first", "Transpose", &[&y], vec![ints("perm", &[0, 3, 1, 2])]))
}

fn dense(at: &mut At<'_>, op: &Dense) -> Lowered {
    let (&[_, _], &[out, k]) = (at.dims(0), at.dims(1)) else { return Err("a map that is not flattened".into()) };
    let mut inputs = vec![at.input(0), at.weights(1, &[0, 1], &[out, k])?];
    if let Some(bias) = op.optional_inputs()[0] {
        inputs.push(at.weights(bias, &[0], &[out])?);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let y = at.step("Gemm", "Gemm", &inputs, vec![int("transB", 1)]);
    activate(at, op.activation, y)
}

fn max_pool(at: &mut At<'_>, op: &MaxPool2d) -> Lowered {
    let &[_, h, w, _] = at.dims(0) else { return Err("such extents".into()) };
    let pads = pads([h, w], op.kernel, op.stride, op.padding)?;
    let x = at.input(0);
    Ok(at.step("MaxPool", "MaxPool", &[&x], window(op.kernel, op.stride, pads)))
}

/// What is around does not count, which is ONNX's default.
fn mean_pool(at: &mut At<'_>, op: &AvgPool2d) -> Lowered {
    let x = at.input(0);
    let (Some(kernel), &[_, h, w, _]) = (op.kernel, at.dims(0)) else {
        return Ok(at.step("GlobalAveragePool", "GlobalAveragePool", &[&x], Vec::new()));
    };
    let pads = pads([h, w], kernel, op.stride, op.padding)?;
    Ok(at.step("AveragePool", "AveragePool", &[&x], window(kernel, op.stride, pads)))
}

/// As the root of a mean of squares, times their count: `LpPool` is not in every runtime.
fn norm_pool(at: &mut At<'_>, op: &L2Pool2d) -> Lowered {
    let &[_, h, w, _] = at.dims(0) else { return Err("such extents".into()) };
    let pads = pads([h, w], op.kernel, op.stride, op.padding)?;
    if pads != [[0; 2]; 2] {
        return Err("an l2_pool2d that meets the border".into());
    }
    let x = at.input(0);
    let y = at.step("Square", "Mul", &[&x, &x], Vec::new());
    let y = at.step("AveragePool", "AveragePool", &[&y], window(op.kernel, op.stride, pads));
    let taps = at.float("taps", (op.kernel[0] * op.kernel[1]) as f32);
    let y = at.step("Mul", "Mul", &[&y, &taps], Vec::new());
    Ok(at.step("Sqrt", "Sqrt", &[&y], Vec::new()))
}

/// ONNX divides alpha by the window's channels.
fn response(at: &mut At<'_>, op: &Lrn) -> String {
    let (x, size) = (at.input(0), 2 * op.radius + 1);
    let attributes = vec![
        int("size", size as i64),
        float("alpha", op.alpha * size as f32),
        float("beta", op.beta),
        float("bias", op.bias),
    ];
    at.step("LRN", "LRN", &[&x], attributes)
}

fn pad(at: &mut At<'_>, op: &Pad2d) -> Lowered {
    let [[top, bottom], [left, right]] = op.borders.map(|borders| borders.map(i64::from));
    if op.borders.as_flattened().iter().any(|&border| border < 0) {
        return Err("a pad2d that crops".into());
    }
    let x = at.input(0);
    let pads = at.ints("pads", &[0, 0, top, left, 0, 0, bottom, right]);
    Ok(at.step("Pad", "Pad", &[&x, &pads], Vec::new()))
}

/// Flattened maps have their channels last.
fn flatten(at: &mut At<'_>) -> String {
    let mut x = at.input(0);
    if let &[_, h, w, _] = at.dims(0)
        && h * w > 1
    {
        x = at.step("channels_last", "Transpose", &[&x], vec![ints("perm", &[0, 2, 3, 1])]);
    }
    at.step("Flatten", "Flatten", &[&x], vec![int("axis", 1)])
}

fn normalize(at: &mut At<'_>, op: &L2Normalize) -> Lowered {
    let &[_, _] = at.dims(0) else { return Err("an l2_normalize of maps".into()) };
    let x = at.input(0);
    let square = at.step("Square", "Mul", &[&x, &x], Vec::new());
    let axes = at.ints("Sum/axes", &[1]);
    let sum = at.step("Sum", "ReduceSum", &[&square, &axes], vec![int("keepdims", 1)]);
    let least = at.float("Maximum/y", op.epsilon);
    let sum = at.step("Maximum", "Max", &[&sum, &least], Vec::new());
    let norm = at.step("Sqrt", "Sqrt", &[&sum], Vec::new());
    Ok(at.step("Div", "Div", &[&x, &norm], Vec::new()))
}
