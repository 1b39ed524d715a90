//! Ops as TensorFlow has them; those of its first versions, where there is a choice.

use super::{boolean, data_type, float, int, ints, text};
use crate::ops::{
    Activation, AvgPool2d, Conv2d, Dense, L2Normalize, L2Pool2d, LocalConv2d, Lrn, MaxPool2d, Op, Pad2d, Padding,
};
use crate::tensor::Tensor;
use crate::weights::export::draft::{At, Lowered};
use crate::weights::export::message::Message;
use crate::weights::export::windows::{self, pads};

/// `DataType`.
const FLOAT: i64 = super::FLOAT;
const INT32: i64 = super::INT32;

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
        Op::Concat(_) => Ok(concat(at)),
        Op::Pad2d(op) => pad(at, op),
        Op::Flatten(_) => {
            let (x, k) = (at.input(0), at.out()[1]);
            Ok(reshape(at, "Reshape", &x, &[-1, k as i64]))
        }
        Op::L2Normalize(op) => Ok(normalize(at, op)),
        other => Err(other.stem().to_owned()),
    }
}

/// The attribute that says that values are floats.
fn floats() -> Vec<Message> {
    vec![data_type("T", FLOAT)]
}

/// The attributes of a sum or a mean that keeps its axes.
fn reduction() -> Vec<Message> {
    vec![boolean("keep_dims", true), data_type("T", FLOAT), data_type("Tidx", INT32)]
}

/// An attribute that has a value for each axis of a map.
fn by_axis(name: &str, [y, x]: [usize; 2]) -> Message {
    ints(name, &[1, y as i64, x as i64, 1])
}

/// The word for padding; other padding is a step of its own.
fn word(padding: Padding) -> &'static str {
    match padding {
        Padding::Same => "SAME",
        Padding::Valid | Padding::Around(_) => "VALID",
    }
}

fn conv(at: &mut At<'_>, op: &Conv2d) -> Lowered {
    let &[c_out, k_h, k_w, c_in] = at.dims(1) else { return Err("such extents".into()) };
    let [bias, _, residual] = op.optional_inputs();
    let x = match op.padding {
        Padding::Around(pad) => {
            let (x, pad) = (at.input(0), pad as i64);
            padded(at, &x, [[pad; 2]; 2])
        }
        _ => at.input(0),
    };
    let w = at.weights(1, &[1, 2, 3, 0], &[k_h, k_w, c_in, c_out])?;
    let mut y = at.step("Conv2D", "Conv2D", &[&x, &w], convolution(op.stride, op.padding));
    if let Some(bias) = bias {
        y = add_bias(at, &y, bias, c_out)?;
    }
    if let (Some(residual), Some(scale)) = (residual, op.residual_scale) {
        if scale != 1.0 {
            let scale = at.float("scale", scale);
            y = at.step("mul", "Mul", &[&y, &scale], floats());
        }
        let residual = at.input(residual);
        y = at.step("add", "Add", &[&y, &residual], floats());
    }
    activate(at, op.activation, y)
}

fn convolution(stride: [usize; 2], padding: Padding) -> Vec<Message> {
    vec![
        data_type("T", FLOAT),
        by_axis("strides", stride),
        by_axis("dilations", [1, 1]),
        text("padding", word(padding)),
        text("data_format", "NHWC"),
    ]
}

fn add_bias(at: &mut At<'_>, y: &str, bias: usize, c: usize) -> Lowered {
    let b = at.weights(bias, &[0], &[c])?;
    Ok(at.step("BiasAdd", "BiasAdd", &[y, &b], vec![data_type("T", FLOAT), text("data_format", "NHWC")]))
}

fn activate(at: &mut At<'_>, activation: Activation, y: String) -> Lowered {
    match activation {
        Activation::None => Ok(y),
        Activation::Relu => Ok(at.step("Relu", "Relu", &[&y], floats())),
        Activation::PRelu => Err("a fused PReLU".into()),
    }
}

/// Zeros around a map.
fn padded(at: &mut At<'_>, x: &str, [rows, columns]: [[i64; 2]; 2]) -> String {
    let paddings = borders(at, [rows, columns]);
    at.step("Pad", "Pad", &[x, &paddings], vec![data_type("T", FLOAT), data_type("Tpaddings", INT32)])
}

/// How much is added to each axis of a map, before and after.
fn borders(at: &mut At<'_>, [rows, columns]: [[i64; 2]; 2]) -> String {
    at.table("Pad/paddings", &[4, 2], [[0; 2], rows, columns, [0; 2]].as_flattened().to_vec())
}

