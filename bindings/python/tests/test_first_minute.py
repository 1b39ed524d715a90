"""README's lines, exactly, in a folder with a photograph: with torch where it is, and without."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT


def test_readmes_lines_run(photographs, tmp_path):
    readme = ROOT / "README.md"
    code = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)[0]
    assert len(code.splitlines()) <= 5
    shutil.copy(photographs[0], tmp_path / "photo.jpg")
    (tmp_path / "first.py").write_text(code)
    done = subprocess.run([sys.executable, "first.py"], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    values = re.findall(r"-?\d+\.\d+(?:e-?\d+)?", done.stdout)
    assert len(values) == 5 and 0.9 < float(values[0]) <= 1, done.stdout
    assert all(abs(float(value)) < 1 for value in values[1:]), done.stdout


def test_without_weights_it_says_what_to_do(tmp_path):
    program = "from warpface import MTCNN; MTCNN()"
    environment = {**os.environ, "WARPFACE_WEIGHTS": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "warpface weights" in done.stderr.splitlines()[-1], done.stderr


def test_torch_is_taken_where_it_is(mtcnn, pictures):
    pytest.importorskip("torch", reason="SKIPPED: torch is not installed")
    import torch

    assert isinstance(mtcnn(pictures[0]), torch.Tensor)
