"""Golden dumps of every layer of P-, R- and O-Net, by TensorFlow from the published weights.

    cargo xtask golden mtcnn

writes tests/golden/mtcnn/{pnet,rnet,onet}.npz: `input`, and each layer's result under the name of its node in
src/models/mtcnn.rs; of results of more than 12,000 values every seventh, flat, under `NAME.sample`. The published networks see transposed images; inputs and results are stored as seen upright.
The weights are those of WARPFACE_WEIGHTS, or of weights/.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pathlib

import numpy as np
import tensorflow as tf

from _dump import ROOT, folder

WEIGHTS = pathlib.Path(os.environ.get("WARPFACE_WEIGHTS", ROOT / "weights"))
HEADS = {"conv4-1", "conv4-2", "conv5-1", "conv5-2", "conv6-1", "conv6-2", "conv6-3"}

LARGE, STEP = 12_000, 7

# (layer, kind, what it reads if not the layer before)
PNET = [
    ("conv1", "conv"), ("pool1", (2, "SAME")), ("conv2", "conv"), ("conv3", "conv"), ("conv4-1", "conv"), ("prob1", "softmax"),
    ("conv4-2", "conv", "conv3"),
]
RNET = [
    ("conv1", "conv"), ("pool1", (3, "SAME")), ("conv2", "conv"), ("pool2", (3, "VALID")), ("conv3", "conv"),
    ("conv4", "dense"), ("conv5-1", "dense"), ("prob1", "softmax"), ("conv5-2", "dense", "conv4"),
]
ONET = [
    ("conv1", "conv"), ("pool1", (3, "SAME")), ("conv2", "conv"), ("pool2", (3, "VALID")), ("conv3", "conv"),
    ("pool3", (2, "SAME")), ("conv4", "conv"), ("conv5", "dense"), ("conv6-1", "dense"), ("prob1", "softmax"),
    ("conv6-2", "dense", "conv5"), ("conv6-3", "dense", "conv5"),
]


def upright(x):
    """Rows for columns, where there are any."""
    return np.swapaxes(x, 1, 2) if x.ndim == 4 else x


def run(file, layers, image):
    weights = np.load(WEIGHTS / file, allow_pickle=True, encoding="latin1").item()
    slopes = iter(sorted((name for name in weights if name.lower().startswith("prelu")), key=lambda name: int(name[5:])))
    values = {"input": tf.constant(upright(image).astype(np.float64))}
    last = "input"
    for layer, kind, *reads in layers:
        x = values[reads[0] if reads else last]
        if kind in ("conv", "dense"):
            w, b = (weights[layer][key].astype(np.float64) for key in ("weights", "biases"))
            if kind == "conv":
                y = tf.nn.conv2d(x, w, 1, "VALID") + b
            else:
                y = tf.reshape(x, (x.shape[0], -1)) @ w + b
            if layer not in HEADS:
                alpha = weights[next(slopes)]["alpha"].astype(np.float64)
                y = tf.nn.relu(y) - alpha * tf.nn.relu(-y)
        elif kind == "softmax":
            y = tf.nn.softmax(x)
        else:
            y = tf.nn.max_pool2d(x, kind[0], 2, kind[1])
        values[layer] = y
        last = layer
    assert next(slopes, None) is None, "every slope has its layer"
    stored = {}
    for name, y in values.items():
        y = np.ascontiguousarray(upright(np.asarray(y)), np.float32)
        large = y.size > LARGE and name != "input"
        stored[f"{name}.sample" if large else name] = y.ravel()[::STEP] if large else y
    return stored


def picture(rng, n, h, w):
    """Waves with a little noise, as the networks take pixels."""
    y, x = np.mgrid[:h, :w]
    phase, pitch = rng.uniform(0, 6, (n, 3, 2)), rng.uniform(3, 9, (n, 3, 2))
    waves = [[np.sin(x / p[0] + q[0]) * np.cos(y / p[1] + q[1]) for p, q in zip(ps, qs)] for ps, qs in zip(pitch, phase)]
    pixels = np.clip(127 + 100 * np.moveaxis(np.array(waves), 1, -1) + rng.integers(-20, 20, (n, h, w, 3)), 0, 255)
    return ((np.round(pixels) - 127.5) / 128).astype(np.float32)


def main():
    out, rng = folder("mtcnn"), np.random.default_rng(20160405)
    for name, file, layers, shape in [
        ("pnet", "det1.npy", PNET, (1, 27, 33)), ("rnet", "det2.npy", RNET, (3, 24, 24)), ("onet", "det3.npy", ONET, (2, 48, 48)),
    ]:
        np.savez_compressed(out / f"{name}.npz", **run(file, layers, picture(rng, *shape)))


if __name__ == "__main__":
    main()
