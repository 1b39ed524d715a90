"""`cv2.warpAffine` of both OpenCVs that warps follow: this Python's, 4.x, and 5.0 in a process of its own."""

import os
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np

HERE = pathlib.Path(__file__).resolve()
_packages = None


def opencv4(cases):
    """The results of `(image, map, (width, height))`, black outside."""
    assert cv2.__version__.startswith("4."), cv2.__version__
    return _warp(cases)


def exact(cases):
    """The same by OpenCV 5.0, on a processor with AVX2 (which to OpenCV includes FMA): without it its result is another."""
    global _packages
    if _packages is None:
        _packages = tempfile.TemporaryDirectory()
        pins = HERE.with_name("requirements-opencv5.txt")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", _packages.name, "--requirement", pins], check=True, stdout=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = pathlib.Path(folder, "asked.npz"), pathlib.Path(folder, "answer.npz")
        arrays = {f"image{i}": image for i, (image, _, _) in enumerate(cases)}
        arrays |= {f"map{i}": map for i, (_, map, _) in enumerate(cases)}
        arrays |= {f"size{i}": np.array(size) for i, (_, _, size) in enumerate(cases)}
        np.savez(asked, **arrays)
        environment = os.environ | {"PYTHONPATH": _packages.name}
        subprocess.run([sys.executable, HERE, asked, answer], check=True, env=environment)
        answers = np.load(answer)
        return [answers[str(i)] for i in range(len(cases))]


def inverse(map):
    """As `warpAffine` inverts: in f64, by the adjugate times one over the determinant."""
    a, b, x, c, d, y = np.asarray(map, np.float64).ravel()
    determinant = a * d - b * c
    factor = 1 / determinant if determinant else 0.0
    a, b, c, d = d * factor, b * -factor, c * -factor, a * factor
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def _features():
    names = cv2.getCPUFeaturesLine().split()
    return [name.lstrip("*") for name in names if not name.endswith("?")]


def _warp(cases):
    return [cv2.warpAffine(image, map, size, borderValue=0.0).reshape(*size[::-1], -1) for image, map, size in cases]


if __name__ == "__main__":
    # The process of `exact`, whose PYTHONPATH leads to OpenCV 5.0.
    assert cv2.__version__ == "5.0.0" and "AVX2" in _features(), (cv2.__version__, _features())
    asked = np.load(sys.argv[1])
    count = sum(name.startswith("map") for name in asked)
    warped = _warp([(asked[f"image{i}"], asked[f"map{i}"], asked[f"size{i}"].tolist()) for i in range(count)])
    np.savez(sys.argv[2], **{str(i): image for i, image in enumerate(warped)})
