"""Exact nearest neighbours: distances are squared Euclidean; of equally near rows the lower one comes first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _native
from ._arrays import array
from ._facenet import open_device
from .errors import UsageError

Path = str | os.PathLike[str]


def _rows(values: Any, what: str) -> np.ndarray:
    found = np.asarray(array(values))
    if found.ndim == 1:
        found = found[None]
    if found.ndim != 2 or found.dtype not in (np.float16, np.float32, np.float64):
        raise UsageError(f"{what}: expected floats [n, d], got {found.dtype} {list(found.shape)}")
    return found.astype(np.float32, copy=False)


def nearest(rows: Any, queries: Any, k: int = 1, device: Any = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the `k` nearest of `rows` to each query, and their distances: `[queries, k]` both."""
    return _native.nearest(open_device(device), _rows(rows, "rows"), _rows(queries, "queries"), k)


class Index:
    """Vectors with names in one file, which `warpface search` reads and writes, too."""

    def __init__(self, path: Path, device: Any = "cpu") -> None:
        self.device = open_device(device)
        self._native = _native.Index(path)

    @staticmethod
    def build(
        path: Path, rows: Any, names: Sequence[str] | None = None, storage: str = "f32", device: Any = "cpu"
    ) -> "Index":
        """Writes an index, of `storage` f32, f16 or int8, in place of what was there."""
        given = None if names is None else list(names)
        _native.Index.build(open_device(device), path, _rows(rows, "rows"), given, storage)
        return Index(path, device)

    @staticmethod
    def add(path: Path, rows: Any, names: Sequence[str] | None = None, device: Any = "cpu") -> int:
        """Adds rows behind those that are there; how many there are then. It waits until no one has the index open."""
        return _native.Index.add(open_device(device), path, _rows(rows, "rows"), None if names is None else list(names))

    def nearest(self, queries: Any, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """As `nearest`, of the rows of the index."""
        return self._native.nearest(self.device, _rows(queries, "queries"), k)

    def name(self, row: int) -> str | None:
        """The name of a row."""
        return self._native.name(row)

    def __len__(self) -> int:
        return len(self._native)
