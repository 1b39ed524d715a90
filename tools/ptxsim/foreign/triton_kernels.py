"""Kernels in Triton of the kinds that its users write every day, with tails in every shape."""

import triton
import triton.language as tl


@triton.jit
def add(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    tl.store(out + at, tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside), mask=inside)


@triton.jit
def softmax(x, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    values = tl.load(x + row * columns + at, mask=inside, other=-float("inf"))
    powers = tl.exp(values - tl.max(values, axis=0))
    tl.store(out + row * columns + at, powers / tl.sum(powers, axis=0), mask=inside)


@triton.jit
def matmul(a, b, out, m, n, k, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):
    rows = tl.program_id(0) * M + tl.arange(0, M)
    columns = tl.program_id(1) * N + tl.arange(0, N)
    sums = tl.zeros((M, N), dtype=tl.float32)
    for first in range(0, k, K):
        inner = first + tl.arange(0, K)
        in_a = (rows[:, None] < m) & (inner[None, :] < k)
        in_b = (inner[:, None] < k) & (columns[None, :] < n)
        left = tl.load(a + rows[:, None] * k + inner[None, :], mask=in_a, other=0.0)
        right = tl.load(b + inner[:, None] * n + columns[None, :], mask=in_b, other=0.0)
        sums = tl.dot(left, right, sums)
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(out + rows[:, None] * n + columns[None, :], sums, mask=inside)


@triton.jit
def square_matmul(a, b, out, SIZE: tl.constexpr, KIND: tl.constexpr):
    rows = tl.arange(0, SIZE)
    at = rows[:, None] * SIZE + rows[None, :]
    tl.store(out + at, tl.dot(tl.load(a + at), tl.load(b + at), out_dtype=KIND))


@triton.jit
def narrow(x, bytes_, integers, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    a = tl.load(x + at, mask=inside)
    tl.store(bytes_ + at, a.to(tl.float8e5), mask=inside)
    small = a.to(tl.int8)
    tl.store(integers + at, small * small + (small >> 2), mask=inside)


@triton.jit
def layer_norm(x, weight, out, columns, epsilon, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    values = tl.load(x + row * columns + at, mask=inside, other=0.0).to(tl.float32)
    away = tl.where(inside, values - tl.sum(values, axis=0) / columns, 0.0)
    scale = tl.rsqrt(tl.sum(away * away, axis=0) / columns + epsilon)
    tl.store(out + row * columns + at, away * scale * tl.load(weight + at, mask=inside), mask=inside)


@triton.jit
def totals(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    values = tl.load(x + at, mask=inside, other=0.0)
    tl.atomic_add(out, tl.sum(values, axis=0))
    tl.atomic_max(out + 1, tl.max(values, axis=0))
    # Each block adds to the same elements.
    tl.atomic_add(out + 2 + tl.arange(0, BLOCK), values, mask=inside)


@triton.jit
def functions(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    a = tl.load(x + at, mask=inside)
    waves = tl.sin(a) * tl.cos(a) + tl.sigmoid(a)
    rest = tl.log(tl.abs(a) + 1) + tl.exp2(-tl.abs(a)) + tl.sqrt(tl.abs(a)) + tl.floor(a) + tl.erf(a)
    tl.store(out + at, waves + rest + tl.clamp(a, -1.0, 1.0), mask=inside)


@triton.jit
def ordered(x, sums, sorted_, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < n
    tl.store(sums + at, tl.cumsum(tl.load(x + at, mask=inside, other=0.0), 0), mask=inside)
    tl.store(sorted_ + at, tl.sort(tl.load(x + at, mask=inside, other=float("inf"))), mask=inside)
