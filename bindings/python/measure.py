"""Measures the wheel, its import, what a call costs beside the library, and rates and memory beside facenet-pytorch.

    python measure.py WHEEL PHOTOS [--theirs] [--seconds 6] [--turns 5]

It runs in an environment where the wheel is installed, with facenet-pytorch and torch for `--theirs`. Each side runs in processes of
its own, by turns; a turn's first calls are not counted. Rates are medians over turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import zipfile
from importlib import metadata
from pathlib import Path

IMPORT = "import time, numpy; t = time.perf_counter(); import warpface; print(time.perf_counter() - t)"
#: What is run, and how many crops a call embeds.
TASKS = {"detect": 0, "embed 1": 1, "embed 32": 32}


def worker(side: str, task: str, photos: str, seconds: float) -> None:
    """A turn: rate, peak memory, and for ours the share of time that is not the library's."""
    if side == "ours without torch":
        sys.modules["torch"] = None  # type: ignore[assignment]
    if side == "theirs":
        import facenet_pytorch as package
        import torch

        torch.set_grad_enabled(False)
    else:
        import warpface as package
    import numpy as np
    from PIL import Image

    paths = sorted(path for path in Path(photos).rglob("*") if path.suffix in (".jpg", ".png"))[:64]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    if side != "theirs":
        pictures = [np.asarray(picture) for picture in pictures]
    if task == "detect":
        network, items, each = package.MTCNN(), pictures, 1
        call = network.detect
    else:
        network, each = package.InceptionResnetV1(), TASKS[task]
        network.eval()
        crops = np.random.default_rng(1).uniform(-1, 1, (each, 3, 160, 160)).astype(np.float32)
        items = [crops if side == "ours without torch" else __import__("torch").from_numpy(crops)]
        call = network
    for number in range(5):
        call(items[number % len(items)])
    handle = None if side == "theirs" else package.Device("cpu", share=True)
    busy, done, start = handle.busy if handle else 0.0, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call(items[done % len(items)])
        done += 1
    wall = time.perf_counter() - start
    share = (wall - (handle.busy - busy)) / (handle.busy - busy) if handle else None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": done * each / wall, "peak": peak, "share": share}))


def turn(*arguments: str) -> dict:
    line = [sys.executable, __file__, "--worker", *arguments]
    return json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def installed(names: list[str]) -> int:
    """Bytes of installed packages, by their own lists of files."""
    files = {path.locate() for name in names for path in metadata.files(name) or []}
    return sum(Path(path).stat().st_size for path in files if Path(path).is_file())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel")
    parser.add_argument("photos")
    parser.add_argument("--theirs", action="store_true")
    parser.add_argument("--seconds", default="6")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel:
        unpacked = sum(item.file_size for item in wheel.infolist())
    print(f"wheel {Path(arguments.wheel).stat().st_size / 1e6:.1f} MB, unpacked {unpacked / 1e6:.1f} MB")
    if arguments.theirs:
        theirs = installed(["facenet-pytorch", "torch", "torchvision"])
        print(f"facenet-pytorch, torch and torchvision {theirs / 1e6:.0f} MB, ratio {unpacked / theirs:.3f}")
    times = [float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True).stdout) for _ in range(15)]
    print(f"import beyond numpy {statistics.median(times) * 1e3:.1f} ms")
    sides = ["ours without torch"] + (["ours", "theirs"] if arguments.theirs else [])
    for task in TASKS:
        turns = [(side, turn(side, task, arguments.photos, arguments.seconds)) for _ in range(arguments.turns) for side in sides]
        for side in sides:
            of = [values for name, values in turns if name == side]
            rate, peak = (statistics.median(values[key] for values in of) for key in ("rate", "peak"))
            shares = [values["share"] for values in of if values["share"] is not None]
            beside = f", {100 * statistics.median(shares):.2f} % beside the library" if shares else ""
            print(f"{task}, {side}: {rate:.1f}/s, peak {peak:.0f} MiB{beside}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]))
    else:
        main()
