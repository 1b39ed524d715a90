"""MTCNN's results have facenet-pytorch's shapes and types, and the command's values."""

import numpy as np
import pytest
from PIL import Image

import warpface
from conftest import command

BLACK = np.zeros((64, 80, 3), np.uint8)


def test_boxes_are_the_commands(mtcnn, photographs, pictures):
    told = command("detect", *photographs, "--device", "cpu")
    detector = warpface.Detector(device="cpu")
    for line, picture in zip(told, pictures):
        found = detector.detect(picture)
        assert [list(face.box) for face in found] == [face["box"] for face in line["faces"]]
        assert [face.score for face in found] == [face["score"] for face in line["faces"]]
        assert [[list(point) for point in face.landmarks] for face in found] == [
            face["landmarks"] for face in line["faces"]
        ]
        boxes, probs, points = mtcnn.detect(picture, landmarks=True)
        expected = sorted(line["faces"], key=lambda f: -(f["box"][2] - f["box"][0]) * (f["box"][3] - f["box"][1]))
        assert boxes.astype(np.float32).tolist() == np.float32([face["box"] for face in expected]).tolist()
        assert probs.astype(np.float32).tolist() == np.float32([face["score"] for face in expected]).tolist()
        assert points.astype(np.float32).tolist() == np.float32([face["landmarks"] for face in expected]).tolist()


def test_one_picture_and_several(mtcnn, pictures):
    boxes, probs, points = mtcnn.detect(pictures[0], landmarks=True)
    n = len(boxes)
    assert (boxes.shape, probs.shape, points.shape) == ((n, 4), (n,), (n, 5, 2))
    assert {boxes.dtype, probs.dtype, points.dtype} == {np.dtype(object)}
    assert len(mtcnn.detect(pictures[0])) == 2
    several, scores = mtcnn.detect([*pictures, BLACK])
    assert several.shape == (4,) and several[3] is None and list(scores[3]) == [None]
    assert np.asarray(several[0], float).tolist() == boxes.tolist()
    batch = np.stack([pictures[0], pictures[0]])
    both, _ = mtcnn.detect(batch)
    assert both.shape == (2, n, 4) and both[1].tolist() == boxes.tolist()


def test_no_face(mtcnn):
    assert mtcnn(BLACK) is None
    assert mtcnn(BLACK, return_prob=True) == (None, None)
    boxes, probs, points = mtcnn.detect(BLACK, landmarks=True)
    assert boxes is None and list(probs) == [None] and points is None
    faces, probs = mtcnn([BLACK, BLACK], return_prob=True)
    assert faces == [None, None] and probs.tolist() == [[None], [None]]
    # Smaller than the smallest face that is looked for.
    assert mtcnn(BLACK[:8, :9]) is None


def test_crops(mtcnn, pictures, photographs, tmp_path):
    face, prob = mtcnn(pictures[0], return_prob=True)
    assert tuple(face.shape) == (3, 160, 160) and np.asarray(face).dtype == np.float32 and 0.9 < prob <= 1
    assert isinstance(prob, float)
    raw = warpface.MTCNN(post_process=False)(pictures[0])
    assert np.array_equal((np.asarray(raw) - 127.5) / 128, np.asarray(face))
    every = warpface.MTCNN(keep_all=True)
    kept, probs = every(pictures[0], return_prob=True)
    assert kept.shape[1:] == (3, 160, 160) and len(kept) == len(probs)
    assert np.array_equal(np.asarray(kept[0]), np.asarray(face))
    # A picture of Pillow's is scaled by Pillow's own filter, as facenet-pytorch has it.
    photo = Image.open(photographs[0])
    crop = tmp_path / "faces" / "face.png"
    face = warpface.MTCNN(post_process=False, image_size=112)(photo, save_path=str(crop))
    box = [int(max(x, 0)) for x in mtcnn.detect(photo)[0][0]]
    expected = photo.crop((*box[:2], min(box[2], photo.width), min(box[3], photo.height))).resize(
        (112, 112), Image.Resampling.BILINEAR
    )
    assert np.array_equal(np.asarray(face).transpose(1, 2, 0), np.float32(expected))
    assert np.array_equal(np.asarray(Image.open(crop)), np.asarray(expected))


