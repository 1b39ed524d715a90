"""Golden dumps for the gradients of src/ops: TensorFlow's and PyTorch's own, which must agree or the run fails.

    cargo xtask golden ops_backward

writes tests/golden/ops/STEM.npz for each op that serves a gradient. Inputs are f32; both libraries compute the gradient of
sum(y * dy) in f64; it is stored as f32.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
import torch

from _dump import Cases, folder


def noise(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def f64(x):
    return np.asarray(x).astype(np.float64)


def gradients(name, inputs, dy, with_tf, with_torch):
    """The gradients of sum(y * dy) with respect to each input; `dy(y's shape)` makes it."""
    xs = [tf.constant(f64(x)) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = with_tf(*xs)
    dy = dy(*y.shape)
    found = [np.asarray(g) for g in tape.gradient(y, xs, output_gradients=tf.constant(f64(dy)))]
    ts = [torch.from_numpy(f64(x)).requires_grad_() for x in inputs]
    z = with_torch(*ts)
    np.testing.assert_allclose(z.detach().numpy(), y.numpy(), rtol=1e-9, atol=1e-11, err_msg=name)
    z.backward(torch.from_numpy(f64(dy)))
    for i, (a, t) in enumerate(zip(found, ts)):
        np.testing.assert_allclose(a, t.grad.numpy(), rtol=1e-9, atol=1e-11, err_msg=f"{name}, input {i}")
    return dy, found


def same_pad(extent, kernel, stride):
    total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2


def torch_windows(t, kernel, stride, padding, fill=0.0):
    """An NHWC input as PyTorch takes it, padded to TensorFlow's rule."""
    pads = [same_pad(t.shape[1 + i], kernel[i], stride[i]) if padding == "same" else (0, 0) for i in (0, 1)]
    return torch.nn.functional.pad(t.permute(0, 3, 1, 2), (*pads[1], *pads[0]), value=fill)


# (name, x, filters [c_out, k_h, k_w], stride, padding)
CONVOLUTIONS = [
    ("single", (1, 1, 1, 1), (1, 1, 1), (1, 1), "valid"),
    ("pixel_3x3_same", (2, 1, 1, 3), (5, 3, 3), (1, 1), "same"),
    ("pixel_7x7_same_s2", (1, 1, 1, 2), (3, 7, 7), (2, 2), "same"),
    ("3x3_valid", (2, 5, 7, 3), (10, 3, 3), (1, 1), "valid"),
    ("1x7_same", (3, 8, 8, 5), (33, 1, 7), (1, 1), "same"),
    ("7x1_same", (1, 8, 8, 16), (17, 7, 1), (1, 1), "same"),
    ("3x3_same", (1, 9, 7, 16), (24, 3, 3), (1, 1), "same"),
    ("2x2_same", (1, 5, 4, 7), (8, 2, 2), (1, 1), "same"),
    ("1x1_tail", (1, 3, 3, 67), (65, 1, 1), (1, 1), "same"),
    ("3x3_s2_valid", (2, 17, 13, 4), (16, 3, 3), (2, 2), "valid"),
    ("3x3_s2_same_even", (1, 6, 8, 4), (9, 3, 3), (2, 2), "same"),
    ("2x5_s2_same", (1, 9, 6, 4), (16, 2, 5), (2, 2), "same"),
    ("strides_differ", (1, 11, 10, 3), (4, 3, 3), (3, 1), "same"),
    ("stride_over_kernel", (2, 7, 8, 3), (5, 1, 1), (3, 2), "valid"),
    ("stride_over_kernel_same", (1, 7, 8, 3), (5, 2, 1), (3, 3), "same"),
    ("leftover_s2", (1, 10, 12, 3), (4, 3, 3), (2, 2), "valid"),
]


def conv2d(files, rng):
    for name, shape, (c_out, k_h, k_w), stride, padding in CONVOLUTIONS:
        x = noise(rng, *shape)
        w = noise(rng, c_out, k_h, k_w, shape[3]) / np.float32(np.sqrt(k_h * k_w * shape[3]))
        dy, (dx, dw) = gradients(
            name, [x, w], lambda *s: noise(rng, *s),
            lambda x, w: tf.nn.conv2d(x, tf.transpose(w, (1, 2, 3, 0)), list(stride), padding.upper()),
            lambda x, w: torch.nn.functional.conv2d(
                torch_windows(x, (k_h, k_w), stride, padding), w.permute(0, 3, 1, 2), stride=stride
            ).permute(0, 2, 3, 1),
        )
        attrs = {"stride": stride, "padding": padding}
        files["conv2d_bwd_data"].add(name, [dy, w, x], dx, params=[1], **attrs)
        files["conv2d_bwd_filter"].add(name, [x, dy, w], dw, **attrs)