fn reshape(at: &mut At<'_>, name: &str, x: &str, shape: &[i64]) -> String {
    let shape = at.ints(&format!("{name}/shape"), shape);
    at.step(name, "Reshape", &[x, &shape], vec![data_type("T", FLOAT), data_type("Tshape", INT32)])
}

fn transpose(at: &mut At<'_>, name: &str, x: &str, axes: &[i64]) -> String {
    let axes = at.ints(&format!("{name}/perm"), axes);
    at.step(name, "Transpose", &[x, &axes], vec![data_type("T", FLOAT), data_type("Tperm", INT32)])
}

/// What windows cover of an axis.
fn gather(at: &mut At<'_>, name: &str, x: &str, [out, kernel, stride]: [usize; 3], axis: i64) -> String {
    let places = at.table(&format!("{name}/places"), &[out, kernel], windows::places(out, kernel, stride));
    let axis = at.table(&format!("{name}/axis"), &[], vec![axis]);
    let types = [("Tparams", FLOAT), ("Tindices", INT32), ("Taxis", INT32)];
    at.step(name, "GatherV2", &[x, &places, &axis], types.map(|(name, value)| data_type(name, value)).to_vec())
}

/// TensorFlow has no such layer: rows and columns of all windows are gathered, and each position has a product of its own.
fn local(at: &mut At<'_>, op: &LocalConv2d) -> Lowered {
    let &[h_out, w_out, c_out, k_h, k_w, c_in] = at.dims(1) else { return Err("such extents".into()) };
    let (positions, taps) = ((h_out * w_out) as i64, (k_h * k_w * c_in) as i64);
    let (x, [s_h, s_w]) = (at.input(0), op.stride);
    let x = gather(at, "rows", &x, [h_out, k_h, s_h], 1);
    let x = gather(at, "columns", &x, [w_out, k_w, s_w], 3);
    // From images, rows and their taps, columns and their taps, channels.
    let x = transpose(at, "windows", &x, &[1, 3, 0, 2, 4, 5]);
    let x = reshape(at, "windows_of_positions", &x, &[positions, -1, taps]);
    let w = at.weights(1, &[0, 1, 2, 3, 4, 5], &[h_out, w_out, c_out, k_h, k_w, c_in])?;
    let w = reshape(at, "filters_of_positions", &w, &[positions, c_out as i64, taps]);
    let turned = vec![data_type("T", FLOAT), boolean("adj_x", false), boolean("adj_y", true)];
    let y = at.step("MatMul", "BatchMatMul", &[&x, &w], turned);
    let y = transpose(at, "images", &y, &[1, 0, 2]);
    let y = reshape(at, "map", &y, &[-1, h_out as i64, w_out as i64, c_out as i64]);
    let b = at.weights(2, &[0, 1, 2], &[h_out, w_out, c_out])?;
    let y = at.step("add", "Add", &[&y, &b], floats());
    activate(at, op.activation, y)
}

fn dense(at: &mut At<'_>, op: &Dense) -> Lowered {
    let (&[_, _], &[out, k]) = (at.dims(0), at.dims(1)) else { return Err("a map that is not flattened".into()) };
    let (x, w) = (at.input(0), at.weights(1, &[1, 0], &[k, out])?);
    let plain = vec![data_type("T", FLOAT), boolean("transpose_a", false), boolean("transpose_b", false)];
    let mut y = at.step("MatMul", "MatMul", &[&x, &w], plain);
    if let Some(bias) = op.optional_inputs()[0] {
        y = add_bias(at, &y, bias, out)?;
    }
    activate(at, op.activation, y)
}

