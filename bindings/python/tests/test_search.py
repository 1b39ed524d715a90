"""Search finds what numpy finds, in files that the command reads."""

import numpy as np
import pytest

import warpface
from conftest import command
from warpface import search


def rows(n: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(n, 32)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_neighbours_are_exact():
    base, queries = rows(500, 1), rows(7, 2)
    found, distances = search.nearest(base, queries, k=5)
    every = ((queries[:, None].astype(float) - base[None]) ** 2).sum(2)
    assert found.shape == distances.shape == (7, 5)
    assert np.array_equal(found, np.argsort(every, axis=1, kind="stable")[:, :5])
    assert np.allclose(distances, np.sort(every, axis=1)[:, :5], rtol=1e-5)
    itself, distance = search.nearest(base, base[17])
    assert itself.tolist() == [[17]] and distance.tolist() == [[0.0]]
    assert search.nearest(base[:3], queries, k=9)[0].shape == (7, 3)


def test_an_index_is_the_commands(tmp_path):
    path, base = tmp_path / "people.index", rows(40, 3)
    index = search.Index.build(path, base[:30], names=[f"person {i}" for i in range(30)])
    assert (len(index), index.name(4)) == (30, "person 4")
    del index
    assert search.Index.add(path, base[30:], names=[f"new {i}" for i in range(10)]) == 40
    index = search.Index(path)
    found, distances = index.nearest(base[[4, 35]], k=2)
    assert found[:, 0].tolist() == [4, 35] and distances[:, 0].tolist() == [0, 0] and index.name(35) == "new 5"
    np.save(tmp_path / "queries.npy", base[[4, 35]])
    told = command("search", "query", path, tmp_path / "queries.npy", "-k", 2, "--device", "cpu")
    assert [[hit["row"] for hit in line["hits"]] for line in told] == found.tolist()
    assert [[np.float32(hit["distance"]) for hit in line["hits"]] for line in told] == distances.tolist()


def test_bad_rows(tmp_path):
    with pytest.raises(warpface.UsageError, match="expected floats"):
        search.nearest(np.zeros((3, 4), int), np.zeros((1, 4), np.float32))
    with pytest.raises(warpface.Error):
        search.nearest(rows(3, 1), np.zeros((1, 4), np.float32))
    with pytest.raises(warpface.Error):
        search.Index.build(tmp_path / "x.index", rows(3, 1), names=["one"])
    (tmp_path / "bad.index").write_bytes(b"nothing")
    with pytest.raises(warpface.DataError, match="bad.index"):
        search.Index(tmp_path / "bad.index")
