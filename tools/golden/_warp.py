"""`cv2.warpAffine` of both OpenCVs that warps follow, and insightface's `norm_crop`: OpenCV 4.x is this Python's, the
others run in a process of their own."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import cv2
import numpy as np

HERE = pathlib.Path(__file__).resolve()
_packages = None


def opencv4(cases):
    """The results of `(image, map, (width, height))`, black outside."""
    assert cv2.__version__.startswith("4."), cv2.__version__
    return _warps(cases)


def exact(cases):
    """The same by OpenCV 5.0, on a processor with AVX2 (which to OpenCV includes FMA): without it its result is another."""
    return [result["0"] for result in _elsewhere("warp", cases)]


def norm_crop(cases):
    """Of `(image, landmarks, size)` insightface's crop and its map from image to crop, with OpenCV 5.0 beside it."""
    return [(result["0"], result["1"]) for result in _elsewhere("norm_crop", cases)]


def inverse(map):
    """As `warpAffine` inverts: in f64, by the adjugate times one over the determinant."""
    a, b, x, c, d, y = np.asarray(map, np.float64).ravel()
    determinant = a * d - b * c
    factor = 1 / determinant if determinant else 0.0
    a, b, c, d = d * factor, b * -factor, c * -factor, a * factor
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def _elsewhere(task, cases):
    """Runs a task of this file with the packages of requirements-align.txt."""
    global _packages
    if _packages is None:
        _packages = tempfile.TemporaryDirectory()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        pins = HERE.with_name("requirements-align.txt")
        subprocess.run([*pip, "--target", _packages.name, "--requirement", pins], check=True, stdout=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = pathlib.Path(folder, "asked.npz"), pathlib.Path(folder, "answer.npz")
        np.savez(asked, **{f"{i}.{k}": value for i, case in enumerate(cases) for k, value in enumerate(case)})
        environment = os.environ | {"PYTHONPATH": _packages.name}
        subprocess.run([sys.executable, HERE, task, asked, answer], check=True, env=environment)
        return _grouped(np.load(answer))


def _grouped(arrays):
    """The arrays of each case, by their places in it."""
    groups = {}
    for name in arrays:
        case, place = name.split(".")
        groups.setdefault(int(case), {})[place] = arrays[name]
    return [groups[case] for case in sorted(groups)]


def _features():
    names = cv2.getCPUFeaturesLine().split()
    return [name.lstrip("*") for name in names if not name.endswith("?")]


def _warps(cases):
    return [cv2.warpAffine(image, map, size, borderValue=0.0).reshape(*size[::-1], -1) for image, map, size in cases]


def _norm_crops(cases):
    # By its path: the package itself wants an inference runtime, which has no part in this.
    package = pathlib.Path(importlib.util.find_spec("skimage").origin).parents[1] / "insightface"
    spec = importlib.util.spec_from_file_location("face_align", package / "utils" / "face_align.py")
    face_align = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(face_align)
    # scikit-image means to drop the call that insightface makes.
    warnings.simplefilter("ignore", FutureWarning)
    return [face_align.norm_crop2(image, landmarks, int(size)) for image, landmarks, size in cases]


if __name__ == "__main__":
    # The process of `_elsewhere`, whose PYTHONPATH leads to other packages.
    task, asked, answer = sys.argv[1:]
    assert cv2.__version__ == "5.0.0" and "AVX2" in _features(), (cv2.__version__, _features())
    cases = [tuple(case[place] for place in sorted(case)) for case in _grouped(np.load(asked))]
    if task == "norm_crop":
        results = _norm_crops(cases)
    else:
        results = [(image,) for image in _warps([(image, map, size.tolist()) for image, map, size in cases])]
    np.savez(answer, **{f"{i}.{k}": value for i, result in enumerate(results) for k, value in enumerate(result)})
