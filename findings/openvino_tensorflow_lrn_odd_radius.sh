#!/usr/bin/env bash
# OpenVINO's TensorFlow frontend takes an odd depth_radius of the op LRN as the even one below it.
#
# Version: openvino 2026.4.1, numpy 2.4.6 (from the package index), x86-64.
# Expected: TensorFlow's LRN sums the squares of depth_radius channels to both sides of each, which is a window of
#     2 * depth_radius + 1: sqr_sum[d] = sum(x[d - depth_radius : d + depth_radius + 1] ** 2),
#     out = x / (bias + alpha * sqr_sum) ** beta. TensorFlow 2.21.0 computes this for odd and for even radii.
# Behaviour: even radii are right. An odd one is taken as that minus one, without a warning: 3 as 2, 5 as 4, 7 as 6, and 1 as a
#     window of the channel alone. This is written so in the frontend's translation of LRN (src/frontends/tensorflow_common/src/op/
#     lrn.cpp), since pull request 15628 of 2023; its own test has radius 3 with three channels, where radius 2 gives the same.
#     Here with bias 1, alpha 0.1, beta 0.5, 24 channels between -3 and 3, in f32:
#     radius 1: size  1, right is  3; off the formula by 6e-01, off that with radius 0 by 3e-07
#     radius 2: size  5, right is  5; off the formula by 2e-07, off that with radius 1 by 5e-01
#     radius 3: size  5, right is  7; off the formula by 4e-01, off that with radius 2 by 2e-07
#     radius 4: size  9, right is  9; off the formula by 3e-07, off that with radius 3 by 4e-01
#     radius 5: size  9, right is 11; off the formula by 3e-01, off that with radius 4 by 3e-07
#     radius 6: size 13, right is 13; off the formula by 2e-07, off that with radius 5 by 2e-01
#     radius 7: size 13, right is 15; off the formula by 2e-01, off that with radius 6 by 2e-07
#     radius 8: size 17, right is 17; off the formula by 2e-07, off that with radius 7 by 2e-01
# Who is hurt: face networks with local response normalization, where they are read from TensorFlow's files. nn4.small2 from Keras
#     has radius 5 and gives other embeddings, by 3e-5 with its alpha of 1e-4, and more where alpha is larger.
# Fails if that changes. Needs python3 with pip and venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 numpy==2.4.6
cat >"$work/lrn.py" <<'PYTHON'
import pathlib
import struct
import sys

import numpy as np
import openvino as ov

BIAS, ALPHA, BETA, CHANNELS = 1.0, 0.1, 0.5, 24


# Protocol buffers by hand: a field's number and kind, then its content.
def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def number(field, value):
    return varint(field << 3) + varint(value)


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def nested(field, *parts):
    content = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(content)) + content


def node(name, op, inputs, **attributes):
    attrs = [nested(5, nested(1, key), nested(2, value)) for key, value in attributes.items()]
    return nested(1, nested(1, name), nested(2, op), *(nested(3, source) for source in inputs), *attrs)


def graph(radius):
    # AttrValue: i = 3, f = 4, type = 6 (1 is DT_FLOAT), shape = 7 {dim = 2 {size = 1}}. GraphDef: versions = 4 {producer = 1}.
    shape = nested(7, *(nested(2, number(1, size)) for size in (2, 4, 4, CHANNELS)))
    attributes = {"depth_radius": number(3, radius), "bias": real(4, BIAS), "alpha": real(4, ALPHA), "beta": real(4, BETA)}
    return (
        node("input", "Placeholder", [], dtype=number(6, 1), shape=shape)
        + node("out", "LRN", ["input"], T=number(6, 1), **attributes)
        + nested(4, number(1, 1882))
    )


def formula(x, radius):
    squares, out = x.astype(np.float64) ** 2, np.empty(x.shape)
    for i in range(CHANNELS):
        out[..., i] = x[..., i] / (BIAS + ALPHA * squares[..., max(0, i - radius) : i + radius + 1].sum(-1)) ** BETA
    return out


path, core = pathlib.Path(sys.argv[1]), ov.Core()
x = np.random.default_rng(0).uniform(-3, 3, (2, 4, 4, CHANNELS)).astype(np.float32)
as_seen = True
for radius in range(1, 9):
    path.write_bytes(graph(radius))
    model = core.read_model(path)
    size = next(op for op in model.get_ops() if op.get_type_name() == "LRN").get_attributes()["size"]
    out = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x])[0]
    off, off_below = (np.abs(out - formula(x, taken)).max() for taken in (radius, radius - 1))
    print(f"radius {radius}: size {size:2}, right is {2 * radius + 1:2}; ", end="")
    print(f"off the formula by {off:.0e}, off that with radius {radius - 1} by {off_below:.0e}")
    near, far = (off_below, off) if radius % 2 else (off, off_below)
    as_seen = as_seen and size == 2 * (radius - radius % 2) + 1 and near < 1e-5 and far > 1e-2
sys.exit(0 if as_seen else "this behaviour has changed")
PYTHON
"$work/venv/bin/python" "$work/lrn.py" "$work/lrn.pb"
