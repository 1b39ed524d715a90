"""Beside facenet-pytorch 2.6 itself: the examples of its README, its results' types and shapes, and its network's values.

It needs facenet-pytorch and torch, which are heavy: `cargo xtask test --long` brings them together.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import warpface

MISSING = [name for name in ("torch", "facenet_pytorch") if importlib.util.find_spec(name) is None]
if MISSING:
    pytest.skip(f"SKIPPED LOUDLY: {' and '.join(MISSING)} not installed", allow_module_level=True)

import facenet_pytorch
import torch

BLACK = Image.new("RGB", (250, 250))


@pytest.fixture(scope="module")
def theirs() -> facenet_pytorch.MTCNN:
    return facenet_pytorch.MTCNN()


@pytest.fixture(scope="module")
def photos(photographs: list[Path]) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in photographs]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torch cache with a vggface2 file: drawn by a seed, and saved by facenet-pytorch's network."""
    home = tmp_path_factory.mktemp("torch")
    torch.manual_seed(3)
    network = facenet_pytorch.InceptionResnetV1(classify=True, num_classes=8631)
    for layer in network.modules():
        if isinstance(layer, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            torch.nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
    (home / "checkpoints").mkdir()
    torch.save(network.state_dict(), home / "checkpoints" / "20180402-114759-vggface2.pt")
    return home


def kind(value: object) -> object:
    """A value's type and shape, down to the elements of arrays of objects."""
    if isinstance(value, torch.Tensor):
        return ("tensor", value.dtype, tuple(value.shape))
    if isinstance(value, np.ndarray):
        items = [kind(item) for item in value.flat][:1] if value.dtype == object else []
        return ("array", value.dtype, value.shape, *items)
    if isinstance(value, (list, tuple)):
        return (type(value), *map(kind, value))
    return type(value)


def test_results_are_of_their_kinds(theirs, mtcnn, photos):
    arrays = [np.asarray(photo) for photo in photos]
    for images in [photos[0], [photos[0], photos[1]], [photos[0], BLACK], BLACK, [BLACK, BLACK]]:
        for landmarks in (False, True):
            ours, others = mtcnn.detect(images, landmarks), theirs.detect(images, landmarks)
            assert kind(ours) == kind(others), (images, landmarks)
    for images in [arrays[0], np.stack(arrays[:2]), torch.from_numpy(arrays[0].copy())]:
        assert kind(mtcnn.detect(images, True)) == kind(theirs.detect(images, True))
    for images in [photos[0], [photos[0], photos[1]], BLACK]:
        for probability in (False, True):
            ours, others = mtcnn(images, return_prob=probability), theirs(images, return_prob=probability)
            assert kind(ours) == kind(others), (images, probability)
    every, all_theirs = warpface.MTCNN(keep_all=True), facenet_pytorch.MTCNN(keep_all=True)
    for images in [photos[0], photos[:2], [photos[0], BLACK], BLACK]:
        assert kind(every(images, return_prob=True)) == kind(all_theirs(images, return_prob=True))


def test_attributes_and_arguments():
    import inspect

    for name in ("MTCNN", "InceptionResnetV1"):
        others = inspect.signature(getattr(facenet_pytorch, name)).parameters
        ours = inspect.signature(getattr(warpface, name)).parameters
        assert list(ours)[: len(others)] == list(others)
        for key, parameter in others.items():
            default = tuple(parameter.default) if isinstance(parameter.default, list) else parameter.default
            assert ours[key].default == default, key
    for name in ("detect", "forward", "select_boxes", "extract"):
        others = inspect.signature(getattr(facenet_pytorch.MTCNN, name)).parameters
        assert list(inspect.signature(getattr(warpface.MTCNN, name)).parameters) == list(others), name
    assert str(warpface.MTCNN().device) == str(facenet_pytorch.MTCNN().device)


def test_boxes_are_near_and_crops_of_one_box_are_equal(theirs, mtcnn, photos):
    for photo in photos:
        ours, others = mtcnn.detect(photo)[0], theirs.detect(photo)[0]
        assert np.abs(ours[0].astype(float) - others[0].astype(float)).max() < 16
        for margin, size in [(0, 160), (40, 160), (14, 112)]:
            expected = facenet_pytorch.extract_face(photo, others[0], size, margin)
            assert torch.equal(warpface.extract_face(photo, others[0], size, margin), expected)
        one = theirs.extract(photo, others, None)
        assert torch.equal(mtcnn.extract(photo, others, None), one)


@pytest.mark.parametrize("classify", [False, True])
def test_values_of_the_network(cache, monkeypatch, photos, mtcnn, classify):
    monkeypatch.setenv("TORCH_HOME", str(cache))
    others = facenet_pytorch.InceptionResnetV1(pretrained="vggface2", classify=classify).eval()
    ours = warpface.InceptionResnetV1(pretrained="vggface2", classify=classify).eval()
    crops = torch.stack(mtcnn(photos))
    for side in (160, 128):
        batch = crops[:, :, :side, :side].contiguous()
        with torch.no_grad():
            expected = others(batch)
        for layout in (batch, batch.contiguous(memory_format=torch.channels_last)):
            found = ours(layout)
            assert kind(found) == kind(expected)
            assert torch.allclose(found, expected, atol=3e-5 * expected.abs().max()), (found - expected).abs().max()
    with pytest.raises(warpface.UsageError, match="warpface train"):
        ours(crops.requires_grad_())


def test_a_number_of_classes_draws_the_last_layer(cache, monkeypatch, photos, mtcnn):
    monkeypatch.setenv("TORCH_HOME", str(cache))
    arguments = {"pretrained": "vggface2", "classify": True, "num_classes": 5}
    face = mtcnn(photos[0]).unsqueeze(0)
    with torch.no_grad():
        expected = facenet_pytorch.InceptionResnetV1(**arguments).eval()(face)
    assert kind(warpface.InceptionResnetV1(**arguments).eval()(face)) == kind(expected)


def examples() -> list[str]:
    """The Python of facenet-pytorch's README, which is in its metadata."""
    text = importlib.metadata.metadata("facenet-pytorch").get_payload()
    return [textwrap.dedent(code) for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]


def test_the_examples_of_its_readme_run(cache, monkeypatch, photographs, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(cache))
    placeholders = {
        "<image_size>": "160",
        "<margin>": "0",
        "<image path>": repr(str(photographs[0])),
        "<optional save path>": repr(str(tmp_path / "face.png")),
    }
    codes = examples()
    assert len(codes) == 3
    names: dict[str, object] = {}
    for code in codes:
        assert re.search("facenet_pytorch|PIL", code)
        code = code.replace("facenet_pytorch", "warpface")
        for placeholder, value in placeholders.items():
            code = code.replace(placeholder, value)
        assert "<" not in code
        exec(compile(code, "facenet-pytorch's README", "exec"), names)
        if "img_embedding" in names and "model" not in names:
            assert kind(names["img_embedding"]) == ("tensor", torch.float32, (1, 512))
            assert kind(names["img_probs"]) == ("tensor", torch.float32, (1, 8631))
            assert Image.open(tmp_path / "face.png").size == (160, 160)
    assert isinstance(names["model"], warpface.InceptionResnetV1)
