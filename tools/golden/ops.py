"""Golden dumps for src/ops: each op's result by a library that is not ours, at odd, tail and size-1 shapes.

    cargo xtask golden ops

writes tests/golden/ops/STEM.npz. Inputs are f32; results are computed in f64 by TensorFlow (a second opinion by
PyTorch where it has the op, or the run fails), and stored as f32. Resizes are OpenCV's and Pillow's; boxes and
suppression follow the published definitions of MTCNN's post-processing.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import cv2
import numpy as np
import tensorflow as tf
import torch
from PIL import Image
from scipy.spatial.distance import cdist

import _warp
from _dump import write


def noise(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def f64(x):
    return x.astype(np.float64)


def agree(a, b, what):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-11, err_msg=what)


def prelu(x, alpha):
    """As MTCNN's TensorFlow port writes it."""
    return tf.nn.relu(x) + alpha * -tf.nn.relu(-x)


def activate(y, activation, alpha):
    if activation == "prelu":
        return prelu(y, f64(alpha))
    return tf.nn.relu(y) if activation == "relu" else y


def same_pad(extent, kernel, stride):
    total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2


def sides(extent, kernel, stride, padding):
    """Padding of an axis, before and after: by a word, or of a number of elements."""
    if padding == "same":
        return same_pad(extent, kernel, stride)
    return (0, 0) if padding == "valid" else (padding, padding)


def for_tf(padding):
    return padding.upper() if isinstance(padding, str) else [[0, 0], [padding] * 2, [padding] * 2, [0, 0]]


def attribute(padding):
    return padding if isinstance(padding, str) else {"around": padding}


def torch_windows(x, kernel, stride, padding, fill=0.0):
    """An NHWC input as PyTorch takes it, padded by hand to TensorFlow's rule."""
    pads = [sides(x.shape[1 + i], kernel[i], stride[i], padding) for i in (0, 1)]
    t = torch.from_numpy(f64(x)).permute(0, 3, 1, 2)
    return torch.nn.functional.pad(t, (*pads[1], *pads[0]), value=fill)


# (name, x, filters [c_out, k_h, k_w], stride, padding, activation, residual scale)
CONVOLUTIONS = [
    ("single", (1, 1, 1, 1), (1, 1, 1), (1, 1), "valid", "none", None),
    ("pixel_3x3_same", (2, 1, 1, 3), (5, 3, 3), (1, 1), "same", "none", None),
    ("pixel_7x7_same_s2", (1, 1, 1, 2), (3, 7, 7), (2, 2), "same", "relu", None),
    ("pnet_first", (2, 5, 7, 3), (10, 3, 3), (1, 1), "valid", "prelu", None),
    ("one_row", (1, 1, 9, 4), (6, 1, 3), (1, 1), "same", "relu", None),
    ("one_column", (1, 9, 1, 4), (6, 3, 1), (1, 2), "same", "none", None),
    ("1x7_same", (3, 8, 8, 5), (33, 1, 7), (1, 1), "same", "relu", None),
    ("7x1_same", (1, 8, 8, 16), (17, 7, 1), (1, 1), "same", "relu", None),
    ("3x3_s2_valid", (2, 17, 13, 4), (16, 3, 3), (2, 2), "valid", "relu", None),
    ("3x3_s2_same_even", (1, 6, 8, 4), (9, 3, 3), (2, 2), "same", "none", None),
    ("2x5_s2_same", (1, 9, 6, 4), (16, 2, 5), (2, 2), "same", "none", None),
    ("2x2_same", (1, 5, 4, 7), (8, 2, 2), (1, 1), "same", "prelu", None),
    ("strides_differ", (1, 11, 10, 3), (4, 3, 3), (3, 1), "same", "none", None),
    ("stride_over_kernel", (2, 7, 8, 3), (5, 1, 1), (3, 2), "valid", "none", None),
    ("stride_over_kernel_same", (1, 7, 8, 3), (5, 2, 1), (3, 3), "same", "none", None),
    ("kernel_is_image", (2, 3, 4, 6), (7, 3, 4), (1, 1), "valid", "relu", None),
    ("kernel_over_image", (1, 2, 3, 3), (4, 5, 5), (1, 1), "same", "none", None),
    ("1x1_tail", (1, 3, 3, 67), (65, 1, 1), (1, 1), "same", "none", None),
    ("deep_3x3", (1, 3, 3, 66), (7, 3, 3), (1, 1), "valid", "none", None),
    ("residual_relu", (2, 5, 3, 9), (20, 1, 1), (1, 1), "same", "relu", 0.17),
    ("residual_plain", (1, 3, 3, 12), (33, 1, 1), (1, 1), "same", "none", 1.0),
    ("residual_prelu_s2", (1, 5, 5, 3), (6, 3, 3), (2, 2), "valid", "prelu", -0.5),
    ("no_bias", (1, 6, 5, 3), (8, 3, 3), (1, 1), "valid", "none", None),
    ("no_bias_prelu_residual", (1, 4, 5, 3), (8, 3, 3), (1, 1), "same", "prelu", 0.1),
    ("7x7_s2_around", (1, 12, 11, 3), (8, 7, 7), (2, 2), 3, "relu", None),
    ("5x5_around", (2, 5, 4, 4), (6, 5, 5), (1, 1), 2, "none", None),
    ("3x3_s2_around", (1, 6, 7, 5), (9, 3, 3), (2, 2), 1, "none", None),
]


