#!/usr/bin/env bash
# NumPy's default argsort orders equal keys by the processor that it runs on, and so other boxes survive suppression.
#
# Version: numpy 2.4.6 (from the package index), x86-64.
# Expected: argsort is documented as not stable, so equal keys may come in any order; of one release, on one architecture,
#     with the same keys, one would think in one order, and with less than 16 keys in that of the insertion sort that short
#     arrays are sorted by.
# Behaviour: six detection scores in f32, four of them saturated at 1.0, are ordered
#     4 0 2 1 3 5 by the code for AVX2 and by that for AVX-512;
#     4 0 1 2 3 5 by the code for other processors (NPY_DISABLE_CPU_FEATURES), which is a stable sort's order.
#     Greedy suppression, which takes the last index first, keeps box 1 by the former and box 2 by the latter, 2 pixels apart.
# A detector whose scores saturate thus finds other boxes on another machine, although nothing else differs. kind="stable"
# gives the second order on both.
# Fails if that changes; says so and does nothing on a processor without AVX2. Needs python3 with pip and venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps numpy==2.4.6
cat >"$work/order.py" <<'PYTHON'
import json

import numpy as np
from numpy._core._multiarray_umath import __cpu_features__ as features

logits = np.array([0, 20, 25, 30, -1, 22], np.float32)
scores = 1 / (1 + np.exp(-logits))
assert (scores == 1).sum() == 4
# Boxes 1 and 2 overlap by two thirds; the others lie apart.
boxes = np.array([[50, 0], [0, 0], [2, 0], [20, 0], [70, 0], [35, 0]])


def overlap(a, b):
    wide, high = (max(0, 10 - abs(int(x) - int(y))) for x, y in zip(a, b))
    return wide * high / (200 - wide * high)


def suppress(order):
    kept = []
    for index in reversed(order):
        if all(overlap(boxes[index], boxes[other]) <= 0.5 for other in kept):
            kept.append(index)
    return sorted(kept)


def told(order):
    return [order.tolist(), suppress(order.tolist())]


used = [name for name in ("X86_V4", "X86_V3") if features.get(name)]
print(json.dumps([used, told(np.argsort(scores)), told(np.argsort(scores, kind="stable"))]))
PYTHON
cat >"$work/check.py" <<'PYTHON'
import json, os, subprocess, sys


def run(disabled):
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(disabled)}
    out = subprocess.run([sys.executable, sys.argv[1]], env=environment, capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


have = run([])[0]
if "X86_V3" not in have:
    sys.exit(print("skipped: this processor has no AVX2, so there is one order only"))
avx512 = ["X86_V4", "AVX512_ICL", "AVX512_SPR"] if "X86_V4" in have else []
vector, scalar = [[4, 0, 2, 1, 3, 5], [0, 1, 3, 4, 5]], [[4, 0, 1, 2, 3, 5], [0, 2, 3, 4, 5]]
modes = [("AVX2", avx512, vector), ("neither", [*avx512, "X86_V3"], scalar)]
if avx512:
    modes.insert(0, ("AVX-512", [], vector))
changed = False
for name, disabled, as_seen in modes:
    used, default, stable = run(disabled)
    print(f"{name:8} argsort {default[0]} keeps boxes {default[1]}; stable {stable[0]} keeps {stable[1]}")
    changed |= default != as_seen or stable != scalar
sys.exit("this behaviour has changed" if changed else 0)
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work/order.py"