def dense(files, rng):
    for name, shape, c_out in [
        ("single", (1, 1), 1), ("image", (3, 2, 3, 16), 40), ("rows", (9, 31), 130), ("narrow", (4, 128), 2), ("many", (300, 5), 7),
    ]:
        k = int(np.prod(shape[1:]))
        x, w = noise(rng, *shape), noise(rng, c_out, k) / np.float32(np.sqrt(k))
        dy, (dx, dw) = gradients(
            name, [x, w], lambda *s: noise(rng, *s),
            lambda x, w: tf.reshape(x, (shape[0], k)) @ tf.transpose(w), lambda x, w: torch.nn.functional.linear(x.flatten(1), w),
        )
        files["dense_bwd_data"].add(name, [dy, w, x], dx, params=[1])
        files["dense_bwd_filter"].add(name, [x, dy, w], dw)


def local_conv2d(files, rng):
    for name, (n, h, width, c_in), (c_out, k_h, k_w), (s_y, s_x) in [
        ("single", (1, 1, 1, 1), (1, 1, 1), (1, 1)), ("3x3", (2, 5, 6, 3), (4, 3, 3), (1, 1)),
        ("stride", (3, 9, 7, 2), (5, 3, 2), (2, 3)),
    ]:
        h_out, w_out = (h - k_h) // s_y + 1, (width - k_w) // s_x + 1
        x, w = noise(rng, n, h, width, c_in), noise(rng, h_out, w_out, c_out, k_h, k_w, c_in)
        b = noise(rng, h_out, w_out, c_out)

        def layer(einsum):
            def y(x, w, b):
                taps = [
                    einsum("nijc,ijoc->nijo", x[:, ky : ky + s_y * (h_out - 1) + 1 : s_y, kx : kx + s_x * (w_out - 1) + 1 : s_x], w[:, :, :, ky, kx])
                    for ky in range(k_h) for kx in range(k_w)
                ]
                return sum(taps[1:], taps[0]) + b

            return y

        dy, (dx, dw, db) = gradients(name, [x, w, b], lambda *s: noise(rng, *s), layer(tf.einsum), layer(torch.einsum))
        files["local_conv2d_bwd_data"].add(name, [dy, w, x], dx, params=[1], stride=(s_y, s_x))
        files["local_conv2d_bwd_filter"].add(name, [x, dy, w], dw, stride=(s_y, s_x))
        files["local_conv2d_bwd_bias"].add(name, [dy], db)


SHAPES = [("single", (1, 1)), ("image", (2, 3, 5, 7)), ("rows", (5, 33)), ("many", (300, 3))]


def biases(files, rng):
    for name, shape in SHAPES:
        x, b = noise(rng, *shape), noise(rng, shape[-1])
        dy, (_, db) = gradients(name, [x, b], lambda *s: noise(rng, *s), lambda x, b: x + b, lambda x, b: x + b)
        files["channel_sum"].add(name, [dy], db)


def rectifiers(files, rng):
    for name, shape in SHAPES:
        x, alpha = noise(rng, *shape), noise(rng, shape[-1])
        dy, (dx,) = gradients(name, [x], lambda *s: noise(rng, *s), tf.nn.relu, torch.relu)
        files["relu_bwd"].add(name, [np.maximum(x, 0), dy], dx)
        dy, (dx, dalpha) = gradients(
            name, [x, alpha], lambda *s: noise(rng, *s), lambda x, a: tf.where(x > 0, x, a * x),
            lambda x, a: torch.where(x > 0, x, a * x),
        )
        files["prelu_bwd_data"].add(name, [x, alpha, dy], dx, params=[1])
        files["prelu_bwd_alpha"].add(name, [x, dy], dalpha)


# (name, x, kernel, stride, padding)
POOLS = [
    ("single", (1, 1, 1, 1), (1, 1), (1, 1), "valid"),
    ("2x2_s2_same", (2, 5, 7, 3), (2, 2), (2, 2), "same"),
    ("3x3_s2_valid", (1, 9, 9, 33), (3, 3), (2, 2), "valid"),
    ("3x3_s2_same", (1, 8, 9, 5), (3, 3), (2, 2), "same"),
    ("3x3_s1_same", (2, 5, 4, 2), (3, 3), (1, 1), "same"),
    ("2x3_s3_same", (1, 6, 11, 5), (2, 3), (3, 3), "same"),
    ("leftover", (1, 8, 10, 3), (2, 2), (3, 3), "valid"),
]


