"""Golden dump of alignment by landmarks: insightface's `norm_crop` and least squares by numpy, on generated pictures.

    cargo xtask golden align

writes face/align.npz: a picture `src`, and of each case `I.landmarks` (f64 [5, 2]), `I.size`, and of `norm_crop` the map
`I.similarity`, its crop `I.exact`, which is made with OpenCV 5.0 beside it, and `I.opencv4`, the same map by OpenCV 4.x;
`I.affine` is the map by numpy's `lstsq`. Large crops are left out, and of sizes that
`norm_crop` refuses there is `I.affine` alone.
"""

import numpy as np

import _warp
from _dump import folder

# insightface's `arcface_dst`, whose f32 arithmetic the templates of other sizes follow.
ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


def picture(rng, width, height):
    y, x = np.mgrid[:height, :width]
    waves = np.stack([127 + 80 * np.sin(x / (5 + c) + c) * np.cos(y / (6 + c)) for c in range(3)], axis=-1)
    return np.clip(waves + 50 * ((x // 9 + y // 11) % 2)[..., None] + rng.integers(-2, 3, waves.shape), 0, 255).astype(np.uint8)


def landmarks(rng, width, height, scale):
    """A face's, turned, moved and not quite alike."""
    angle = rng.uniform(-0.6, 0.6)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = (ARCFACE.astype(np.float64) - 56) @ turn.T + rng.normal(0, 1.5 * scale, (5, 2))
    return face + np.array([width, height]) * rng.uniform(0.3, 0.7, 2)


def affine(points, template):
    """The six numbers by least squares."""
    known = np.c_[points, np.ones(5)]
    return np.ascontiguousarray(np.linalg.lstsq(known, template.astype(np.float64), rcond=None)[0].T)


def main():
    rng = np.random.default_rng(20260228)
    image = picture(rng, 131, 117)
    arrays, cases = {"src": image}, []
    # 56 and 160 are sizes that insightface refuses.
    for i, (size, scale) in enumerate([(112, 0.7), (112, 1.1), (128, 0.8), (224, 0.9), (56, 0.6), (160, 0.8)]):
        points = landmarks(rng, 131, 117, scale)
        arrays[f"{i}.landmarks"], arrays[f"{i}.size"] = points, np.array([size], np.float64)
        wide = size % 112 != 0 and size % 128 == 0
        ratio = size / (128 if wide else 112)
        arrays[f"{i}.affine"] = affine(points, ARCFACE * ratio + np.array([8 * ratio if wide else 0, 0], np.float32))
        if size % 112 == 0 or wide:
            cases.append((i, points, size))
    crops = _warp.norm_crop([(image, points, size) for _, points, size in cases])
    again = _warp.opencv4([(image, map, (size, size)) for (_, _, size), (_, map) in zip(cases, crops)])
    for (i, _, _), (crop, map), other in zip(cases, crops, again):
        arrays[f"{i}.similarity"] = map
        if crop.nbytes < 50_000:
            arrays[f"{i}.exact"], arrays[f"{i}.opencv4"] = crop, other
    np.savez_compressed(folder("face") / "align.npz", **arrays)


if __name__ == "__main__":
    main()