def conv2d(cases, rng):
    for name, shape, (c_out, k_h, k_w), stride, padding, activation, scale in CONVOLUTIONS:
        bias = not name.startswith("no_bias")
        x = noise(rng, *shape)
        w = noise(rng, c_out, k_h, k_w, shape[3]) / np.float32(np.sqrt(k_h * k_w * shape[3]))
        b, alpha = noise(rng, c_out), noise(rng, c_out) / np.float32(4)
        y = tf.nn.conv2d(f64(x), f64(w).transpose(1, 2, 3, 0), list(stride), for_tf(padding))
        other = torch.nn.functional.conv2d(
            torch_windows(x, (k_h, k_w), stride, padding), torch.from_numpy(f64(w)).permute(0, 3, 1, 2), stride=stride
        )
        agree(y, other.permute(0, 2, 3, 1), name)
        inputs, params = [x, w], [1]
        if bias:
            y = tf.nn.bias_add(y, f64(b))
            inputs.append(b)
            params.append(len(inputs) - 1)
        if activation == "prelu":
            inputs.append(alpha)
            params.append(len(inputs) - 1)
        if scale is not None:
            residual = noise(rng, *y.shape)
            y = f64(residual) + np.float64(np.float32(scale)) * y
            inputs.append(residual)
        y = activate(y, activation, alpha)
        attrs = {} if scale is None else {"residual_scale": scale}
        attrs["padding"] = attribute(padding)
        cases.add(name, inputs, y, params=params, stride=stride, activation=activation, bias=bias, **attrs)