def pools(files, rng):
    for name, shape, kernel, stride, padding in POOLS:
        attrs = {"kernel": kernel, "stride": stride, "padding": padding}
        for kind in ("", "_ties"):
            # Whole numbers of a few values: windows with several maxima.
            x = rng.integers(0, 4, shape).astype(np.float32) if kind else noise(rng, *shape)
            y = tf.nn.max_pool2d(f64(x), kernel, stride, padding.upper())
            dy, (dx,) = gradients(
                name + kind, [x], lambda *s: noise(rng, *s),
                lambda x: tf.nn.max_pool2d(x, kernel, stride, padding.upper()),
                lambda x: torch.nn.functional.max_pool2d(
                    torch_windows(x, kernel, stride, padding, -np.inf), kernel, stride
                ).permute(0, 2, 3, 1),
            )
            files["max_pool2d_bwd"].add(name + kind, [x, y, dy], dx, **attrs)
        x = noise(rng, *shape)

        def mean(x):
            # Only pixels within the image count.
            sums, counts = (
                torch.nn.functional.avg_pool2d(torch_windows(t, kernel, stride, padding), kernel, stride)
                for t in (x, torch.ones_like(x))
            )
            return (sums / counts).permute(0, 2, 3, 1)

        dy, (dx,) = gradients(
            name, [x], lambda *s: noise(rng, *s), lambda x: tf.nn.avg_pool2d(x, kernel, stride, padding.upper()), mean
        )
        files["avg_pool2d_bwd"].add(name, [dy, x], dx, **attrs)
    x = noise(rng, 3, 3, 5, 33)
    dy, (dx,) = gradients(
        "global", [x], lambda *s: noise(rng, *s), lambda x: tf.reduce_mean(x, [1, 2], keepdims=True),
        lambda x: x.mean((1, 2), keepdim=True),
    )
    files["avg_pool2d_bwd"].add("global", [dy, x], dx, stride=(1, 1), padding="valid")


def batch_norm(files, rng):
    # As many rows as make the moments whole multiples of a power of two: what is stored is what was computed with.
    for name, shape, epsilon in [("pair", (2, 1), 1e-3), ("image", (2, 4, 4, 7), 1e-3), ("rows", (8, 33), 1e-5), ("many", (256, 3), 0.1)]:
        axes, c = tuple(range(len(shape) - 1)), shape[-1]
        x = (rng.integers(-32, 33, shape) / 16).astype(np.float32)
        e = np.float64(np.float32(epsilon))
        mean, variance = tf.nn.moments(tf.constant(f64(x)), axes)
        rows = torch.from_numpy(f64(x)).reshape(-1, c)
        unbiased = rows.var(0, correction=1).numpy()
        np.testing.assert_allclose(variance, rows.var(0, correction=0).numpy(), rtol=1e-12, atol=1e-14, err_msg=name)
        moments = np.stack([mean, variance, unbiased])
        files["batch_moments"].add(name, [x], moments)
        for relu in (False, True):
            for scale in (False, True):
                case = name + ("_relu" if relu else "") + ("_scale" if scale else "")
                beta, gamma = noise(rng, c), noise(rng, c) + 2

                def with_tf(x, beta, gamma=None):
                    y = tf.nn.batch_normalization(x, *tf.nn.moments(x, axes), beta, gamma, e)
                    return tf.nn.relu(y) if relu else y

                def with_torch(x, beta, gamma=None):
                    y = torch.nn.functional.batch_norm(x.reshape(-1, c), None, None, gamma, beta, training=True, eps=e)
                    y = y.reshape(x.shape)
                    return torch.relu(y) if relu else y

                given = [beta, gamma] if scale else [beta]
                y = with_tf(tf.constant(f64(x)), *map(f64, given))
                dy, found = gradients(case, [x, *given], lambda *s: noise(rng, *s), with_tf, with_torch)
                dx, dbeta = found[:2]
                # Without a gamma nothing else gives its gradient.
                dgamma = found[2] if scale else gradients(
                    case, [x, beta, np.ones(c)], lambda *s: dy, with_tf, with_torch
                )[1][2]
                sums = np.stack([dbeta, dgamma])
                inputs = [x, moments, *given]
                attrs = {"epsilon": epsilon, "activation": "relu" if relu else "none", "scale": scale}
                files["batch_norm_train"].add(case, inputs, y, **attrs)
                files["batch_norm_bwd_sums"].add(case, [*inputs, dy], sums, **attrs)
                # The sums are rounded where they are stored.
                files["batch_norm_bwd_data"].add(case, [*inputs, sums, dy], dx, atol64=1e-6, **attrs)
    x = noise(rng, 1, 1, 1, 5)
    files["batch_moments"].add("one_row", [x], np.stack([x.reshape(5), np.zeros(5), np.zeros(5)]))


