#!/usr/bin/env bash
# OpenCV 5's warpAffine gives a picture other bytes on another processor, and in a result of another width.
#
# Version: opencv-python-headless 5.0.0.93 (from the package index), beside 4.10.0.84; x86-64; numpy 2.4.6.
# Expected: 4.x interpolates bytes in integers, and gives the same bytes on every processor, of every pixel whatever else is
#     computed beside it. 5 interpolates in f32 now; one would think that the place of a pixel is still one number.
# Behaviour: of 7,680,000 samples (a picture of noise, turned by 100 angles, bilinear, black border) 1,550 are one level apart
#     with AVX2 (whose code fuses products and sums) and without (OPENCV_CPU_DISABLE=AVX2). And a row is computed by vectors
#     of 16 pixels with AVX2, of 8 without; what is left of it by scalar code, which adds the terms of a place in another
#     order: in the left 159 columns of results of 160 and of 159 columns 312 samples are one level apart with AVX2, all in
#     columns from 144 on, and 118 without, all from 152 on. In 4.10 none is in either comparison.
# Crops whose width is a multiple of 16 have no such columns. Golden bytes hold for a kind of processor.
# Fails if that changes; says so and does nothing on a processor without AVX2. Needs python3 with pip and venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
pip=("$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps)
"${pip[@]}" numpy==2.4.6
for version in 5.0.0.93 4.10.0.84; do
    "${pip[@]}" --target "$work/$version" "opencv-python-headless==$version"
done
cat >"$work/warp.py" <<'PYTHON'
import sys

import cv2
import numpy as np

image = np.random.default_rng(5).integers(0, 256, (250, 250, 3), dtype=np.uint8)


def warp(width, angle):
    linear = 0.8 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([80.0, 80.0]) - linear @ np.array([125.0, 125.0])
    return cv2.warpAffine(image, np.c_[linear, shift], (width, 160), flags=cv2.INTER_LINEAR, borderValue=0)


both = [np.stack([warp(width, turn / 50) for turn in range(100)]) for width in (160, 159)]
features = [name.lstrip("*") for name in cv2.getCPUFeaturesLine().split() if not name.endswith("?")]
np.savez(sys.argv[1], wide=both[0], narrow=both[1], avx2="AVX2" in features)
PYTHON
cat >"$work/check.py" <<'PYTHON'
import os, pathlib, subprocess, sys

import numpy as np

work = pathlib.Path(sys.argv[1])


def run(version, disabled):
    environment = {**os.environ, "PYTHONPATH": str(work / version), "OPENCV_CPU_DISABLE": disabled}
    subprocess.run([sys.executable, work / "warp.py", work / "out.npz"], env=environment, check=True, stderr=subprocess.DEVNULL)
    return dict(np.load(work / "out.npz"))


def apart(a, b):
    """How many samples differ, by how much at most, and from which column on."""
    difference = np.abs(a.astype(int) - b)
    columns = np.nonzero(difference)[2]
    return int((difference > 0).sum()), int(difference.max()), int(columns.min()) if columns.size else None


seen = {}
for version in ("5.0.0.93", "4.10.0.84"):
    fast, plain = run(version, ""), run(version, "AVX2")
    if not fast["avx2"]:
        sys.exit(print("skipped: this processor has no AVX2, so there is one result only"))
    seen[version] = [apart(fast["wide"], plain["wide"])[:2]]
    seen[version] += [apart(kind["wide"][:, :, :159], kind["narrow"]) for kind in (fast, plain)]
    print(f"{version}: by processor {seen[version][0]}, by width with AVX2 {seen[version][1]}, without {seen[version][2]}")
expected = {
    "5.0.0.93": [(1550, 1), (312, 1, 144), (118, 1, 152)],
    "4.10.0.84": [(0, 0), (0, 0, None), (0, 0, None)],
}
sys.exit("this behaviour has changed" if seen != expected else 0)
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
