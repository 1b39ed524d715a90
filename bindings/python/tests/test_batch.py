"""FaceEmbedder gives the library's rows, whatever the form of a batch and however many workers share the rows."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import warpface
from warpface.batch import NO_FACE, FaceEmbedder

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def needs(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"SKIPPED LOUDLY: {' and '.join(missing)} not installed; `cargo xtask test --long` has them")


@pytest.fixture(scope="module")
def embedder() -> FaceEmbedder:
    return FaceEmbedder(device="cpu")


@pytest.fixture(scope="module")
def folder(photographs, tmp_path_factory) -> Path:
    """The photographs a few times over, one that is cut short, and one without a face."""
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(4):
        for path in photographs:
            (folder / f"{number}-{path.stem}.jpg").write_bytes(path.read_bytes())
    (folder / "cut.jpg").write_bytes(photographs[0].read_bytes()[:3000])
    black = folder / "black.png"
    warpface._native.save(black, np.zeros((64, 64, 3), np.uint8))
    return folder


def test_rows_are_the_librarys(embedder, photographs, pictures, tmp_path):
    rows = embedder.rows([photographs[0], photographs[1].read_bytes(), b"no photograph", str(photographs[2]), None])
    model = warpface.Embedder(device="cpu")
    detector = warpface.Detector(device="cpu")
    for row, picture in zip([rows[0], rows[1], rows[3]], pictures):
        faces = detector.detect(picture)
        face = faces[warpface.choose(faces, picture.shape[1], picture.shape[0])]
        assert (row["box"], row["score"], row["error"]) == (list(face.box), face.score, None)
        assert row["embedding"].tolist() == model.embed(model.align(picture, face)).tolist()
    assert rows[2]["embedding"] is None and rows[2]["error"].startswith("the photograph: ")
    assert rows[4] == {"box": None, "landmarks": None, "score": None, "embedding": None, "error": "there is no photograph"}
    warpface._native.save(tmp_path / "black.png", np.zeros((64, 64, 3), np.uint8))
    assert embedder.rows([tmp_path / "black.png"])[0]["error"] == NO_FACE
    assert embedder.rows([]) == []


def test_batches_of_numpy(embedder, photographs):
    batch = {"bytes": np.array([photographs[0].read_bytes(), b"x"], dtype=object), "id": np.array([7, 8])}
    result = embedder(batch)
    assert list(result) == ["id", "box", "landmarks", "score", "embedding", "error"]
    assert result["embedding"].shape == (2, embedder.dim) and result["embedding"].dtype == np.float32
    assert np.isnan(result["embedding"][1]).all() and np.isfinite(result["embedding"][0]).all()
    assert result["error"][0] == "" and "the photograph" in result["error"][1]
    named = FaceEmbedder(device="cpu", column="path")({"path": np.array([str(photographs[0])])})
    assert named["path"].tolist() == [str(photographs[0])]
    assert np.array_equal(named["embedding"][0], result["embedding"][0])
    with pytest.raises(warpface.UsageError, match="the batch has no 'bytes', only image"):
        embedder({"image": np.array([b"x"])})


def test_it_can_be_sent_elsewhere(embedder, photographs):
    other = pickle.loads(pickle.dumps(embedder))
    assert other._loaded is None
    assert np.array_equal(other.rows([photographs[0]])[0]["embedding"], embedder.rows([photographs[0]])[0]["embedding"])


def test_batches_of_arrow(embedder, photographs):
    needs("pyarrow")
    import pyarrow as pa

    table = pa.table({"bytes": [photographs[0].read_bytes(), b"x", None], "path": ["a", "b", "c"]})
    result = embedder(table)
    assert result.schema.names == ["path", "box", "landmarks", "score", "embedding", "error"]
    row = embedder.rows([photographs[0]])[0]
    assert result.column("embedding").to_pylist() == [row["embedding"].tolist(), None, None]
    assert result.column("box").to_pylist()[0] == row["box"] and result.column("error")[0].as_py() is None
    batches = list(embedder.map(iter(table.to_batches())))
    assert isinstance(batches[0], pa.RecordBatch) and pa.Table.from_batches(batches) == result
    assert embedder.array(table.column("bytes")).field("error").to_pylist() == result.column("error").to_pylist()


def rows_of(folder: Path) -> dict[str, dict]:
    """The rows of Parquet files, by the photograph's name."""
    import pyarrow.parquet as pq

    return {os.path.basename(row["path"]): row for row in pq.read_table(folder).to_pylist()}


def plain(embedder: FaceEmbedder, folder: Path) -> dict[str, dict]:
    """The same rows without any framework, through Arrow once."""
    import pyarrow as pa

    paths = sorted(folder.iterdir())
    table = embedder(pa.table({"bytes": [path.read_bytes() for path in paths], "path": [str(path) for path in paths]}))
    return {os.path.basename(row["path"]): row for row in table.to_pylist()}


def same(found: dict[str, dict], expected: dict[str, dict]) -> None:
    assert found.keys() == expected.keys()
    for name, row in expected.items():
        for column in ("box", "landmarks", "score", "embedding"):
            assert found[name][column] == row[column], (name, column)
        assert (found[name]["error"] is None) == (row["error"] is None), name


RAY = """
import os, signal, sys
sys.path.insert(0, {examples!r})
import ray
from embed_folder_ray import embed
from warpface.batch import FaceEmbedder

class Mortal(FaceEmbedder):
    def __call__(self, batch):
        result = super().__call__(batch)
        try:
            os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return result
        os.kill(os.getpid(), signal.SIGKILL)

# Two for the workers, and some for what reads and writes.
ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
embed({photos!r}, {out!r}, 2, Mortal, device="cpu")
"""


def test_ray_gives_the_same_rows_though_a_worker_is_killed(embedder, folder, tmp_path, request):
    needs("ray", "pyarrow")
    if not request.config.getoption("--long"):
        pytest.skip("SKIPPED: Ray takes a minute; --long runs it")
    marker, out = tmp_path / "killed", tmp_path / "out"
    program = RAY.format(examples=str(EXAMPLES), marker=str(marker), photos=str(folder), out=str(out))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert marker.exists()
    same(rows_of(out), plain(embedder, folder))


def test_daft_gives_the_same_rows(embedder, folder, tmp_path, request):
    needs("daft", "pyarrow")
    if not request.config.getoption("--long"):
        pytest.skip("SKIPPED: --long runs Daft")
    out = tmp_path / "out"
    line = [sys.executable, str(EXAMPLES / "embed_folder_daft.py"), str(folder), str(out)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    # The pattern of the example takes .jpg alone.
    expected = {name: row for name, row in plain(embedder, folder).items() if name.endswith(".jpg")}
    same(rows_of(out), expected)
