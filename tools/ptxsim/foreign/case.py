"""A kernel, what it is launched with, what must come of it, and how it is run in the simulator."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class In:
    """A buffer that is read."""

    values: np.ndarray


@dataclass
class Out:
    """A buffer that is written: what must stand in it, or in its beginning, and how far off a value may be."""

    expected: np.ndarray
    tolerance: float = 0.0
    # What stands there before; nothing, if it is None.
    before: np.ndarray | None = None


@dataclass
class Case:
    compiler: str
    kernel: str
    target: int
    ptx: str
    # Buffers, and numbers as ptxsim's command line has them.
    arguments: list
    grid: tuple
    block: int
    shared: int = 0
    entry: str = ""
    # Whether the target's code holds what is known not to be simulated.
    beyond: bool = field(default=False)

    def run(self, ptxsim: Path, folder: Path) -> str:
        """`right`, or what is wrong."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "kernel.ptx"
        file.write_text(self.ptx)
        words = [self._argument(folder, i, one) for i, one in enumerate(self.arguments)]
        command = [str(ptxsim), str(file), self.entry or self.kernel, "--block", str(self.block), "--shared", str(self.shared)]
        command += ["--grid", ",".join(map(str, self.grid)), "--capability", f"{self.target // 10}.{self.target % 10}"]
        done = subprocess.run(command + ["--out-dir", str(folder), "--args", *words], capture_output=True, text=True)
        if done.returncode:
            lines = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()
            return " ".join(line.strip() for line in lines).replace(f"ptxsim: {file}:", "line ")
        outs = [(i, one) for i, one in enumerate(self.arguments) if isinstance(one, Out)]
        wrong = [differs(np.load(folder / f"arg{i}.npy"), one) for i, one in outs]
        return next((text for text in wrong if text), "right")

    def _argument(self, folder, i, one):
        if isinstance(one, str):
            return one
        if isinstance(one, Out) and one.before is None:
            kind = one.expected.dtype
            names = {"f": "f", "i": "s", "u": "u"}
            return f"out:{names[kind.kind]}{8 * kind.itemsize}:{one.expected.size}"
        values = one.values if isinstance(one, In) else one.before
        np.save(folder / f"in{i}.npy", np.ascontiguousarray(values))
        return f"{'in' if isinstance(one, In) else 'inout'}:{folder / f'in{i}.npy'}"


def differs(got, out):
    """How far the values are off, if they are."""
    wanted = out.expected.ravel()
    got = got.ravel()[: wanted.size]
    if wanted.dtype.kind != "f":
        wrong = np.flatnonzero(got != wanted)
    else:
        error = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
        # NaN is further off than anything.
        wrong = np.flatnonzero(~(error <= out.tolerance * np.maximum(1.0, np.abs(wanted.astype(np.float64)))))
    if wrong.size:
        at = wrong[0]
        return f"wrong: {wrong.size} of {wanted.size} values, the first at {at}: {got[at]}, not {wanted[at]}"
    return ""
