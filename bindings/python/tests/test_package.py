"""The package's own promises: stubs that name what is there, the command, and what is loaded when."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import warpface
from warpface import _native


def test_stubs_name_what_is_there():
    package = Path(warpface.__file__).parent
    assert (package / "py.typed").is_file()
    told = {}
    for node in ast.parse((package / "_native.pyi").read_text()).body:
        if isinstance(node, ast.ClassDef):
            told[node.name] = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            told[node.name] = [argument.arg for argument in node.args.args]
    public = {name for name in vars(_native) if not name.startswith("__")}
    assert public - {"_native"} == set(told)
    for name, expected in told.items():
        item = getattr(_native, name)
        if isinstance(expected, set):
            assert expected <= set(dir(item)), name
        else:
            assert list(inspect.signature(item).parameters) == expected, name
    for name in warpface.__all__:
        assert hasattr(warpface, name)


def test_the_import_loads_numpy_alone():
    program = "import sys, warpface; print([m for m in ('torch', 'PIL', 'subprocess32', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "warpface", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, env={**os.environ, **variables})


def test_the_command():
    assert run("--version").stdout.strip() == f"warpface {warpface.__version__}"
    assert run("--help").returncode == 0
    wrong = run("detect", "--min-size", "3", "x.jpg")
    assert wrong.returncode == 2 and "--min-size: 3 is below 12" in wrong.stderr
    assert run("detect").returncode == 2
    assert run("detect", "nowhere.jpg", "--device", "cpu").returncode == 1


def test_commands_raise_in_their_own_words(tmp_path):
    with pytest.raises(warpface.CommandError, match="nowhere") as error:
        warpface.lfw(tmp_path / "nowhere", tmp_path / "pairs.txt", device="cpu")
    assert error.value.code == 1
    with pytest.raises(warpface.CommandError, match="--device") as error:
        warpface.lfw(tmp_path, tmp_path / "pairs.txt", device="abacus")
    assert error.value.code == 2


def test_crops_of_a_folder(photographs, tmp_path):
    people = tmp_path / "people"
    for path in photographs:
        (people / path.parent.name).mkdir(parents=True, exist_ok=True)
        (people / path.parent.name / path.name).write_bytes(path.read_bytes())
    warpface.align_folder(people, tmp_path / "crops", device="cpu", image_size=96)
    assert len(list((tmp_path / "crops").rglob("*.png"))) == 3
