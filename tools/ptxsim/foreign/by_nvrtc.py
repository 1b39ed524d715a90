"""NVRTC's kernels as cases: small ones of `small.cu`, and some of the project's own."""

from pathlib import Path

import numpy as np
import nvrtc
from case import Case, In, Out

HERE = Path(__file__).parent


def cases(target, kernels: Path):
    headers = {path.name: path.read_text() for path in kernels.glob("*.cuh")}
    made = {}

    def case(source, name, grid, arguments, beyond=False):
        if source not in made:
            made[source] = nvrtc.compile(source.name, source.read_text(), headers, f"compute_{target}")
        compiler = "NVRTC {}.{}".format(*nvrtc.version())
        return Case(compiler, name, target, made[source], arguments, grid, 256, beyond=beyond)

    random = np.random.default_rng(13)
    yield from small(case, target, random)
    yield from own(case, target, kernels, random)


def small(case, target, random):
    source = HERE / "small.cu"
    whole = lambda *shape: random.integers(-50, 50, shape)

    x = whole(2500).astype(np.float32)
    # Three blocks of 256 threads walk in steps of 768.
    block = np.arange(2500) % 768 // 256
    sums = np.float32([x[block == i].sum() for i in range(3)])
    yield case(source, "block_sums", (3,), [In(x), Out(sums), "u32:2500"])

    x = random.standard_normal((37, 50)).astype(np.float32)
    yield case(source, "transpose", (4, 3), [In(x), Out(x.T.copy()), "u32:37", "u32:50"])

    x = random.integers(0, 1000, 1000).astype(np.uint32)
    bins = np.bincount(x % 16, minlength=16).astype(np.uint32)
    zeros = lambda dtype, count: np.zeros(count, dtype)
    total, least = np.uint64([x.sum()]), np.int32([min(500, x.min())])
    outs = [Out(bins, before=zeros(np.uint32, 16)), Out(total, before=zeros(np.uint64, 1)), Out(least, before=np.int32([500]))]
    yield case(source, "histogram", (4,), [In(x), *outs, "u32:1000"])

    x = random.integers(0, 1100, 512).astype(np.uint32)
    yield case(source, "warps", (2,), [In(x), Out(warps(x))])

    if target >= 80:
        x = whole(512).astype(np.int32)
        yield case(source, "reductions", (2,), [In(x), Out(reductions(x))])

    x = whole(700).astype(np.float32)
    outs = [Out(np.float32([x.sum()]), before=zeros(np.float32, 1)), Out(np.float64([x.sum()]), before=zeros(np.float64, 1))]
    outs.append(Out(np.float32([x.max()]), before=np.float32([-1000])))
    yield case(source, "float_atomics", (3,), [In(x), *outs, "u32:700"])

    x = (3 * random.standard_normal(600)).astype(np.float32)
    y = random.integers(-(2**31), 2**31, 600).astype(np.int32)
    y[:10] = [0, 1, -1, 2, 5, 31, 32, 97, -128, 255]
    floats, ints = arithmetic(x, y)
    yield case(source, "arithmetic", (3,), [In(x), In(y), Out(floats, 3e-6), Out(ints), "u32:600"])


def warps(x):
    out = []
    for values in x.reshape(-1, 32):
        odd = sum(1 << i for i in range(32) if values[i] & 1)
        flags = 2 * bool((values < 1000).all()) + bool((values == 7).any())
        for lane in range(32):
            like = sum(1 << i for i in range(32) if values[i] % 4 == values[lane] % 4)
            first = (odd & -odd).bit_length()
            out.append([odd.bit_count(), first, flags, values[31], values[max(lane - 1, 0)], like])
    return np.array(out, np.uint32)


def reductions(x):
    out = []
    for values in x.reshape(-1, 32):
        bits = values.view(np.uint32)
        row = [values.sum(), values.max(), bits.min(), np.bitwise_and.reduce(bits), np.bitwise_or.reduce(bits)]
        out.append([int(one) & 0xFFFFFFFF for one in [*row, np.bitwise_xor.reduce(bits)]])
    return np.array(out, np.uint32).view(np.int32)


