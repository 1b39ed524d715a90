"""The library: what Rust programs call, under the same names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _native
from ._arrays import array, is_batch, pictures
from ._facenet import open_device

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Face:
    """A face in a photograph; the first pixel is 1, as in the original."""

    #: Left, top, right, bottom.
    box: tuple[float, float, float, float]
    #: O-Net's probability.
    score: float
    #: `[x, y]` of the left eye, right eye, nose, left and right corner of the mouth, as seen by the viewer.
    landmarks: tuple[tuple[float, float], ...]


class Detector:
    """Finds faces: the boxes of `warpface detect`, to the bit."""

    def __init__(
        self,
        weights: Path | None = None,
        device: Any = "auto",
        *,
        min_size: int = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        allow_modified_weights: bool = False,
    ) -> None:
        self.device = open_device(device)
        self._native = _native.Detector(
            self.device, weights, min_size, list(thresholds), factor, allow_modified_weights=allow_modified_weights
        )

    def detect(self, images: Any) -> Any:
        """The faces of a picture, or of several pictures a list of them."""
        found = [_faces(*faces) for faces in self._native.detect(pictures(images))]
        return found if is_batch(images) else found[0]


def _faces(boxes: np.ndarray, scores: np.ndarray, landmarks: np.ndarray) -> list[Face]:
    rows = zip(boxes.tolist(), scores.tolist(), landmarks.tolist())
    return [Face(tuple(box), score, tuple(map(tuple, points))) for box, score, points in rows]


class Embedder:
    """Turns crops into vectors: those of `warpface embed`, to the bit."""

    def __init__(
        self,
        model: Path | None = None,
        device: Any = "auto",
        *,
        weights: Path | None = None,
        precision: str = "f32",
        standardize: str | None = None,
        size: int | None = None,
        model_def: str | None = None,
        batch: int | None = None,
        allow_modified_weights: bool = False,
    ) -> None:
        self.device = open_device(device)
        self._native = _native.Embedder(
            self.device, model, weights, precision, standardize, size, model_def, batch, allow_modified_weights
        )

    @property
    def model(self) -> str:
        """The model's file."""
        return str(self._native.model)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._native.dim

    @property
    def size(self) -> int:
        """Side of the crops, in pixels."""
        return self._native.size

    @property
    def standardize(self) -> str:
        """What is done to the pixels first."""
        return self._native.standardize

    def embed(self, crops: Any) -> np.ndarray:
        """The vectors of crops, uint8 `[size, size, 3]`: `[n, dim]`, or `[dim]` of one crop."""
        rows = self._native.embed(pictures(crops))
        return rows if is_batch(crops) else rows[0]

    def align(self, image: Any, face: Face, margin: int = 32, warp: str = "exact") -> np.ndarray | None:
        """A face cut out as this model was trained."""
        return align(image, face, size=self.size, method=self._native.method, margin=margin, warp=warp)


def decode(source: Path | bytes, name: str = "a photograph") -> np.ndarray:
    """A photograph's pixels, uint8 `[h, w, 3]`, from a file or its bytes, which `name` calls in errors: JPEG, PNG, GIF, WebP,
    BMP, TIFF, PNM."""
    return _native.decode(source, name)


def align(
    image: Any, face: Face, size: int = 160, method: str = "crop", margin: int = 32, warp: str = "exact"
) -> np.ndarray | None:
    """A face cut out of its photograph, uint8 `[size, size, 3]`; None where its box lies outside."""
    return _native.align(array(image), face.box, face.landmarks, size, method, margin, warp)


def choose(faces: Sequence[Face], width: int, height: int) -> int | None:
    """The face that a photograph is about: large and central."""
    boxes = np.array([face.box for face in faces], dtype=np.float64).reshape(-1, 4)
    return _native.choose(boxes, width, height)
