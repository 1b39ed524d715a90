"""Triton's kernels as cases."""

import warnings

import numpy as np
import triton
import triton.language as tl
import triton_kernels
from case import Case, In, Out
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

C = "constexpr"


def compiled(name, target, signature, constants, aligned):
    """A kernel's compilation; `aligned` promises pointers and numbers that are multiples of 16, as its launcher finds them."""
    promise = [["tt.divisibility", 16]]
    given = [(i, kind) for i, kind in enumerate(signature.values()) if kind != C]
    attributes = {(i,): promise for i, kind in given if kind.startswith("*") or aligned and kind == "i32"}
    kernel = getattr(triton_kernels, name)
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return triton.compile(source, target=GPUTarget("cuda", target, 32))


def cases(target):
    random = np.random.default_rng(11)
    f32 = lambda *shape: random.standard_normal(shape).astype(np.float32)

    def case(name, signature, constants, grid, arguments, aligned=False, label=None, beyond=False):
        made = compiled(name, target, signature, constants, aligned)
        data = made.metadata
        # Behind its own parameters a kernel takes two pointers of the runtime's, which these do not use.
        return Case(
            f"Triton {triton.__version__}", label or name, target, made.asm["ptx"], arguments + ["u64:0", "u64:0"],
            grid, 32 * data.num_warps, data.shared, name, beyond,
        )

    x, y = f32(1000), f32(1000)
    kinds = {"x": "*fp32", "y": "*fp32", "out": "*fp32", "n": "i32", "BLOCK": C}
    yield case("add", kinds, {"BLOCK": 256}, (4,), [In(x), In(y), Out(x + y), "u32:1000"])

    for columns in (1000, 1024):
        rows = 3 * f32(5, columns)
        powers = np.exp(rows.astype(np.float64) - rows.max(axis=1, keepdims=True))
        out = Out((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), 1e-6)
        kinds = {"x": "*fp32", "out": "*fp32", "columns": "i32", "BLOCK": C}
        label = f"softmax of {columns}"
        yield case("softmax", kinds, {"BLOCK": 1024}, (5,), [In(rows), out, f"u32:{columns}"], columns == 1024, label)

    for m, n, k in ((75, 90, 70), (128, 64, 96)):
        a, b = f32(m, k).astype(np.float16), f32(k, n).astype(np.float16)
        out = Out((a.astype(np.float64) @ b.astype(np.float64)).astype(np.float32), 2e-5)
        kinds = {"a": "*fp16", "b": "*fp16", "out": "*fp32", "m": "i32", "n": "i32", "k": "i32", "M": C, "N": C, "K": C}
        numbers = [f"u32:{extent}" for extent in (m, n, k)]
        yield case(
            "matmul", kinds, {"M": 64, "N": 64, "K": 32}, (-(-m // 64), -(-n // 64)), [In(a), In(b), out, *numbers],
            m % 16 == 0, f"matmul {m}x{n}x{k}", beyond=target == 100,
        )

    # Triton's Turing has no products of eight bits, and its Ampere none of floats.
    kinds = {"a": "*i8", "b": "*i8", "out": "*i32", "SIZE": C, "KIND": C}
    if target >= 80:
        a, b = (random.integers(-128, 128, (64, 64)).astype(np.int8) for _ in range(2))
        out = Out(a.astype(np.int32) @ b.astype(np.int32))
        constants = {"SIZE": 64, "KIND": tl.int32}
        yield case("square_matmul", kinds, constants, (1,), [In(a), In(b), out], label="matmul of i8", beyond=target == 100)
    if target >= 89:
        for name, mantissa in (("fp8e4nv", 3), ("fp8e5", 2)):
            # Exponents around 0 alone: sums must not cancel more than f32 holds.
            middle = (1 << (6 - mantissa)) - 3 << mantissa
            some = lambda: random.integers(middle, middle + (5 << mantissa), (64, 64)) | random.choice([0, 0x80], (64, 64))
            a, b = some().astype(np.uint8), some().astype(np.uint8)
            out = Out((eight_bits(a, mantissa) @ eight_bits(b, mantissa)).astype(np.float32), 1e-6)
            kinds = {"a": f"*{name}", "b": f"*{name}", "out": "*fp32", "SIZE": C, "KIND": C}
            constants = {"SIZE": 64, "KIND": tl.float32}
            label = f"matmul of {name}"
            yield case("square_matmul", kinds, constants, (1,), [In(a), In(b), out], label=label, beyond=target == 100)
    if target >= 80:
        halves = (f32(700) * 40).clip(-120, 120).astype(np.float16)
        x = halves.astype(np.float32)
        small = np.trunc(x).astype(np.int8)
        # To the nearest in f16's upper eight bits, ties to even.
        bits = halves.view(np.uint16).astype(np.uint32)
        rounded = (bits + 127 + (bits >> 8 & 1)) >> 8
        kinds = {"x": "*fp32", "bytes_": "*fp8e5", "integers": "*i8", "n": "i32", "BLOCK": C}
        outs = [Out(rounded.astype(np.uint8)), Out(small * small + (small >> 2))]
        # Four elements a thread: Triton's Ampere converts so many, and would read registers that nobody wrote of fewer.
        yield case("narrow", kinds, {"BLOCK": 512}, (2,), [In(x), *outs, "u32:700"])

    rows, weight = f32(4, 500).astype(np.float16), f32(500)
    away = rows.astype(np.float64) - rows.astype(np.float64).mean(axis=1, keepdims=True)
    scaled = away / np.sqrt((away**2).mean(axis=1, keepdims=True) + 1e-5) * weight
    kinds = {"x": "*fp16", "weight": "*fp32", "out": "*fp32", "columns": "i32", "epsilon": "fp32", "BLOCK": C}
    out = Out(scaled.astype(np.float32), 1e-5)
    yield case("layer_norm", kinds, {"BLOCK": 512}, (4,), [In(rows), In(weight), out, "u32:500", "f32:1e-5"])

    # Whole numbers, so that every order of additions gives the same.
    x = random.integers(-50, 50, 1000).astype(np.float32)
    added = np.zeros(258, np.float32)
    for first in range(0, 1000, 256):
        part = x[first : first + 256]
        added[2 : 2 + part.size] += part
    added[:2] = x.sum(), x.max()
    kinds = {"x": "*fp32", "out": "*fp32", "n": "i32", "BLOCK": C}
    out = Out(added, before=np.zeros(258, np.float32))
    yield case("totals", kinds, {"BLOCK": 256}, (4,), [In(x), out, "u32:1000"])

    x = np.concatenate([f32(990) * 3, np.float32([0, 1, -1, 100, -1000, 2e5, 1e-3, 50, -7, 7])])
    out = Out(functions(x.astype(np.float64)).astype(np.float32), 2e-5)
    yield case("functions", kinds, {"BLOCK": 256}, (4,), [In(x), out, "u32:1000"])

    x = random.integers(-50, 50, 250).astype(np.float32)
    kinds = {"x": "*fp32", "sums": "*fp32", "sorted_": "*fp32", "n": "i32", "BLOCK": C}
    yield case("ordered", kinds, {"BLOCK": 256}, (1,), [In(x), Out(np.cumsum(x)), Out(np.sort(x)), "u32:250"])


def eight_bits(codes, mantissa):
    """The values of eight-bit floats: a sign, the exponent, and so many bits of mantissa."""
    bias = (1 << (6 - mantissa)) - 1
    exponent = (codes & 0x7F) >> mantissa
    significand = (codes & ((1 << mantissa) - 1)).astype(np.float64) / (1 << mantissa) + (exponent > 0)
    value = significand * 2.0 ** (np.maximum(exponent, 1).astype(np.float64) - bias)
    return np.where(codes & 0x80, -value, value)


def functions(a):
    """What the kernel of this name computes."""
    from math import erf

    waves = np.sin(a) * np.cos(a) + 1 / (1 + np.exp(-np.clip(a, -700, 700)))
    rest = np.log(np.abs(a) + 1) + np.exp2(-np.abs(a)) + np.sqrt(np.abs(a)) + np.floor(a) + np.vectorize(erf)(a)
    return waves + rest + np.clip(a, -1, 1)