def local_conv2d(cases, rng):
    for name, shape, (c_out, k_h, k_w), stride, activation in [
        ("single", (1, 1, 1, 1), (1, 1, 1), (1, 1), "none"),
        ("3x3", (2, 5, 6, 3), (4, 3, 3), (1, 1), "relu"),
        ("1x3_strided", (1, 4, 9, 2), (5, 1, 3), (2, 3), "none"),
        ("one_position", (3, 3, 2, 5), (7, 3, 2), (1, 1), "relu"),
        ("deepface_like", (1, 7, 7, 4), (3, 5, 5), (2, 2), "relu"),
    ]:
        x = noise(rng, *shape)
        out = [(shape[1 + i] - k) // stride[i] + 1 for i, k in enumerate((k_h, k_w))]
        w = noise(rng, *out, c_out, k_h, k_w, shape[3]) / np.float32(np.sqrt(k_h * k_w * shape[3]))
        b = noise(rng, *out, c_out)
        windows = tf.image.extract_patches(f64(x), [1, k_h, k_w, 1], [1, *stride, 1], [1, 1, 1, 1], "VALID")
        y = tf.einsum("nyxk,yxok->nyxo", windows, f64(w).reshape(*out, c_out, -1)) + f64(b)
        cases.add(name, [x, w, b], activate(y, activation, None), params=[1, 2], stride=stride, activation=activation)


def dense(cases, rng):
    for name, shape, c_out, bias, activation in [
        ("single", (1, 1), 1, True, "none"),
        ("rows", (5, 37), 19, True, "relu"),
        ("image", (3, 3, 2, 7), 10, True, "prelu"),
        ("no_bias", (2, 130), 3, False, "none"),
        ("no_bias_prelu", (17, 9), 33, False, "prelu"),
        ("bottleneck_like", (1, 1, 1, 131), 35, True, "none"),
        ("wide_batch", (67, 5), 4, True, "none"),
    ]:
        x = noise(rng, *shape)
        k = int(np.prod(shape[1:]))
        w, b, alpha = noise(rng, c_out, k) / np.float32(np.sqrt(k)), noise(rng, c_out), noise(rng, c_out)
        rows = f64(x).reshape(shape[0], k)
        y = tf.linalg.matmul(rows, f64(w), transpose_b=True) + (f64(b) if bias else 0)
        agree(y, torch.nn.functional.linear(*map(torch.from_numpy, (rows, f64(w), f64(b) if bias else 0 * f64(b)))), name)
        inputs = [x, w] + ([b] if bias else []) + ([alpha] if activation == "prelu" else [])
        y = activate(y, activation, alpha)
        cases.add(name, inputs, y, params=list(range(1, len(inputs))), bias=bias, activation=activation)


def prelu_op(cases, rng):
    for name, shape in [("single", (1, 1)), ("rows", (3, 17)), ("image", (2, 3, 5, 10)), ("vector", (7,))]:
        x, alpha = 2 * noise(rng, *shape), noise(rng, shape[-1])
        x.flat[0] = 0
        y = prelu(f64(x), f64(alpha))
        flat = torch.from_numpy(f64(x).reshape(-1, shape[-1]))
        agree(np.reshape(y, (-1, shape[-1])), torch.nn.functional.prelu(flat, torch.from_numpy(f64(alpha))), name)
        cases.add(name, [x, alpha], y, params=[1])


def relu(cases, rng):
    for name, shape in [("single", (1,)), ("image", (2, 3, 5, 7)), ("rows", (4, 65))]:
        x = noise(rng, *shape)
        x.flat[0] = -1
        cases.add(name, [x], tf.nn.relu(x))
    x = np.array([0.0, -0.0, 2e-38, -2e-38, 3e38, -3e38], np.float32)
    cases.add("extremes", [x], tf.nn.relu(x))


# (name, x, kernel, stride, padding)
POOLS = [
    ("single", (1, 1, 1, 1), (1, 1), (1, 1), "valid"),
    ("pixel_3x3_same", (1, 1, 1, 3), (3, 3), (2, 2), "same"),
    ("pnet_2x2_odd", (2, 5, 7, 10), (2, 2), (2, 2), "same"),
    ("rnet_3x3_even", (1, 6, 8, 5), (3, 3), (2, 2), "same"),
    ("3x3_odd", (1, 7, 9, 5), (3, 3), (2, 2), "same"),
    ("3x3_valid", (2, 7, 9, 17), (3, 3), (2, 2), "valid"),
    ("strides_differ", (1, 8, 5, 3), (2, 3), (3, 1), "same"),
    ("one_row", (1, 1, 12, 2), (1, 5), (1, 2), "valid"),
    ("stride_over_kernel", (1, 9, 8, 4), (1, 2), (3, 3), "valid"),
    ("3x3_s2_around", (2, 6, 7, 3), (3, 3), (2, 2), 1),
    ("4x3_around", (1, 5, 6, 2), (4, 3), (1, 2), 2),
]


def max_pool2d(cases, rng):
    for name, shape, kernel, stride, padding in POOLS:
        # All below zero, so that padding with zeros would show.
        x = noise(rng, *shape) - 5
        y = torch.nn.functional.max_pool2d(torch_windows(x, kernel, stride, padding, -np.inf), kernel, stride)
        y = y.permute(0, 2, 3, 1).numpy()
        agree(tf.nn.max_pool2d(f64(x), kernel, stride, for_tf(padding)), y, name)
        cases.add(name, [x], y, kernel=kernel, stride=stride, padding=attribute(padding))


def avg_pool2d(cases, rng):
    for name, shape, kernel, stride, padding in POOLS:
        x = noise(rng, *shape) + 1
        if isinstance(padding, str):
            y = tf.nn.avg_pool2d(f64(x), kernel, stride, padding.upper())
        else:
            windows = [torch_windows(x, kernel, stride, padding), torch_windows(np.ones_like(x), kernel, stride, padding)]
            sums, counts = (torch.nn.functional.avg_pool2d(t, kernel, stride).permute(0, 2, 3, 1).numpy() for t in windows)
            y = sums / counts
        cases.add(name, [x], y, kernel=kernel, stride=stride, padding=attribute(padding))
    for name, shape in [("global", (3, 3, 5, 33)), ("global_pixel", (2, 1, 1, 4))]:
        x = noise(rng, *shape)
        y = tf.reduce_mean(f64(x), [1, 2], keepdims=True)
        cases.add(name, [x], y, stride=(1, 1), padding="valid")


def batch_norm(cases, rng):
    for name, shape, epsilon in [
        ("single", (1, 1), 1e-3), ("image", (2, 3, 5, 7), 1e-3), ("rows", (5, 33), 1e-5), ("vector", (9,), 0.1),
    ]:
        c = shape[-1]
        x, gamma, beta, mean = noise(rng, *shape), noise(rng, c), noise(rng, c), noise(rng, c)
        variance = (noise(rng, c) ** 2).astype(np.float32)
        variance[0] = 0
        e = np.float64(np.float32(epsilon))
        y = tf.nn.batch_normalization(*map(f64, (x, mean, variance, beta, gamma)), e)
        cases.add(name, [x, gamma, beta, mean, variance], y, params=[1, 2, 3, 4], epsilon=epsilon)


def softmax(cases, rng):
    for name, shape in [("one_class", (3, 1)), ("faces", (2, 3, 5, 2)), ("rows", (7, 33)), ("vector", (5,))]:
        x = 3 * noise(rng, *shape)
        y = tf.nn.softmax(f64(x))
        agree(y, torch.softmax(torch.from_numpy(f64(x)), -1), name)
        cases.add(name, [x], y)
    x = np.array([[100, -100], [1000, 999], [-1000, -1000], [88, 89]], np.float32)
    cases.add("large", [x], tf.nn.softmax(f64(x)))


def concat(cases, rng):
    for name, shapes in [
        ("alone", [(2, 3, 1, 4)]), ("two", [(1, 2, 3, 4), (1, 2, 3, 1)]),
        ("four", [(2, 3, 3, 7), (2, 3, 3, 1), (2, 3, 3, 5), (2, 3, 3, 16)]), ("rows", [(5, 3), (5, 9)]), ("flat", [(3,), (1,)]),
    ]:
        inputs = [noise(rng, *shape) for shape in shapes]
        cases.add(name, inputs, tf.concat(inputs, -1))


def scaled_add(cases, rng):
    for name, shape, scale in [
        ("single", (1,), 2.0), ("block35", (2, 3, 5, 7), 0.17), ("minus", (4, 9), -1.0), ("nothing", (1, 2, 2, 3), 0.0),
    ]:
        a, b = noise(rng, *shape), noise(rng, *shape)
        y = tf.add(f64(a), tf.multiply(np.float64(np.float32(scale)), f64(b)))
        cases.add(name, [a, b], y, scale=scale)


def l2_normalize(cases, rng):
    for name, shape in [("single", (1, 1)), ("rows", (5, 33)), ("embedding", (2, 512)), ("image", (2, 3, 2, 5))]:
        x = noise(rng, *shape)
        e = np.float64(np.float32(1e-10))
        cases.add(name, [x], tf.math.l2_normalize(f64(x), -1, epsilon=e), epsilon=1e-10)
    # A zero row, one whose norm the epsilon replaces, one just above it.
    x = np.array([[0, 0, 0], [1e-6, -2e-6, 0], [2e-5, 1e-5, 0]], np.float32)
    cases.add("tiny", [x], tf.math.l2_normalize(f64(x), -1, epsilon=np.float64(np.float32(1e-10))), epsilon=1e-10)


def flatten(cases, rng):
    for name, shape in [("single", (1,)), ("image", (2, 3, 5, 4)), ("rows", (4, 7)), ("pixel", (3, 1, 1, 1))]:
        x = noise(rng, *shape)
        cases.add(name, [x], tf.reshape(x, (shape[0], -1)))


def part(cases, rng):
    for name, shape, offset, extents in [("single", (1,), 0, (1,)), ("odd", (5, 9), 7, (3, 5)), ("aligned", (100,), 64, (36,))]:
        x = noise(rng, *shape)
        y = tf.reshape(tf.slice(tf.reshape(x, [-1]), [offset], [int(np.prod(extents))]), extents)
        cases.add(name, [x], y, kind="at", offset=offset, extents=extents)
    for name, shape, index in [("first_row", (2, 33), 0), ("row", (3, 5, 7), 2)]:
        x = noise(rng, *shape)
        cases.add(name, [x], tf.gather(x, index), kind="row", index=index)
    x = noise(rng, 4, 6)
    cases.add("like", [x, noise(rng, 2, 3, 4)], tf.reshape(x, (2, 3, 4)), kind="like")


def join(cases, rng):
    for name, shapes in [("single", [(1,)]), ("whole", [(64,), (2, 64)]), ("odd", [(3, 5), (1,), (7, 1, 13), (4,)])]:
        parts = [noise(rng, *shape) for shape in shapes]
        padded = [tf.pad(tf.reshape(x, [-1]), [[0, -x.size % 64]]) for x in parts]
        cases.add(name, parts, tf.concat(padded, 0))


def cast(cases, rng):
    for name, shape in [("single", (1,)), ("odd", (5, 1, 7))]:
        x = noise(rng, *shape)
        cases.add(name, [x], tf.cast(tf.cast(x, tf.float64), tf.float32), exact=True)


def pixels(rng, *shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


# (width, height, new width, new height)
SIZES = [
    (1, 1, 1, 1), (1, 1, 3, 2), (1, 9, 1, 4), (9, 1, 4, 1), (7, 5, 7, 5), (8, 6, 4, 3), (12, 8, 3, 4), (13, 11, 7, 5),
    (25, 26, 24, 24), (13, 11, 24, 24), (30, 9, 12, 12), (12, 5, 12, 12), (17, 20, 1, 1),
]


def resize_area(cases, rng):
    def resize(x, w, h):
        return cv2.resize(x, (w, h), interpolation=cv2.INTER_AREA).reshape(h, w, x.shape[2])

    for i, (w, h, to_w, to_h) in enumerate(SIZES):
        n, c = 1 + i % 2, (3, 1)[i % 3 == 2]
        x = pixels(rng, n, h, w, c)
        cases.add(f"u8_{w}x{h}_to_{to_w}x{to_h}", [x], [resize(x, to_w, to_h) for x in x], h=to_h, w=to_w, bytes=True)
        # Three channels only: for others OpenCV's order of summation depends on the machine's vector units.
        x = (pixels(rng, n, h, w, 3) / 7).astype(np.float32)
        cases.add(f"f32_{w}x{h}_to_{to_w}x{to_h}", [x], [resize(x, to_w, to_h) for x in x], h=to_h, w=to_w, bytes=False)


def resize_bilinear(cases, rng):
    for i, (w, h, to_w, to_h) in enumerate(SIZES):
        x = pixels(rng, 1 + i % 2, h, w, 3)
        y = [np.asarray(Image.fromarray(x).resize((to_w, to_h), Image.BILINEAR)) for x in x]
        cases.add(f"{w}x{h}_to_{to_w}x{to_h}", [x], y, h=to_h, w=to_w)


def standardize(cases, rng):
    images = {
        "noise": pixels(rng, 3, 5, 7, 3), "pixel": pixels(rng, 2, 1, 1, 3), "odd": pixels(rng, 1, 13, 11, 3),
        "flat": np.full((2, 4, 5, 3), 77, np.uint8), "rows": pixels(rng, 4, 9),
    }
    images["almost_flat"] = np.full((1, 5, 5, 3), 200, np.uint8)
    images["almost_flat"][0, 2, 2, 1] = 201
    for name, x in images.items():
        axes = tuple(range(1, x.ndim))
        mean, std = np.mean(f64(x), axes, keepdims=True), np.std(f64(x), axes, keepdims=True)
        y = (f64(x) - mean) / np.maximum(std, 1 / np.sqrt(x[0].size))
        if x.ndim == 4:
            np.testing.assert_allclose(tf.image.per_image_standardization(x), y, atol=1e-4, err_msg=name)
        # Deviations of 0.1 around 200: f32 rounds the mean to 1e-5.
        loose = {"atol": 5e-5} if name == "almost_flat" else {}
        cases.add(f"prewhiten_{name}", [x], y, mode="prewhiten", **loose)
        cases.add(f"fixed_{name}", [x], (f64(x) - 127.5) / 128, mode="fixed")
        cases.add(f"unit_{name}", [x], f64(x) / 255, mode="unit")


def crop(cases, rng):
    for name, shape, y, x, h, w in [
        ("whole", (1, 3, 4, 2), 0, 0, 3, 4), ("inside", (2, 7, 9, 3), 2, 3, 4, 5), ("pixel", (1, 5, 5, 1), 4, 0, 1, 1),
        ("over_top_left", (1, 5, 6, 3), -2, -3, 4, 5), ("over_bottom_right", (2, 5, 6, 3), 3, 4, 4, 7),
        ("around", (1, 2, 3, 1), -2, -1, 7, 5), ("outside", (1, 4, 4, 2), 6, -9, 3, 2),
    ]:
        image = noise(rng, *shape)
        border = 16
        padded = np.pad(image, ((0, 0), (border, border), (border, border), (0, 0)))
        out = padded[:, y + border : y + border + h, x + border : x + border + w]
        cases.add(name, [image], out, y=y, x=x, h=h, w=w)


def some_boxes(rng, n, spread=100.0, whole=False):
    corner, extent = rng.uniform(-0.2, 1, (n, 2)) * spread, rng.uniform(1, 0.6 * spread, (n, 2))
    boxes = np.hstack([corner, corner + extent])
    return np.floor(boxes) if whole else boxes.astype(np.float32)


def box_regression(cases, rng):
    for n in (1, 2, 67):
        for inclusive in (False, True):
            boxes, offsets = some_boxes(rng, n), noise(rng, n, 4) / np.float32(5)
            extent = f64(boxes)[:, 2:] - f64(boxes)[:, :2] + inclusive
            out = f64(boxes) + f64(offsets) * np.tile(extent, 2)
            cases.add(f"{n}_{'inclusive' if inclusive else 'exclusive'}", [boxes, offsets], out, inclusive=inclusive)


def rerec(cases, rng):
    for n in (1, 3, 65):
        boxes = f64(some_boxes(rng, n))
        extent = boxes[:, 2:] - boxes[:, :2]
        side = extent.max(axis=1, keepdims=True)
        corner = boxes[:, :2] + (extent - side) / 2
        cases.add(str(n), [boxes], np.hstack([corner, corner + side]))


def box_pad(cases, rng):
    def axis(first, last, limit):
        """First and last pixel in the crop and in the image, and the crop's extent; all count from 1."""
        extent = last - first + 1
        cut_low, cut_high = np.maximum(1 - first, 0), np.maximum(last - limit, 0)
        return 1 + cut_low, extent - cut_high, first + cut_low, last - cut_high, extent

    for name, boxes, width, height in [
        ("inside", [[3, 4, 10, 12]], 20, 30), ("whole", [[1, 1, 20, 30]], 20, 30), ("pixel", [[5, 5, 5, 5]], 9, 9),
        ("over_each_side", [[0, 5, 8, 9], [5, -3, 8, 9], [15, 5, 22, 9], [5, 25, 8, 31], [-4, -5, 40, 50]], 20, 30),
        ("random", some_boxes(rng, 66, whole=True), 83, 71),
    ]:
        boxes = np.array(boxes, np.float64)
        dx, edx, x, ex, w = axis(boxes[:, 0], boxes[:, 2], width)
        dy, edy, y, ey, h = axis(boxes[:, 1], boxes[:, 3], height)
        out = np.stack([dy, edy, dx, edx, y, ey, x, ex, w, h], axis=1)
        cases.add(name, [boxes], out, width=width, height=height)


def suppress(boxes, threshold, overlap):
    """Kept rows, best first; of equal scores the later row first. `margin` is how near an overlap came to the threshold."""
    x1, y1, x2, y2, score = f64(boxes).T
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    order = np.argsort(score, kind="stable")[::-1]
    kept, margin = [], np.inf
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        w = np.maximum(np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + 1, 0)
        h = np.maximum(np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + 1, 0)
        whole = np.minimum(area[best], area[rest]) if overlap == "min" else area[best] + area[rest] - w * h
        ratio = w * h / whole
        margin = min([margin, *np.abs(ratio - threshold)])
        order = rest[ratio <= threshold]
    return kept, margin


def nms(cases, rng):
    def case(name, boxes, threshold, overlap, exact=False):
        boxes = np.array(boxes, np.float32)
        kept, margin = suppress(boxes, threshold, overlap)
        assert exact or margin > 1e-5, f"{name}: f32 may decide otherwise"
        cases.add(name, [boxes], kept + [-1] * (len(boxes) - len(kept)), threshold=threshold, overlap=overlap)

    for n in (1, 2, 33, 130, 300):
        for threshold, overlap in [(0.5, "union"), (0.7, "union"), (0.7, "min")]:
            boxes = np.hstack([some_boxes(rng, n), rng.permutation(n)[:, None] / n + 0.001])
            case(f"{n}_{overlap}_{threshold}", boxes, threshold, overlap)
    box = [10, 20, 30, 45]
    case("equal_boxes", [box + [0.5], box + [0.9], box + [0.7]], 0.5, "union")
    case("equal_scores", [box + [0.5], box + [0.5], [60, 60, 80, 80, 0.5], box + [0.5]], 0.5, "union")
    case("apart", [[1, 1, 5, 5, 0.2], [7, 1, 11, 5, 0.9], [1, 7, 5, 11, 0.4]], 0.1, "union")
    # An overlap of exactly the threshold is kept: 5 x 10 of 10 x 10.
    case("at_threshold", [[1, 1, 10, 10, 0.9], [1, 1, 5, 10, 0.8]], 0.5, "union", exact=True)
    case("inside_min", [[1, 1, 40, 40, 0.9], [5, 5, 12, 12, 0.8]], 0.7, "min")
    case("inside_union", [[1, 1, 40, 40, 0.9], [5, 5, 12, 12, 0.8]], 0.7, "union")


def pairwise_distance(cases, rng):
    def cosine(a, b):
        similarity = f64(a) @ f64(b).T / np.outer(np.linalg.norm(f64(a), axis=1), np.linalg.norm(f64(b), axis=1))
        return np.arccos(np.clip(similarity, -1, 1)) / np.pi

    for name, n, m, d in [("single", 1, 1, 1), ("rows", 5, 7, 33), ("row", 1, 9, 128), ("column", 17, 1, 5)]:
        a, b = noise(rng, n, d), noise(rng, m, d)
        y = cdist(f64(a), f64(b), "sqeuclidean")
        agree(y, torch.cdist(*map(torch.from_numpy, (f64(a), f64(b))), compute_mode="donot_use_mm_for_euclid_dist") ** 2, name)
        cases.add(f"euclidean_{name}", [a, b], y, metric="euclidean")
        if d > 1:
            cases.add(f"cosine_{name}", [a, b], cosine(a, b), metric="cosine")
    a = noise(rng, 3, 16)
    cases.add("euclidean_itself", [a, a], cdist(f64(a), f64(a), "sqeuclidean"), metric="euclidean")
    # The arc cosine turns a rounding of the similarity, 6e-8, into an angle of 3.5e-4.
    b = np.vstack([a, -a, 3 * a])
    cases.add("cosine_parallel", [a, b], cosine(a, b), metric="cosine", atol=3e-4)


def triplet_loss(cases, rng):
    for name, n, d, margin in [("single", 1, 1, 0.2), ("rows", 7, 33, 0.2), ("unit", 5, 128, 0.5), ("met", 3, 4, 0.1)]:
        anchor, positive, negative = (noise(rng, n, d) for _ in range(3))
        if name == "unit":
            anchor, positive, negative = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (anchor, positive, negative))
        if name == "met":
            positive, negative = anchor, anchor + 2
        near, far = (tf.reduce_sum(tf.square(tf.subtract(f64(anchor), f64(x))), 1) for x in (positive, negative))
        loss = tf.reduce_mean(tf.maximum(near - far + np.float64(np.float32(margin)), 0.0))
        cases.add(name, [anchor, positive, negative], [loss], margin=margin)


def warp_affine(cases, rng):
    def numbers(inverse, width, height, warp):
        """The op's second input: the f32 map, or rows and columns on the grid as whole pixels and 1/1024."""
        if warp == "exact":
            return inverse
        (a, b, x), (c, d, y) = inverse
        v, u = np.arange(height), np.arange(width)
        rows = np.stack([np.rint((b * v + x) * 1024) + 16, np.rint((d * v + y) * 1024) + 16], axis=-1)
        columns = np.stack([np.rint(a * u * 1024), np.rint(c * u * 1024)], axis=-1)
        places = np.vstack([rows, columns])
        return np.stack([places // 1024, places % 1024], axis=-1).reshape(height + width, 4)

    asked = []
    for name, n, (h, w, c), (h_out, w_out), scale in [
        ("down", 2, (41, 50, 3), (24, 33), 0.4), ("up", 1, (9, 7, 3), (20, 32), 3.0), ("grey", 1, (30, 30, 1), (16, 16), 1.0),
        ("outside", 1, (12, 12, 3), (14, 15), 1.0), ("pixel", 1, (1, 1, 3), (5, 17), 4.0), ("one", 3, (8, 9, 3), (1, 1), 1.0),
    ]:
        images = rng.integers(0, 256, (n, h, w, c), dtype=np.uint8)
        maps = []
        for i in range(n):
            angle = rng.uniform(-1, 1)
            linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            middle = linear @ [w / 2, h / 2] + (0 if name != "outside" else 9)
            maps.append(np.c_[linear, [w_out / 2 - middle[0], h_out / 2 - middle[1]]])
        asked.append((name, images, maps, (w_out, h_out)))
    each = [(image, map, size) for _, images, maps, size in asked for image, map in zip(images, maps)]
    for warp, warped in [("exact", _warp.exact(each)), ("opencv4", _warp.opencv4(each))]:
        warped = iter(warped)
        for name, images, maps, (w_out, h_out) in asked:
            places = np.stack([numbers(_warp.inverse(map), w_out, h_out, warp) for map in maps])
            out = np.stack([next(warped) for _ in images])
            cases.add(f"{warp}_{name}", [images, places], out, h=h_out, w=w_out, warp=warp)


def l2_pool2d(cases, rng):
    for name, shape, kernel, stride, padding in POOLS:
        x = noise(rng, *shape)
        padded = torch_windows(x, kernel, stride, padding)
        y = torch.nn.functional.lp_pool2d(padded, 2, kernel, stride).permute(0, 2, 3, 1).numpy()
        if padding == "valid":
            # As Keras-OpenFace writes it: the mean of squares, times their number.
            squares = tf.nn.avg_pool2d(tf.square(f64(x)), kernel, stride, "VALID") * (kernel[0] * kernel[1])
            agree(tf.sqrt(squares), y, name)
        cases.add(name, [x], y, kernel=kernel, stride=stride, padding=attribute(padding))


# (name, x, radius, bias, alpha, beta)
RESPONSES = [
    ("single", (1, 1, 1, 1), 5, 1.0, 1e-4, 0.75),
    ("keras_openface", (2, 3, 5, 64), 5, 1.0, 1e-4, 0.75),
    ("torch_openface", (1, 3, 4, 32), 2, 1.0, 2e-5, 0.75),
    ("large_alpha", (2, 4, 3, 17), 3, 0.5, 0.8, 0.75),
    ("other_power", (1, 2, 3, 9), 1, 2.0, 1.5, 0.6),
    ("window_over_channels", (1, 2, 2, 4), 9, 1.0, 0.3, 1.0),
]


def lrn(cases, rng):
    for name, shape, radius, bias, alpha, beta in RESPONSES:
        x = 5 * noise(rng, *shape)
        b, a, p = (np.float64(np.float32(v)) for v in (bias, alpha, beta))
        size = 2 * radius + 1
        t = torch.from_numpy(f64(x)).permute(0, 3, 1, 2)
        y = torch.nn.functional.local_response_norm(t, size, a * size, p, b).permute(0, 2, 3, 1).numpy()
        # TensorFlow has it in f32 alone.
        np.testing.assert_allclose(tf.nn.lrn(x, radius, bias, alpha, beta), y, rtol=2e-5, atol=1e-6, err_msg=name)
        cases.add(name, [x], y, radius=radius, bias=bias, alpha=alpha, beta=beta)


def pad2d(cases, rng):
    for name, shape, borders in [
        ("around", (2, 3, 5, 3), [[1, 1], [1, 1]]), ("sides", (1, 4, 2, 4), [[3, 4], [0, 2]]), ("pixel", (1, 1, 1, 2), [[2, 0], [0, 1]]),
        ("nothing", (1, 2, 3, 1), [[0, 0], [0, 0]]),
    ]:
        x = noise(rng, *shape)
        cases.add(name, [x], tf.pad(x, [[0, 0], *borders, [0, 0]]), borders=borders)
    x = noise(rng, 2, 6, 7, 3)
    # A gradient of tf.pad, which cuts.
    cut = tf.raw_ops.Slice(input=x, begin=[0, 1, 3, 0], size=[2, 3, 2, 3])
    cases.add("cut", [x], cut, borders=[[-1, -2], [-3, -2]])
    cases.add("cut_and_padded", [x], tf.pad(x[:, 2:, :-3], [[0, 0], [0, 4], [1, 0], [0, 0]]), borders=[[-2, 4], [1, -3]])


OPS = {
    f.__name__.removesuffix("_op"): f
    for f in [
        avg_pool2d, batch_norm, box_pad, box_regression, concat, conv2d, crop, dense, flatten, l2_normalize, local_conv2d,
        max_pool2d, nms, pairwise_distance, prelu_op, relu, rerec, resize_area, resize_bilinear, scaled_add, softmax,
        standardize, triplet_loss, cast, join, part, l2_pool2d, lrn, pad2d, warp_affine,
    ]
}


if __name__ == "__main__":
    write(OPS, 20180408)