def arithmetic(x, y):
    """What the kernel of this name computes."""
    a, b = x.astype(np.float64), y.astype(np.float64)
    floats = np.stack(
        [
            a / (abs(a) + 3) + np.sqrt(abs(a)) / np.sqrt(abs(a) + 1),
            np.exp(-a * a) + np.log(abs(a) + 1),
            np.sin(a) + np.tanh(a) + np.minimum(a, y.astype(np.float32)) + np.maximum(a, 0.5) + np.copysign(2.0, a),
            abs(a) ** 1.5 + np.fmod(a, 0.75) + np.where(a > b, y, wrapped(-y.astype(object), 32)).astype(np.float32),
        ],
        axis=1,
    )
    ints = []
    for i, (f, v) in enumerate(zip(x, y.astype(object))):
        # Divisions round towards zero there.
        divisor = (abs(v) % 97 * 2) * (1 if v >= 0 else -1) + 1
        bits = v & 0xFFFFFFFF
        quotient = abs(v * 123456789) // abs(divisor) * (1 if (v < 0) == (divisor < 0) else -1)
        ints.append(quotient)
        ints.append(int(np.rint(f * np.float32(1000))) + wrapped(v, 8) + (v & 0xFFFF))
        reversed_ = int(f"{bits:032b}"[::-1], 2)
        ints.append(32 - bits.bit_length() + 100 * bits.bit_count() + 10000 * reversed_ + ((v << 20) >> 32))
        ints.append(wrapped((bits >> (i & 31)) ^ (v << (i & 63)) ^ (v >> (i & 7)), 64))
    return floats.astype(np.float32), np.array([wrapped(one, 64) for one in ints], np.int64)


def wrapped(value, bits):
    """In two's complement."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def own(case, target, kernels, random):
    f32 = lambda *shape: random.standard_normal(shape).astype(np.float32)
    x = f32(1003)
    yield case(kernels / "relu.cu", "relu_fwd_f32", (4,), ["u32:1003", In(x), Out(np.maximum(x, 0))])

    rows = 3 * f32(11, 77)
    wide = rows.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    out = Out((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), 1e-6)
    yield case(kernels / "softmax.cu", "softmax_fwd_f32", (2,), ["u32:11,77", In(rows), out])

    halves = rows.astype(np.float16)
    wide = halves.astype(np.float64)
    norm = np.sqrt(np.maximum((wide**2).sum(axis=1, keepdims=True), 1e-10))
    out = Out((wide / norm).astype(np.float16), 1e-3)
    yield case(kernels / "l2_normalize.cu", "l2_normalize_fwd_f16", (2,), ["u32:11,77,f32:1e-10", In(halves), out])

    pixels = random.integers(0, 256, (2, 1500)).astype(np.float32)
    wide = pixels.astype(np.float64)
    deviation = np.maximum(wide.std(axis=1, keepdims=True), 1 / np.sqrt(1500))
    out = Out(((wide - wide.mean(axis=1, keepdims=True)) / deviation).astype(np.float32), 1e-5)
    yield case(kernels / "standardize.cu", "standardize_fwd_f32", (2,), ["u32:2,1500,1", In(pixels), out])

    # Weights are padded to vectors of four channels.
    x, w, bias = f32(19, 50), f32(50, 70), f32(70)
    padded = np.pad(w, ((0, 0), (0, 2)))
    y = np.maximum(x.astype(np.float64) @ w.astype(np.float64) + bias, 0).astype(np.float32)
    arguments = ["u32:19,50,70,18,3", In(x), In(padded), In(bias), "u64:0", Out(y, 1e-5)]
    yield case(kernels / "dense.cu", "dense_fwd_f32", (2, 2), arguments)

    if target in (75, 80):
        yield convolution(case, kernels / "conv2d.cu", f32)


def convolution(case, source, f32):
    """By tensor cores: 3x3 taps of a padded image, 16 channels to 32."""
    h, w, c_in, c_out = 7, 9, 16, 32
    x, taps = f32(1, h, w, c_in).astype(np.float16), (f32(c_out, 3, 3, c_in) / 8).astype(np.float16)
    padded = np.pad(x[0].astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
    y = np.einsum("hwcyx,oyxc->hwo", windows, taps.astype(np.float64))
    numbers = [h, w, c_in, h, w, c_out, 1, 1, 1, 1, 3, 3, c_in, h * w, 9 * c_in, 0, c_out, 0]
    arguments = [f"u32:{','.join(map(str, numbers))},f32:1.0", In(x), In(taps), "u64:0", "u64:0", "u64:0"]
    out = Out(y.astype(np.float16), 1e-3)
    return case(source, "conv2d_fwd_mma_n32_f16", (1,), [*arguments, out])
