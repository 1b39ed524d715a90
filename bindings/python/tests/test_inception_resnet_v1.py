"""InceptionResnetV1's rows are the command's, and what it cannot do is refused."""

import numpy as np
import pytest

import warpface
from conftest import command


def test_embeddings_are_the_commands(casia, photographs, pictures, weights, tmp_path):
    model = weights / "graph_final.pb"
    command("embed", *photographs, "-o", tmp_path, "--device", "cpu", "--model", model)
    expected = np.load(tmp_path / "embeddings.npy")
    detector, embedder = warpface.Detector(device="cpu"), warpface.Embedder(model, device="cpu")
    assert (embedder.dim, embedder.size, embedder.standardize) == (512, 160, "fixed")
    crops = []
    for picture, found in zip(pictures, detector.detect(pictures)):
        face = found[warpface.choose(found, picture.shape[1], picture.shape[0])]
        crops.append(embedder.align(picture, face))
        assert np.array_equal(crops[-1], warpface.align(picture, face))
    assert np.array_equal(embedder.embed(crops), expected)
    assert np.array_equal(embedder.embed(crops[2]), expected[2])
    standardized = np.stack([(np.float32(crop) - 127.5) / 128 for crop in crops]).transpose(0, 3, 1, 2)
    assert np.array_equal(casia(np.ascontiguousarray(standardized)), expected)
    # As pixels lie, and as neither does.
    assert np.array_equal(casia(standardized), expected)
    assert np.array_equal(casia(standardized[::-1]), expected[::-1])
    assert np.array_equal(casia(standardized[:, ::-1][:, ::-1]), expected)


def test_rows_do_not_depend_on_the_batch(casia, faces):
    many = np.concatenate([faces] * 7)
    rows = casia(many)
    assert rows.shape == (21, 512) and rows.dtype == np.float32
    assert np.array_equal(rows[:3], casia(faces)) and np.array_equal(rows[18:], rows[:3])
    assert np.allclose((rows**2).sum(1), 1, atol=1e-5)
    assert casia(faces[:0]).shape == (0, 512)


def test_crops_of_another_size(casia, faces):
    rows = casia(np.ascontiguousarray(faces[:, :, 10:150, 10:150]))
    assert rows.shape == (3, 512) and not np.array_equal(rows, casia(faces))
    with pytest.raises(warpface.Error):
        casia(faces[:, :, :20, :20])


def test_drawn_networks(faces):
    plain = warpface.InceptionResnetV1(num_classes=100).eval()
    assert plain(faces).shape == (3, 512)
    logits = warpface.InceptionResnetV1(classify=True, num_classes=101).eval()
    values = logits(faces)
    assert values.shape == (3, 101) and np.array_equal(logits(faces[1:2])[0], values[1])
    logits.classify = False
    assert logits(faces).shape == (3, 512)
    with pytest.raises(warpface.UsageError, match="num_classes"):
        warpface.InceptionResnetV1(classify=True)


def test_the_classifier_is_the_files_or_drawn(casia, faces):
    casia.classify = True
    with pytest.raises(warpface.DataError, match="graph_final.pb: holds no classifier"):
        casia(faces)
    casia.classify = False
    drawn = warpface.InceptionResnetV1("casia-webface", classify=True, num_classes=7)
    assert drawn(faces).shape == (3, 7)


def test_no_other_weights_stand_in(monkeypatch, tmp_path):
    monkeypatch.setenv("WARPFACE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(FileNotFoundError) as error:
        warpface.InceptionResnetV1("vggface2")
    for part in ["20180402-114759-vggface2.pt", str(tmp_path / "mine"), str(tmp_path / "torch" / "checkpoints")]:
        assert part in str(error.value)
    with pytest.raises(warpface.FileMissing, match="graph_final.pb"):
        warpface.InceptionResnetV1("casia-webface")
    with pytest.raises(warpface.UsageError, match="there are vggface2 and casia-webface"):
        warpface.InceptionResnetV1("vggface")


def test_what_training_needs_is_refused(casia):
    assert casia.eval() is casia and casia.train(False) is casia and casia.to("cpu") is casia
    assert casia.requires_grad_(False) is casia
    for call in [casia.train, casia.parameters, casia.requires_grad_]:
        with pytest.raises(warpface.UsageError, match="warpface train"):
            call()


@pytest.mark.parametrize(
    ("crops", "words"),
    [
        (np.zeros((3, 160, 160), np.float32), r"expected \[n, 3, side, side\], got \[3, 160, 160\]"),
        (np.zeros((1, 160, 160, 3), np.float32), r"got \[1, 160, 160, 3\]"),
        (np.zeros((1, 3, 160, 160), np.uint8), "expected float32, standardized as MTCNN returns them; got uint8"),
        (np.zeros((1, 3, 160, 150), np.float32), "side, side"),
        ([1, 2], "got list"),
    ],
)
def test_crops_that_are_none(casia, crops, words):
    with pytest.raises(warpface.UsageError, match=words):
        casia(crops)
