#!/usr/bin/env bash
# dlib's landmarks in a colour photograph are those in its integer mean of the channels, and in no other grey.
#
# Version: dlib-bin 20.0.1, Pillow 13.0.0, numpy 2.4.6 (from the package index), x86-64.
# Expected: shape_predictor compares differences of pixels, so a grey copy by the usual weights (ITU-R 601, as Pillow's
#     convert("L") and OpenCV's COLOR_RGB2GRAY take them), or at least one by the rounded mean, gives the landmarks of the
#     colour photograph but for a pixel here and there.
# Behaviour: it takes (r + g + b) / 3 in integers, rounded down. A grey of exactly that gives the same landmarks everywhere. Any
#     other gives other ones: a comparison that turns out otherwise leads to another leaf, which moves all landmarks, and with
#     them the pixels that are compared next. With shape_predictor_68_face_landmarks.dat on 50 photographs of LFW in colour, 51 %
#     of the landmarks moved by Pillow's grey (up to 6.3 pixels), 48 % by the mean rounded to nearest (up to 4.2).
# This script trains a small predictor on generated pictures, so that it needs no other model and no photograph: there 70 % and
# more move, too.
# Fails if that changes. Needs python3 with pip and venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps dlib-bin==20.0.1 numpy==2.4.6 pillow==13.0.0
cat >"$work/grey.py" <<'PYTHON'
import sys

import dlib
import numpy as np
from PIL import Image

SIDE, POINTS = 80, 20
BOX = dlib.rectangle(15, 15, 64, 64)


def picture(rng):
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    shift = rng.integers(-5, 6, 2)
    angle = 2 * np.pi * np.arange(POINTS) / POINTS
    marks = np.stack([40 + 18 * np.cos(angle), 40 + 14 * np.sin(angle)], 1) + shift
    # A texture of small contrast, in which greys differ by a level.
    pixels = np.full((SIDE, SIDE, 3), 90.0) + rng.normal(0, 6, (SIDE, SIDE, 3))
    for i, (u, v) in enumerate(marks):
        pixels += np.exp(-((x - u) ** 2 + (y - v) ** 2) / 10)[..., None] * np.array([20, -12, 9]) * (1 if i % 2 else -1)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8), np.rint(marks).astype(int)


rng = np.random.default_rng(3)
options = dlib.shape_predictor_training_options()
options.cascade_depth, options.num_trees_per_cascade_level, options.tree_depth = 8, 60, 4
options.num_threads, options.random_seed, options.oversampling_amount = 1, "grey", 4
taught = [picture(rng) for _ in range(60)]
parts = [[dlib.full_object_detection(BOX, [dlib.point(int(u), int(v)) for u, v in marks])] for _, marks in taught]
predictor = dlib.train_shape_predictor([pixels for pixels, _ in taught], parts, options)


def landmarks(pixels):
    return np.array([(p.x, p.y) for p in predictor(np.ascontiguousarray(pixels), BOX).parts()])


greys = {
    "integer mean": lambda rgb: (rgb.astype(int).sum(2) // 3).astype(np.uint8),
    "rounded mean": lambda rgb: np.rint(rgb.mean(2)).astype(np.uint8),
    "Pillow's L": lambda rgb: np.array(Image.fromarray(rgb).convert("L")),
}
seen = [picture(rng)[0] for _ in range(100)]
moved = {}
for name, grey in greys.items():
    far = np.array([np.abs(landmarks(grey(rgb)) - landmarks(rgb)).max(1) for rgb in seen])
    moved[name] = (far > 0).mean()
    print(f"{name}: {moved[name]:.0%} of the landmarks move, by up to {far.max()} pixels")
as_seen = moved["integer mean"] == 0 and min(moved["rounded mean"], moved["Pillow's L"]) > 0.2
sys.exit(0 if as_seen else "this behaviour has changed")
PYTHON
"$work/venv/bin/python" "$work/grey.py"
