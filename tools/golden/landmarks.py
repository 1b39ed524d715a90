"""Trains small shape predictors with dlib on generated pictures, and writes what dlib finds by them to tests/golden/landmarks.

POINTS.dat are predictors of so many landmarks. expected.npz has `pictures` `[n, h, w, 3]`, and for each predictor
`POINTS.rectangles` (picture, left, top, right, bottom) and `POINTS.parts` `[rows, points, 2]`: the landmarks in whole pixels.
Rectangles lie inside, over borders and outside.
"""

import dlib
import numpy as np

import _dump

HEIGHT, WIDTH = 90, 110
SIDE = 48
#: Landmarks, and how much the predictor learns: stages, trees a stage, depth of a tree, pixels a stage.
KINDS = {1: (2, 4, 2, 30), 5: (4, 10, 3, 60), 68: (3, 4, 2, 60)}


def face(rng, points):
    """A picture with coloured blobs where landmarks are, and the rectangle and landmarks of its face."""
    left, top = rng.integers(0, WIDTH - SIDE), rng.integers(0, HEIGHT - SIDE)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.empty((HEIGHT, WIDTH, 3))
    for channel in range(3):
        a, b, c = rng.uniform(0.02, 0.12, 3)
        picture[..., channel] = 110 + 60 * np.sin(a * x + c * 9) * np.cos(b * y)
    angle = np.arange(points) * 2.4
    radius = 0.12 + 0.3 * np.arange(points) / points
    turn = rng.uniform(-0.3, 0.3)
    marks = 0.5 + np.stack([radius * np.cos(angle + turn), radius * np.sin(angle + turn)], 1)
    marks = np.array([left, top]) + SIDE * (marks + rng.uniform(-0.02, 0.02, (1, 2)))
    for i, (u, v) in enumerate(marks):
        blob = np.exp(-((x - u) ** 2 + (y - v) ** 2) / 12)[..., None]
        picture += blob * (np.array([90, -70, 50]) if i % 2 else np.array([-80, 60, -40]))
    picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return picture, (int(left), int(top), int(left + SIDE - 1), int(top + SIDE - 1)), np.rint(marks).astype(int)


def train(out, points, rng):
    stages, trees, depth, pixels = KINDS[points]
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.num_trees_per_cascade_level, options.tree_depth = stages, trees, depth
    options.feature_pool_size, options.oversampling_amount, options.num_test_splits = pixels, 4, 20
    options.num_threads, options.random_seed, options.be_verbose = 1, "warpface", False
    pictures, detections = [], []
    for _ in range(30):
        picture, rectangle, marks = face(rng, points)
        parts = [dlib.point(int(u), int(v)) for u, v in marks]
        pictures.append(picture)
        detections.append([dlib.full_object_detection(dlib.rectangle(*rectangle), parts)])
    dlib.train_shape_predictor(pictures, detections, options).save(str(out / f"{points}.dat"))


def rectangles(rng, pictures):
    """Within the pictures, over their borders, outside, of no size, and turned inside out."""
    rows = []
    for picture in range(pictures):
        for _ in range(12):
            left, top = rng.integers(-30, WIDTH), rng.integers(-30, HEIGHT)
            width, height = rng.integers(20, 100, 2)
            rows.append((picture, left, top, left + width, top + height))
        rows.append((picture, 30, 20, 30, 20))
        rows.append((picture, 70, 60, 20, 10))
        rows.append((picture, 500, 500, 560, 570))
    return rows


def main():
    out = _dump.folder("landmarks")
    rng = np.random.default_rng(68)
    arrays = {"pictures": np.stack([face(rng, 5)[0] for _ in range(3)])}
    for points in KINDS:
        train(out, points, rng)
        predictor = dlib.shape_predictor(str(out / f"{points}.dat"))
        rows = rectangles(rng, len(arrays["pictures"]))
        found = [predictor(arrays["pictures"][i], dlib.rectangle(*map(int, sides))).parts() for i, *sides in rows]
        arrays[f"{points}.rectangles"] = np.array(rows, np.int64)
        arrays[f"{points}.parts"] = np.array([[(p.x, p.y) for p in parts] for parts in found], np.int64)
    np.savez_compressed(out / "expected.npz", **arrays)


if __name__ == "__main__":
    main()
