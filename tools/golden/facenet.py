"""Golden fingerprints of every block of Inception-ResNet-v1, by TensorFlow from the published files.

    cargo xtask golden facenet

writes tests/golden/facenet/{graph_final,facenet_keras}.npz: `input`, a smooth random picture [160, 160, 3] u8 that the
network sees as (x - 127.5) / 128, and under the name of a block's last node in src/models/inception_resnet_v1.rs
67 values: mean, mean of magnitudes, largest magnitude, then 64 samples, number i (from 1) at i * 2654435761 modulo the
block's size. `graph_final.pb` runs as it is; `facenet_keras.h5` by the layers of its own model description, in f64.
The weights are those of WARPFACE_WEIGHTS, or of weights/.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import json
import pathlib

import h5py
import numpy as np
import tensorflow as tf

from _dump import ROOT, folder

WEIGHTS = pathlib.Path(os.environ.get("WARPFACE_WEIGHTS", ROOT / "weights"))
STEM = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "Conv2d_4b_3x3"]
BLOCKS = [("Repeat/block35", 5), ("Repeat_1/block17", 10), ("Repeat_2/block8", 5)]


def blocks():
    """(our node, the frozen graph's, Keras's) for each block's result."""
    yield from ((name, f"{name}/Relu", f"{name}_Activation") for name in STEM)
    yield "MaxPool_3a_3x3", "MaxPool_3a_3x3/MaxPool", "MaxPool_3a_3x3"
    for scope, count in BLOCKS:
        keras = scope.split("/")[1].capitalize()
        for i in range(1, count + 1):
            yield f"{scope}_{i}/Conv2d_1x1", f"{scope}_{i}/Relu", f"{keras}_{i}_Activation"
    for name in ("Mixed_6a", "Mixed_7a"):
        yield f"{name}/concat", f"{name}/concat", name
    yield "Block8/Conv2d_1x1", "Block8/add", "Block8_6_ScaleSum"
    yield "AvgPool_1a_8x8", "Logits/AvgPool_1a_8x8/AvgPool", "AvgPool"
    yield "Bottleneck", "Bottleneck/BatchNorm/Reshape_1", "Bottleneck_BatchNorm"


def fingerprint(x):
    flat = np.asarray(x, np.float64).ravel()
    at = [i * 2654435761 % flat.size for i in range(1, 65)]
    stats = [flat.mean(), np.abs(flat).mean(), np.abs(flat).max()]
    return np.concatenate([stats, flat[at]]).astype(np.float32)


def frozen(image):
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString((WEIGHTS / "graph_final.pb").read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    fetched = {ours: f"InceptionResnetV1/{theirs}:0" for ours, theirs, _ in blocks()}
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run({**fetched, "embeddings": "embeddings:0"}, {"input:0": image})


def keras(image):
    with h5py.File(WEIGHTS / "facenet_keras.h5") as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        stored = file["model_weights"]
        weight = lambda layer, name: stored[f"{layer}/{layer}/{name}:0"][()].astype(np.float64)
        values = {}
        for layer in layers:
            name, config = layer["name"], layer["config"]
            x = [values[source[0]] for source in (layer["inbound_nodes"] or [[]])[0]]
            values[name] = evaluate(layer["class_name"], config, x, lambda key: weight(name, key), image)
    found = {ours: values[theirs] for ours, _, theirs in blocks()}
    # The file ends before the norm.
    found["embeddings"] = tf.math.l2_normalize(found["Bottleneck"], -1, epsilon=1e-10)
    return found


def evaluate(kind, config, x, weight, image):
    if kind == "InputLayer":
        return tf.constant(image.astype(np.float64))
    if kind == "Conv2D":
        y = tf.nn.conv2d(x[0], weight("kernel"), config["strides"], config["padding"].upper())
        return y + weight("bias") if config["use_bias"] else y
    if kind == "Dense":
        return x[0] @ weight("kernel")
    if kind == "BatchNormalization":
        statistics = weight("moving_mean"), weight("moving_variance"), weight("beta")
        return tf.nn.batch_normalization(x[0], *statistics, None, config["epsilon"])
    if kind == "Activation":
        assert config["activation"] == "relu"
        return tf.nn.relu(x[0])
    if kind == "MaxPooling2D":
        return tf.nn.max_pool2d(x[0], config["pool_size"], config["strides"], config["padding"].upper())
    if kind == "Concatenate":
        return tf.concat(x, -1)
    if kind == "Lambda":
        return x[0] + config["arguments"]["scale"] * x[1]
    if kind == "GlobalAveragePooling2D":
        return tf.reduce_mean(x[0], [1, 2])
    assert kind == "Dropout", kind
    return x[0]


def picture():
    """Broad waves of every colour, no photograph."""
    rng = np.random.default_rng(20180402)
    y, x = np.mgrid[:160, :160] / 160
    image = np.zeros((160, 160, 3))
    for _ in range(6):
        across, down, phase = rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(0, 6, 3)
        image += np.sin((across * x + down * y)[..., None] + phase)
    return np.clip(np.round(127.5 + 45 * image), 0, 255).astype(np.uint8)


def main():
    out, image = folder("facenet"), picture()
    seen = (image.astype(np.float32)[None] - 127.5) / 128
    for name, run in [("graph_final", frozen), ("facenet_keras", keras)]:
        found = run(seen)
        np.savez_compressed(out / f"{name}.npz", input=image, **{node: fingerprint(x) for node, x in found.items()})


if __name__ == "__main__":
    main()
