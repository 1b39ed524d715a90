"""Embedding in batches, for Ray Data, Daft, Spark and others that map batches of rows on many machines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from . import _native
from .errors import DataError, UsageError
from .library import Detector, Embedder, choose

Path = str | os.PathLike[str]
#: Photographs that are in memory at once, decoded.
AT_ONCE = 32
NO_FACE = "no face found"


class FaceEmbedder:
    """Turns rows with a photograph into rows with the embedding of the face that it is about.

    A row's photograph is in `column`: a file's bytes, or its path. A batch is a pyarrow Table or RecordBatch, or a dict of numpy
    arrays, and so is the result: the other columns, and behind them `box`, `landmarks`, `score`, `embedding` and `error`, with
    the values of `warpface embed`. What cannot be read, and what shows no face, has its reason in `error`, and nulls otherwise; in
    numpy arrays NaN, and "" where there is no error. The networks are loaded once in a process, at the first batch; the object can be pickled before and after.

    `device` is auto: the GPU that `CUDA_VISIBLE_DEVICES` leaves, else the CPU, with `threads` threads, 0 being one for each core.
    """

    def __init__(
        self,
        model: Path | None = None,
        device: str = "auto",
        *,
        weights: Path | None = None,
        column: str = "bytes",
        threads: int = 0,
        detect: Mapping[str, Any] | None = None,
        embed: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.device = device
        self.weights = weights
        self.column = column
        self.threads = threads
        self.detect_options = dict(detect or {})
        self.embed_options = dict(embed or {})
        self._loaded: tuple[int, Any, Detector, Embedder] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}

    def _load(self) -> tuple[Any, Detector, Embedder]:
        """What this process has loaded; a child of a fork loads its own."""
        if self._loaded is None or self._loaded[0] != os.getpid():
            device = _native.Device(self.device, self.threads, share=True)
            detector = Detector(self.weights, device, **self.detect_options)
            embedder = Embedder(self.model, device, weights=self.weights, **self.embed_options)
            self._loaded = (os.getpid(), device, detector, embedder)
        return self._loaded[1:]

    def rows(self, sources: Iterable[Any]) -> list[dict[str, Any]]:
        """What becomes of each photograph, bytes or a path: `box`, `landmarks`, `score`, `embedding`, `error`."""
        sources = list(sources)
        rows: list[dict[str, Any]] = []
        for start in range(0, len(sources), AT_ONCE):
            rows += self._some(sources[start : start + AT_ONCE])
        return rows

    def _some(self, sources: list[Any]) -> list[dict[str, Any]]:
        device, detector, embedder = self._load()
        rows: list[dict[str, Any]] = [dict.fromkeys(("box", "landmarks", "score", "embedding", "error")) for _ in sources]
        pictures: list[tuple[int, np.ndarray]] = []
        present = [(number, source) for number, source in enumerate(sources) if source is not None]
        for number, source in enumerate(sources):
            if source is None:
                rows[number]["error"] = "there is no photograph"
        for (number, _), decoded in zip(present, _decoded(device, [source for _, source in present])):
            if isinstance(decoded, Exception):
                rows[number]["error"] = str(decoded)
            else:
                pictures.append((number, decoded))
        crops: list[tuple[int, np.ndarray]] = []
        for (number, picture), faces in zip(pictures, detector.detect([picture for _, picture in pictures])):
            chosen = choose(faces, picture.shape[1], picture.shape[0])
            try:
                crop = None if chosen is None else embedder.align(picture, faces[chosen])
            except (UsageError, DataError) as error:
                rows[number]["error"] = str(error)
                continue
            if crop is None:
                rows[number]["error"] = NO_FACE
                continue
            face = faces[chosen]
            landmarks = [value for point in face.landmarks for value in point]
            rows[number].update(box=list(face.box), landmarks=landmarks, score=face.score)
            crops.append((number, crop))
        for (number, _), embedding in zip(crops, embedder.embed([crop for _, crop in crops])):
            rows[number]["embedding"] = embedding
        return rows

    @property
    def dim(self) -> int:
        """Length of an embedding; it loads the network."""
        return self._load()[2].dim

    def fields(self) -> Any:
        """The Arrow fields of what is added to a row."""
        import pyarrow as pa

        # Not of a fixed size: pyarrow 25 reads no Parquet file with a null among those, its own included.
        def values(of: Any) -> Any:
            return pa.list_(pa.field("element", of))

        return [
            pa.field("box", values(pa.float64())),
            pa.field("landmarks", values(pa.float64())),
            pa.field("score", pa.float64()),
            pa.field("embedding", values(pa.float32())),
            pa.field("error", pa.string()),
        ]

    def array_type(self) -> Any:
        """The Arrow type of `array`."""
        import pyarrow as pa

        return pa.struct(self.fields())

    def array(self, sources: Any) -> Any:
        """An Arrow array of structs for an array of photographs: for Daft, whose Series are taken, too."""
        import pyarrow as pa

        values = sources.to_pylist()
        columns = self._columns(values)
        return pa.StructArray.from_arrays(list(columns.values()), fields=self.fields())

    def _columns(self, sources: list[Any]) -> dict[str, Any]:
        import pyarrow as pa

        rows = self.rows(sources)
        return {field.name: pa.array([row[field.name] for row in rows], type=field.type) for field in self.fields()}

    def map(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Batch after batch: for Spark's `mapInArrow`."""
        return (self(batch) for batch in batches)

    def __call__(self, batch: Any) -> Any:
        if isinstance(batch, Mapping):
            return self._numpy(batch)
        names = batch.schema.names
        if self.column not in names:
            raise UsageError(f"`column`: the batch has no {self.column!r}, only {', '.join(names)}")
        import pyarrow as pa

        sources = batch.column(self.column)
        columns = {name: batch.column(name) for name in names if not self._is_dropped(name, sources.type)}
        schema = [batch.schema.field(name) for name in columns] + self.fields()
        columns.update(self._columns(sources.to_pylist()))
        return type(batch).from_arrays(list(columns.values()), schema=pa.schema(schema))

    def _is_dropped(self, name: str, type_: Any) -> bool:
        """A photograph's bytes are not carried along; its path is."""
        return name == self.column and "binary" in str(type_)

    def _numpy(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        if self.column not in batch:
            raise UsageError(f"`column`: the batch has no {self.column!r}, only {', '.join(batch)}")
        sources = list(batch[self.column])
        rows = self.rows(str(source) if isinstance(source, np.str_) else source for source in sources)
        is_path = all(isinstance(source, str) for source in sources)
        kept = {name: values for name, values in batch.items() if name != self.column or is_path}

        def dense(name: str, length: int, of: Any) -> np.ndarray:
            values: np.ndarray = np.full((len(rows), length), np.nan, dtype=of)
            for number, row in enumerate(rows):
                if row[name] is not None:
                    values[number] = row[name]
            return values

        return {
            **kept,
            "box": dense("box", 4, np.float64),
            "landmarks": dense("landmarks", 10, np.float64),
            "score": dense("score", 1, np.float64)[:, 0],
            "embedding": dense("embedding", self.dim, np.float32),
            # Text in every row: batches of nulls alone would have another type than the others.
            "error": np.array([row["error"] or "" for row in rows], dtype=object),
        }


def _decoded(device: Any, sources: list[Any]) -> list[Any]:
    return _native.decode_all(device, sources, "the photograph")


__all__ = ["FaceEmbedder", "NO_FACE"]