def joins(files, rng):
    for name, shapes in [
        ("alone", [(2, 3, 1, 4)]), ("four", [(2, 3, 3, 7), (2, 3, 3, 1), (2, 3, 3, 5), (2, 3, 3, 16)]), ("flat", [(3,), (1,)]),
    ]:
        parts = [noise(rng, *shape) for shape in shapes]
        dy, found = gradients(
            name, parts, lambda *s: noise(rng, *s), lambda *x: tf.concat(x, -1), lambda *x: torch.cat(x, -1)
        )
        for i, part in enumerate(found):
            files["slice"].add(f"{name}_{i}", [dy, *parts[: i + 1]], part)
    for name, shape, factor in [("single", (1,), 2.0), ("image", (2, 3, 5, 7), 0.17), ("nothing", (4, 9), 0.0)]:
        f = np.float64(np.float32(factor))
        dy, (dx,) = gradients(name, [noise(rng, *shape)], lambda *s: noise(rng, *s), lambda x: f * x, lambda x: f * x)
        files["scale"].add(name, [dy], dx, factor=factor)


def around(files, rng):
    """Convolutions and pools with as much padding on every side, as Torch has it."""
    for name, shape, (c_out, k_h, k_w), stride, pad in [
        ("7x7_s2_around", (1, 12, 11, 3), (8, 7, 7), (2, 2), 3), ("5x5_around", (2, 5, 4, 8), (16, 5, 5), (1, 1), 2),
        ("3x3_s2_around", (1, 6, 7, 5), (9, 3, 3), (2, 2), 1),
    ]:
        x = noise(rng, *shape)
        w = noise(rng, c_out, k_h, k_w, shape[3]) / np.float32(np.sqrt(k_h * k_w * shape[3]))
        dy, (dx, dw) = gradients(
            name, [x, w], lambda *s: noise(rng, *s),
            lambda x, w: tf.nn.conv2d(
                tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]]), tf.transpose(w, (1, 2, 3, 0)), list(stride), "VALID"
            ),
            lambda x, w: torch.nn.functional.conv2d(
                x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2), stride=stride, padding=pad
            ).permute(0, 2, 3, 1),
        )
        attrs = {"stride": stride, "padding": {"around": pad}}
        files["conv2d_bwd_data"].add(name, [dy, w, x], dx, params=[1], **attrs)
        files["conv2d_bwd_filter"].add(name, [x, dy, w], dw, **attrs)
    name, shape, pad = "3x3_s2_around", (2, 6, 7, 3), 1
    x = noise(rng, *shape)
    borders = [[0, 0], [pad, pad], [pad, pad], [0, 0]]
    y = tf.nn.max_pool2d(tf.pad(f64(x), borders, constant_values=-np.inf), 3, 2, "VALID")
    dy, (dx,) = gradients(
        name, [x], lambda *s: noise(rng, *s),
        lambda x: tf.nn.max_pool2d(tf.pad(x, borders, constant_values=-np.inf), 3, 2, "VALID"),
        lambda x: torch.nn.functional.max_pool2d(x.permute(0, 3, 1, 2), 3, 2, pad).permute(0, 2, 3, 1),
    )
    attrs = {"kernel": (3, 3), "stride": (2, 2), "padding": {"around": pad}}
    files["max_pool2d_bwd"].add(name, [x, y, dy], dx, **attrs)
    ones = tf.ones(shape, tf.float64)
    dy, (dx,) = gradients(
        name, [x], lambda *s: noise(rng, *s),
        lambda x: tf.nn.avg_pool2d(tf.pad(x, borders), 3, 2, "VALID") / tf.nn.avg_pool2d(tf.pad(ones, borders), 3, 2, "VALID"),
        lambda x: torch.nn.functional.avg_pool2d(
            x.permute(0, 3, 1, 2), 3, 2, pad, count_include_pad=False
        ).permute(0, 2, 3, 1),
    )
    files["avg_pool2d_bwd"].add(name, [dy, x], dx, **attrs)


