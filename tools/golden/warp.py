"""Golden dumps of warps: `cv2.warpAffine` of OpenCV 4.x and 5.0 on generated pictures.

    cargo xtask golden warp [OUT] [--random N]

writes image/warp.npz: pictures `NAME.src`, and of each map `NAME-I.map` (f64, from picture to result) what both make of it,
`NAME-I.opencv4` and `NAME-I.exact`. With --random, N maps more: too many to be committed, meant for
`WARPFACE_GOLDEN_IMAGE=OUT/image cargo test --test image warp`.
"""

import argparse
import pathlib

import numpy as np

import _warp

rng = np.random.default_rng(20181227)


def picture(width, height):
    """Waves, edges and noise: neither flat nor incompressible."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([127 + 90 * np.sin(x / (3 + c) + c) * np.cos(y / (4 + c)) for c in range(3)], axis=-1)
    image = waves + 60 * ((x // 5 + y // 7) % 2)[..., None] + rng.integers(-20, 20, waves.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def turn(image, width, height, scale, angle, centre=(0.5, 0.5), shear=0.0):
    """The map that turns and scales about a point of the picture, and takes it to the middle of the result."""
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear[0, 1] += shear
    at = np.array([image.shape[1], image.shape[0]]) * centre
    return np.c_[linear, np.array([width / 2, height / 2]) - linear @ at]


PICTURES = {
    "picture": picture(61, 47), "wide": picture(90, 9), "column": picture(1, 23), "pixel": picture(1, 1),
    "noise": rng.integers(0, 256, (33, 40, 3), dtype=np.uint8),
}


def maps(image):
    """`(map, (width, height))`: turned, scaled up and down, over a border, outside, of odd sizes."""
    made = []
    for width, height, scale, angle, centre, shear in [
        (32, 32, 1.0, 0.0, (0.5, 0.5), 0), (32, 24, 0.7, 0.3, (0.5, 0.5), 0), (33, 25, 0.7, 0.3, (0.5, 0.5), 0),
        (47, 31, 1.3, -0.6, (0.4, 0.6), 0), (48, 20, 3.1, 1.2, (0.5, 0.5), 0.4), (16, 16, 0.2, 2.9, (0.5, 0.5), 0),
        (31, 9, 1.1, 0.1, (0.0, 0.0), 0), (17, 40, 0.9, -1.6, (1.0, 0.8), -0.3), (15, 15, 1.0, 0.2, (4.0, 4.0), 0),
        (1, 1, 1.0, 0.5, (0.5, 0.5), 0), (1, 20, 0.8, 0.0, (0.5, 0.5), 0), (40, 1, 0.8, 0.7, (0.5, 0.5), 0.1),
    ]:
        made.append((turn(image, width, height, scale, angle, centre, shear), (width, height)))
    made += [
        (np.array([[1.0, 0, 0], [0, 1, 0]]), (20, 20)), (np.array([[2.0, 0, 0], [0, 2, 0]]), (37, 18)),
        (np.array([[1.0, 0, 0.5], [0, 1, 0.5]]), (24, 24)), (np.array([[-1.0, 0, 20], [0, 1, 3]]), (24, 10)),
        # Without an inverse, and far away.
        (np.array([[1.0, 2, 3], [2, 4, 6]]), (9, 9)), (np.array([[1e-4, 0, 1e3], [0, 1e-4, -1e3]]), (12, 12)),
        (np.array([[1.0, 0, 3e7], [0, 1, 5]]), (12, 12)),
    ]
    return made


def random_maps(image, count):
    made = []
    for _ in range(count):
        width, height = (int(v) for v in rng.integers(1, 200, 2))
        scale, angle = np.exp(rng.uniform(-3, 3)), rng.uniform(-np.pi, np.pi)
        made.append((turn(image, width, height, scale, angle, rng.uniform(-0.3, 1.3, 2), rng.normal(0, 0.1)), (width, height)))
    return made


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out", nargs="?", default=pathlib.Path(__file__).parents[2] / "tests/golden")
    arguments.add_argument("--random", type=int, default=0)
    arguments = arguments.parse_args()
    pictures = PICTURES
    if arguments.random:
        pictures = pictures | {f"random{i}": picture(*rng.integers(1, 300, 2)) for i in range(arguments.random // 10)}
    arrays, names, cases = {}, [], []
    for name, image in pictures.items():
        arrays[f"{name}.src"] = image
        for i, (map, size) in enumerate(maps(image) + random_maps(image, 10 if arguments.random else 0)):
            arrays[f"{name}-{i}.map"] = np.asarray(map, np.float64)
            names.append(f"{name}-{i}")
            cases.append((image, map, size))
    for kind in (_warp.opencv4, _warp.exact):
        arrays |= {f"{name}.{kind.__name__}": warped for name, warped in zip(names, kind(cases))}
    out = pathlib.Path(arguments.out) / "image"
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "warp.npz", **arrays)


if __name__ == "__main__":
    main()
