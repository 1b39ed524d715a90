"""Photographs, weights, and the command beside which results are held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import warpface

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared"
WEIGHTS = Path(os.environ.get("WARPFACE_WEIGHTS", ROOT / "weights"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="what takes too long for every change, too")


@pytest.fixture(scope="session", autouse=True)
def weights() -> Path:
    """The folder of weights, which every call finds by the variable."""
    if not (WEIGHTS / "det1.npy").is_file():
        pytest.exit(f"{WEIGHTS}: no weights are here; `cargo xtask weights` fetches them", 1)
    os.environ["WARPFACE_WEIGHTS"] = str(WEIGHTS)
    return WEIGHTS


@pytest.fixture(scope="session")
def photographs() -> list[Path]:
    """Three colour photographs with one face each: of the shared ones where they are there, else of the fetched samples."""
    folder = SHARED / "lfw_color"
    if not folder.is_dir():
        folder = WEIGHTS / "five-people"
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    people = {path.parent: path for path in reversed(found)}
    chosen = sorted(people.values())[:3] if len(people) >= 3 else found[:3]
    if len(chosen) < 3:
        pytest.skip(f"SKIPPED LOUDLY: {folder} has no three photographs")
    return chosen


@pytest.fixture(scope="session")
def pictures(photographs: list[Path]) -> list[np.ndarray]:
    """Their pixels."""
    return [np.asarray(Image.open(path).convert("RGB")) for path in photographs]


@pytest.fixture(scope="session")
def mtcnn(weights: Path) -> warpface.MTCNN:
    return warpface.MTCNN()


@pytest.fixture(scope="session")
def casia(weights: Path) -> warpface.InceptionResnetV1:
    return warpface.InceptionResnetV1(pretrained="casia-webface").eval()


@pytest.fixture(scope="session")
def faces(mtcnn: warpface.MTCNN, pictures: list[np.ndarray]) -> np.ndarray:
    """The standardized crops of the photographs, `[3, 3, 160, 160]`."""
    return np.stack([np.asarray(mtcnn(picture)) for picture in pictures])


def command(*arguments: object) -> list[dict]:
    """The objects that the command prints: the program's where one is named, else the package's."""
    program = os.environ.get("WARPFACE_COMMAND")
    line = [program] if program else [sys.executable, "-m", "warpface"]
    done = subprocess.run([*line, *map(str, arguments), "--json"], capture_output=True, text=True, check=True)
    return [json.loads(row) for row in done.stdout.splitlines()]