def norms(files, rng):
    for name, shape, kernel, stride, padding in POOLS:
        x = noise(rng, *shape)
        y = torch_norms(torch.from_numpy(f64(x)), kernel, stride, padding).numpy()
        dy, (dx,) = gradients(
            name, [x], lambda *s: noise(rng, *s),
            lambda x: tf.norm(tf.stack(taps(x, kernel, stride, padding), 0), axis=0),
            lambda x: torch_norms(x, kernel, stride, padding),
        )
        # y is rounded where it is stored.
        files["l2_pool2d_bwd"].add(name, [x, y, dy], dx, atol64=3e-7, kernel=kernel, stride=stride, padding=padding)


def taps(x, kernel, stride, padding):
    """An image as each element of the windows sees it."""
    pads = [same_pad(x.shape[1 + i], kernel[i], stride[i]) if padding == "same" else (0, 0) for i in (0, 1)]
    out = [(x.shape[1 + i] + sum(pads[i]) - kernel[i]) // stride[i] + 1 for i in (0, 1)]
    x = tf.pad(x, [[0, 0], *pads, [0, 0]])
    ends = [(out[i] - 1) * stride[i] + 1 for i in (0, 1)]
    return [
        x[:, ky : ky + ends[0] : stride[0], kx : kx + ends[1] : stride[1]] for ky in range(kernel[0]) for kx in range(kernel[1])
    ]


def torch_norms(x, kernel, stride, padding):
    return torch.nn.functional.lp_pool2d(torch_windows(x, kernel, stride, padding), 2, kernel, stride).permute(0, 2, 3, 1)


def responses(files, rng):
    for name, shape, radius, bias, alpha, beta in [
        ("single", (1, 1, 1, 1), 5, 1.0, 1e-4, 0.75), ("keras_openface", (2, 3, 5, 64), 5, 1.0, 1e-4, 0.75),
        ("torch_openface", (1, 3, 4, 32), 2, 1.0, 2e-5, 0.75), ("large_alpha", (2, 4, 3, 17), 3, 0.5, 0.8, 0.75),
        ("other_power", (1, 2, 3, 9), 1, 2.0, 1.5, 0.6), ("window_over_channels", (1, 2, 2, 4), 9, 1.0, 0.3, 1.0),
    ]:
        x, c, size = 5 * noise(rng, *shape), shape[-1], 2 * radius + 1
        b, a, p = (np.float64(np.float32(v)) for v in (bias, alpha, beta))
        near = f64(np.abs(np.subtract.outer(np.arange(c), np.arange(c))) <= radius)
        dy, (dx,) = gradients(
            name, [x], lambda *s: noise(rng, *s),
            # tf.nn.lrn has no f64: by its formula, and by itself below.
            lambda x: x / (b + a * tf.einsum("nhwj,ji->nhwi", tf.square(x), near)) ** p,
            lambda x: torch.nn.functional.local_response_norm(
                x.permute(0, 3, 1, 2), size, a * size, p, b
            ).permute(0, 2, 3, 1),
        )
        t = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(t)
            y = tf.nn.lrn(t, radius, bias, alpha, beta)
        own = tape.gradient(y, t, output_gradients=tf.constant(dy))
        np.testing.assert_allclose(own, dx, rtol=1e-4, atol=1e-5, err_msg=name)
        files["lrn_bwd"].add(name, [x, dy], dx, radius=radius, bias=bias, alpha=alpha, beta=beta)


STEMS = [
    "avg_pool2d_bwd", "batch_moments", "batch_norm_bwd_data", "batch_norm_bwd_sums", "batch_norm_train", "channel_sum",
    "conv2d_bwd_data", "conv2d_bwd_filter", "dense_bwd_data", "dense_bwd_filter", "l2_pool2d_bwd", "local_conv2d_bwd_bias",
    "local_conv2d_bwd_data", "local_conv2d_bwd_filter", "lrn_bwd", "max_pool2d_bwd", "prelu_bwd_alpha", "prelu_bwd_data", "relu_bwd",
    "scale", "slice",
]


def main():
    files = {stem: Cases() for stem in STEMS}
    rng = np.random.default_rng(4)
    for make in (conv2d, dense, local_conv2d, biases, rectifiers, pools, batch_norm, joins, around, norms, responses):
        make(files, rng)
    out = folder("ops")
    for stem, cases in files.items():
        cases.save(out / f"{stem}.npz")


if __name__ == "__main__":
    main()