fn pool(kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Vec<Message> {
    vec![
        data_type("T", FLOAT),
        by_axis("ksize", kernel),
        by_axis("strides", stride),
        text("padding", word(padding)),
        text("data_format", "NHWC"),
    ]
}

/// What is around is less than any value.
fn max_pool(at: &mut At<'_>, op: &MaxPool2d) -> Lowered {
    let mut x = at.input(0);
    if let Padding::Around(pad) = op.padding {
        let (paddings, least) = (borders(at, [[pad as i64; 2]; 2]), at.float("Pad/constant_values", f32::MIN));
        let types = vec![data_type("T", FLOAT), data_type("Tpaddings", INT32)];
        x = at.step("Pad", "PadV2", &[&x, &paddings, &least], types);
    }
    Ok(at.step("MaxPool", "MaxPool", &[&x], pool(op.kernel, op.stride, op.padding)))
}

/// What is around does not count, where there is any.
fn mean_pool(at: &mut At<'_>, op: &AvgPool2d) -> Lowered {
    let x = at.input(0);
    let Some(kernel) = op.kernel else {
        let axes = at.ints("reduction_indices", &[1, 2]);
        return Ok(at.step("Mean", "Mean", &[&x, &axes], reduction()));
    };
    match op.padding {
        Padding::Around(_) => Err("an avg_pool2d with padding by a number".into()),
        padding => Ok(at.step("AvgPool", "AvgPool", &[&x], pool(kernel, op.stride, padding))),
    }
}

/// As the root of a mean of squares, times their count.
fn norm_pool(at: &mut At<'_>, op: &L2Pool2d) -> Lowered {
    let &[_, h, w, _] = at.dims(0) else { return Err("such extents".into()) };
    if pads([h, w], op.kernel, op.stride, op.padding)? != [[0; 2]; 2] {
        return Err("an l2_pool2d that meets the border".into());
    }
    let x = at.input(0);
    let y = at.step("Square", "Square", &[&x], floats());
    let y = at.step("AvgPool", "AvgPool", &[&y], pool(op.kernel, op.stride, Padding::Valid));
    let taps = at.float("taps", (op.kernel[0] * op.kernel[1]) as f32);
    let y = at.step("mul", "Mul", &[&y, &taps], floats());
    Ok(at.step("Sqrt", "Sqrt", &[&y], floats()))
}

fn response(at: &mut At<'_>, op: &Lrn) -> String {
    let x = at.input(0);
    if !op.radius.is_multiple_of(2) {
        return response_by_products(at, op, &x);
    }
    let attributes = vec![
        data_type("T", FLOAT),
        int("depth_radius", op.radius as i64),
        float("bias", op.bias),
        float("alpha", op.alpha),
        float("beta", op.beta),
    ];
    at.step("LRN", "LRN", &[&x], attributes)
}

/// Sums over windows of channels as products with ones and zeros: OpenVINO 2026.4 takes an odd radius of TensorFlow's `LRN` for
/// the even one below, without a word.
fn response_by_products(at: &mut At<'_>, op: &Lrn, x: &str) -> String {
    let c = at.out().last().copied().unwrap_or_default();
    let is_near = |i: usize| if (i / c).abs_diff(i % c) <= op.radius { 1.0 } else { 0.0 };
    let window = at.tensor("window", Tensor::new([1, 1, c, c], (0..c * c).map(is_near).collect()));
    let square = at.step("Square", "Square", &[x], floats());
    let sum = at.step("Conv2D", "Conv2D", &[&square, &window], convolution([1, 1], Padding::Valid));
    let alpha = at.float("alpha", op.alpha);
    let sum = at.step("mul", "Mul", &[&sum, &alpha], floats());
    let bias = at.float("bias", op.bias);
    let sum = at.step("add", "Add", &[&sum, &bias], floats());
    let beta = at.float("beta", -op.beta);
    let by = at.step("Pow", "Pow", &[&sum, &beta], floats());
    at.step("mul_1", "Mul", &[x, &by], floats())
}

fn concat(at: &mut At<'_>) -> String {
    let mut inputs = at.all_inputs();
    let last = at.out().len() - 1;
    let count = inputs.len() as i64;
    inputs.push(at.table("axis", &[], vec![last as i64]));
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    at.step("concat", "ConcatV2", &inputs, vec![int("N", count), data_type("T", FLOAT), data_type("Tidx", INT32)])
}

fn pad(at: &mut At<'_>, op: &Pad2d) -> Lowered {
    let borders = op.borders.map(|borders| borders.map(i64::from));
    if borders.as_flattened().iter().any(|&border| border < 0) {
        return Err("a pad2d that crops".into());
    }
    let x = at.input(0);
    Ok(padded(at, &x, borders))
}

/// As `tf.nn.l2_normalize`.
fn normalize(at: &mut At<'_>, op: &L2Normalize) -> String {
    let (x, last) = (at.input(0), at.out().len() - 1);
    let square = at.step("Square", "Square", &[&x], floats());
    let axes = at.ints("Sum/reduction_indices", &[last as i64]);
    let sum = at.step("Sum", "Sum", &[&square, &axes], reduction());
    let least = at.float("Maximum/y", op.epsilon);
    let sum = at.step("Maximum", "Maximum", &[&sum, &least], floats());
    let by = at.step("Rsqrt", "Rsqrt", &[&sum], floats());
    at.step("Mul", "Mul", &[&x, &by], floats())
}
