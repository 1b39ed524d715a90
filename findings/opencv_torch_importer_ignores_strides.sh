#!/usr/bin/env bash
# OpenCV's importer of Torch7 files reads a tensor that is a turned view of its storage as if it were not turned.
#
# Version: opencv-python-headless 4.10.0.84, torchfile 0.1.0, numpy 2.4.6 (from the package index), x86-64.
# Expected: a Torch7 tensor has sizes, strides and an offset into its storage, all of which the file has. An nn.Linear whose weight
#     is the transpose of a stored matrix (`weight = stored:t()`, which Torch writes as sizes 2 x 3 with strides 1 and 2) should
#     multiply by that transpose, as torchfile reads it, or be refused.
# Behaviour: cv2.dnn.readNetFromTorch takes the elements in the storage's order, and gives other results without a word: for
#     stored [[1, 4], [2, 5], [3, 6]] and x = [1, 10, 100] it computes 241 and 635 instead of 321 and 654.
# OpenCV 5.0 has no importer of Torch7 any more.
# Fails if that changes. Needs python3 with pip and venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps numpy==2.4.6 opencv-python-headless==4.10.0.84 torchfile==0.1.0
cat >"$work/strides.py" <<'PYTHON'
import pathlib
import struct
import sys

import cv2
import numpy as np
import torchfile

out, numbers = bytearray(), 0


def put(form, *values):
    out.extend(struct.pack(f"<{len(values)}{form}", *values))


def text(value):
    put("i", len(value)), out.extend(value)


def begin(kind, name=None):
    global numbers
    numbers += 1
    put("i", kind, numbers)
    if name:
        text(b"V 1"), text(name)


def key(name):
    put("i", 2), text(name)


def tensor(sizes, strides, values):
    begin(4, b"torch.FloatTensor")
    put("i", len(sizes)), put("q", *sizes), put("q", *strides), put("q", 1)
    begin(4, b"torch.FloatStorage")
    put("q", len(values)), put("f", *values)


STORED = np.array([[1, 4], [2, 5], [3, 6]], np.float32)
begin(4, b"nn.Sequential")
begin(3), put("i", 1), key(b"modules")
begin(3), put("i", 1), put("i", 1), put("d", 1)
begin(4, b"nn.Linear")
begin(3), put("i", 2)
key(b"weight"), tensor([2, 3], [1, 2], STORED.ravel())
key(b"bias"), tensor([2], [1], [0, 0])
path = pathlib.Path(sys.argv[1])
path.write_bytes(out)

x = np.array([[1, 10, 100]], np.float32)
weight = torchfile.load(str(path)).modules[0].weight
network = cv2.dnn.readNetFromTorch(str(path), isBinary=True)
network.setInput(x)
by_torchfile, by_opencv = (x @ weight.T).ravel().tolist(), network.forward().ravel().tolist()
print(f"torchfile's weight: {weight.tolist()}, so the layer gives {by_torchfile}; OpenCV's layer gives {by_opencv}")
as_seen = by_torchfile == [321, 654] and by_opencv == (x @ STORED.reshape(2, 3).T).ravel().tolist() != by_torchfile
sys.exit(0 if as_seen else "this behaviour has changed")
PYTHON
"$work/venv/bin/python" "$work/strides.py" "$work/linear.t7"