def test_several_faces_are_saved_and_put_in_order(pictures, tmp_path):
    wide = np.concatenate([pictures[0], np.zeros_like(pictures[1])[:, :40], pictures[1]], axis=1)
    every = warpface.MTCNN(keep_all=True)
    faces = every(wide, save_path=tmp_path / "face.png")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(faces) >= 2 and names == sorted(["face.png", *(f"face_{i}.png" for i in range(2, len(faces) + 1))])
    boxes, probs, points = every.detect(wide, landmarks=True)
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).astype(float)
    assert list(areas) == sorted(areas, reverse=True)
    _, by_score = warpface.MTCNN(select_largest=False, keep_all=True).detect(wide)
    assert list(by_score) == sorted(by_score, reverse=True)
    for method, key in [
        ("largest", areas),
        ("probability", probs.astype(float)),
        ("center_weighted_size", areas - 2 * _offsets(boxes, wide)),
        ("largest_over_threshold", np.where(probs.astype(float) > 0.9, areas, -1)),
    ]:
        box, prob, point = every.select_boxes(boxes, probs, points, wide, method=method)
        first = int(np.argmax(key))
        assert box.tolist() == boxes[[first]].tolist() and prob == probs[first], method
        assert point.tolist() == points[[first]].tolist()
    none = every.select_boxes(boxes, probs, points, wide, method="largest_over_threshold", threshold=1.0)
    assert none == (None, None, None)
    with pytest.raises(warpface.UsageError, match="there are largest, probability"):
        every.select_boxes(boxes, probs, points, wide, method="smallest")


def _offsets(boxes, picture):
    centers = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2], axis=1).astype(float)
    return ((centers - [picture.shape[1] / 2, picture.shape[0] / 2]) ** 2).sum(1)


def test_margins_and_lists_of_paths(pictures, mtcnn, tmp_path):
    wide = warpface.MTCNN(margin=40, post_process=False)(pictures[0])
    box = mtcnn.detect(pictures[0])[0][0]
    assert np.array_equal(wide, warpface.extract_face(pictures[0], box, margin=40))
    assert not np.array_equal(wide, warpface.extract_face(pictures[0], box))
    paths = [str(tmp_path / f"{i}.jpg") for i in range(2)]
    mtcnn(pictures[:2], save_path=paths)
    assert [Image.open(path).size for path in paths] == [(160, 160)] * 2
    with pytest.raises(warpface.UsageError, match="expected 2, one for each picture; got 1"):
        mtcnn(pictures[:2], save_path=paths[:1])
    with pytest.raises(warpface.DataError, match=r"face\.tga: faces are written as"):
        mtcnn(pictures[0], save_path=str(tmp_path / "face.tga"))


def test_options_may_be_set_later(pictures):
    found = warpface.MTCNN()
    before = found.detect(pictures[0])[0]
    found.thresholds = [0.6, 0.7, 1.0]
    assert found.detect(pictures[0])[0] is None
    found.thresholds = [0.6, 0.7, 0.7]
    assert found.detect(pictures[0])[0].tolist() == before.tolist()
    with pytest.raises(warpface.UsageError, match="`min_face_size`: 3 is below 12"):
        warpface.MTCNN(min_face_size=3)


def test_strides_do_not_matter(mtcnn, pictures):
    picture = pictures[1]
    expected = mtcnn.detect(picture)[0].tolist()
    wide = np.zeros((picture.shape[0], picture.shape[1] * 2, 3), np.uint8)
    wide[:, ::2] = picture
    for other in [wide[:, ::2], np.asfortranarray(picture), picture[::-1, ::-1].copy()[::-1, ::-1]]:
        assert mtcnn.detect(other)[0].tolist() == expected
