"""What the scripts of this folder share: where dumps go, and the form of the cases of an op."""

import json
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def folder(name):
    """The folder `name` of the dumps: of tests/golden, or of the script's first argument."""
    golden = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "golden"
    (golden / name).mkdir(parents=True, exist_ok=True)
    return golden / name


class Cases:
    """The cases of one op: `CASE.in0`.. and `CASE.out` as f32, `CASE.attrs` as the bytes of a JSON object.

    The object holds the op's attributes, and, where they are not the usual, `params`: the inputs that are weights, and
    `atol`: an absolute tolerance for a case that no f32 arithmetic can hold to the op's usual one, `atol64`: one for f64
    arithmetic, where inputs are rounded results themselves.
    """

    def __init__(self):
        self.arrays = {}

    def add(self, name, inputs, out, **attrs):
        assert f"{name}.out" not in self.arrays, name
        for i, x in enumerate(inputs):
            self.arrays[f"{name}.in{i}"] = np.ascontiguousarray(x, np.float32)
        self.arrays[f"{name}.out"] = np.ascontiguousarray(out, np.float32)
        self.arrays[f"{name}.attrs"] = np.frombuffer(json.dumps(attrs, sort_keys=True).encode(), np.uint8)

    def save(self, path):
        np.savez_compressed(path, **self.arrays)


def write(ops, seed):
    """Writes STEM.npz for each function of `ops`, named by its stem, which adds the cases of an op."""
    out = folder("ops")
    for i, (stem, make) in enumerate(ops.items()):
        cases = Cases()
        # A generator per op: a case more in one leaves the others as they are.
        make(cases, np.random.default_rng([seed, i]))
        cases.save(out / f"{stem}.npz")
