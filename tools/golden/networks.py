"""Golden dumps of the other embedding networks: a narrow one of each, forward and backward.

    cargo xtask golden networks

writes tests/golden/networks/NAME.npz. Inception-ResNet-v2 and SqueezeNet are davidsandberg/facenet's own definitions, which
are fetched (`facenet` on PyPI, the wheel only; nothing of it is kept), run with tf_slim under TensorFlow's v1 mode in f64, and
only made narrow: every number of channels is divided. DeepFace is a Keras model, in f64, whose weights are written as
deepface.h5, too.

Weights and photographs are not in the dumps: both sides draw them, by `random.rs`'s numbers (see `Drawn`). In a dump:

- `tensors`: the names of all weights, in order;
- `embeddings` [2, d]: of the first two pictures, by the running statistics that were drawn, L2-normalized;
- `loss`: the mean cross entropy of a classifier of three people on all pictures, by the batch's statistics;
- `gradients`: its gradient, all tensors' end to end, as TensorFlow lays them out.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import types
import zipfile

import numpy as np
import tensorflow as tf
import tf_keras
import tf_slim

from _dump import folder

from tensorflow.python.framework import ops

v1 = tf.compat.v1
# tf_slim's last release looks for it where TensorFlow had it until 2.13.
ops.Tensor = tf.Tensor
FACENET = "facenet==1.0.5"
SEED, CLASSES = 12, 3
# What numbers are for, as in random.rs, and where they begin: weights, biases and offsets, statistics, pictures.
INIT, OTHERS, STATISTICS, PICTURES = 0, 1000, 2000, 3000
EMBEDDED = 2


def philox(key, counter):
    """Philox4x32-10 of arrays of counters."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k = [np.uint64(word) for word in key]
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> half) ^ c[1] ^ k[0], b & low, (a >> half) ^ c[3] ^ k[1], a & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c, -1).reshape(-1)


def uniform(place, count):
    """The first `count` numbers of [0, 1) at a place, in f64."""
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    zeros = np.zeros_like(blocks)
    words = philox([SEED, 0], [blocks, zeros + np.uint64(place), zeros, zeros + np.uint64(INIT)])
    return (words[:count] >> np.uint64(8)).astype(np.float64) / 2**24


class Drawn:
    """Weights by their number: matrices and filters by Glorot, biases and offsets within 0.1, means within 0.1, and
    variances from 1/8 to 3/8, so that pictures are told apart to the end. Values are of f32. Filters are drawn outputs first and turned to be as TensorFlow has them."""

    @staticmethod
    def weights(number, shape):
        """`shape` has outputs first, and of a locally connected layer's positions before."""
        positions = 2 if len(shape) == 6 else 0
        out, taps = shape[positions], int(np.prod(shape[positions + 1 :]))
        fan_out = taps // shape[-1] * out
        limit = np.float32(np.sqrt(6.0 / (taps + fan_out)))
        u = uniform(number, int(np.prod(shape))).astype(np.float32)
        return (limit * (np.float32(2) * u - np.float32(1))).reshape(shape)

    @staticmethod
    def offset(number, shape):
        u = uniform(OTHERS + number, int(np.prod(shape))).astype(np.float32)
        return (np.float32(0.2) * (u - np.float32(0.5))).reshape(shape)

    @staticmethod
    def statistics(number, n):
        u = uniform(STATISTICS + number, 2 * n).astype(np.float32)
        return np.float32(0.2) * (u[:n] - np.float32(0.5)), np.float32(0.25) * u[n:] + np.float32(0.125)

    @staticmethod
    def pictures(batch, side):
        """Noise on patches of 8 pixels, and as the network sees them: whole numbers less 128 over 128."""
        patches = -(-side // 8)
        coarse = uniform(PICTURES, batch * patches * patches * 3).reshape(batch, patches, patches, 3)
        coarse = coarse.repeat(8, 1).repeat(8, 2)[:, :side, :side]
        fine = uniform(PICTURES + 1, batch * side * side * 3).reshape(batch, side, side, 3)
        return np.floor(192 * coarse + 64 * fine) / 128 - 1


def outputs_last(w):
    """As TensorFlow has it; a locally connected layer's filters stay as they are."""
    return {4: lambda: w.transpose(1, 2, 3, 0), 2: lambda: w.T}.get(w.ndim, lambda: w)()


def outputs_first(shape):
    return [shape[-1], *shape[:-1]] if len(shape) in (2, 4) else list(shape)


def original(name, work):
    """A definition of davidsandberg/facenet, with TensorFlow's v1 mode and tf_slim where it looks for them."""
    if not (wheels := list(work.glob("facenet-*.whl"))):
        fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", FACENET, "-d", work]
        subprocess.run(fetch, check=True)
        wheels = list(work.glob("facenet-*.whl"))
    source = work / f"{name}.py"
    source.write_bytes(zipfile.ZipFile(wheels[0]).read(f"facenet/src/models/{name}.py"))
    contrib, tensorflow = types.ModuleType("tensorflow.contrib"), types.ModuleType("tensorflow")
    contrib.slim, tensorflow.contrib = tf_slim, contrib
    tensorflow.__getattr__ = lambda attribute: getattr(v1, attribute)
    hidden = {"tensorflow": tensorflow, "tensorflow.contrib": contrib, "tensorflow.contrib.slim": tf_slim}
    kept = {module: sys.modules.get(module) for module in hidden}
    sys.modules.update(hidden)
    try:
        spec = importlib.util.spec_from_file_location(name, source)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        for module_name, was in kept.items():
            sys.modules.pop(module_name)
            if was is not None:
                sys.modules[module_name] = was
    return module


def narrow(module, part, scaled_up):
    """Makes the definition's convolutions `part` as wide, and its batch norms those that f64 has. Where the number of outputs
    is that of the input (`scaled_up`), it is narrow already."""
    slim = types.SimpleNamespace(**{name: getattr(tf_slim, name) for name in dir(tf_slim) if not name.startswith("__")})

    @tf_slim.add_arg_scope
    def conv2d(inputs, num_outputs, kernel_size, **more):
        given = int(num_outputs) if more.get("normalizer_fn", 0) is None and scaled_up else int(num_outputs * part)
        return tf_slim.conv2d(inputs, given, kernel_size, **more)

    @tf_slim.add_arg_scope
    def batch_norm(inputs, **more):
        return tf_slim.batch_norm(inputs, fused=False, **more)

    slim.conv2d, slim.batch_norm = conv2d, batch_norm
    module.slim = slim


def by_definition(name, module, scope, side, batch, out):
    """A dump by one of the original's definitions."""
    images, labels = Drawn.pictures(batch, side), np.arange(batch) % CLASSES
    results = {}
    for training in (False, True):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float64, [batch if training else EMBEDDED, side, side, 3])
            prelogits, _ = module.inference(x, 1.0, phase_train=training, bottleneck_layer_size=8)
            trained = [v for v in v1.global_variables() if "moving_" not in v.op.name]
            weights = [v for v in trained if v.op.name.endswith("/weights")]
            others = [v for v in trained if not v.op.name.endswith("/weights")]
            w = v1.get_variable("Logits/weights", [8, CLASSES], tf.float64)
            b = v1.get_variable("Logits/biases", [CLASSES], tf.float64)
            weights, others = [*weights, w], [*others, b]
            for i, variable in enumerate(weights):
                drawn = Drawn.weights(i, outputs_first(variable.shape.as_list()))
                variable.load(outputs_last(drawn).astype(np.float64), session)
            for i, variable in enumerate(others, len(weights)):
                variable.load(Drawn.offset(i, variable.shape.as_list()).astype(np.float64), session)
            means = [v for v in v1.global_variables() if v.op.name.endswith("moving_mean")]
            for i, mean in enumerate(means):
                norm = mean.op.name.removesuffix("moving_mean")
                variance = next(v for v in v1.global_variables() if v.op.name == norm + "moving_variance")
                for variable, drawn in zip((mean, variance), Drawn.statistics(i, mean.shape.as_list()[0])):
                    variable.load(drawn.astype(np.float64), session)
            if not training:
                embeddings = tf.nn.l2_normalize(prelogits, 1, 1e-10)
                results["embeddings"] = session.run(embeddings, {x: images[:EMBEDDED]})
                continue
            logits = tf.matmul(prelogits, w) + b
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
            wanted = [*weights, *others]
            results["loss"], gradients = session.run([loss, v1.gradients(loss, wanted)], {x: images})
            results["gradients"] = np.concatenate([gradient.reshape(-1) for gradient in gradients])
            results["tensors"] = np.array([v.op.name.removeprefix(scope) for v in wanted])
    save(name, results, out)


def keras_deepface(side, channels, features):
    """DeepFace as Keras has it, of the precision that is set."""
    layers, relu = tf_keras.layers, {"activation": "relu"}
    local = lambda kernel, name, **more: layers.LocallyConnected2D(channels // 2, kernel, name=name, **relu, **more)
    return tf_keras.Sequential([
        layers.Input((side, side, 3)),
        layers.Conv2D(channels, 11, name="C1", **relu),
        layers.MaxPooling2D(3, 2, "same", name="M2"),
        layers.Conv2D(channels // 2, 9, name="C3", **relu),
        local(9, "L4"), local(7, "L5", strides=2), local(5, "L6"),
        layers.Flatten(name="F0"),
        layers.Dense(features, name="F7", **relu),
        layers.Dense(CLASSES, name="F8"),
    ])


def deepface(side, channels, features, out):
    """DeepFace by Keras, and its weights as Keras writes them."""
    tf_keras.backend.set_floatx("float64")
    model = keras_deepface(side, channels, features)
    named = [layer for layer in model.layers if layer.weights]
    for i, layer in enumerate(named):
        kernel, bias = layer.weights
        shape = kernel.shape.as_list()
        if layer.name.startswith("L"):
            # Keras has positions, taps and outputs; drawn are positions, outputs, taps.
            (h, w), (k, _) = layer.output_shape[1:3], layer.kernel_size
            drawn = Drawn.weights(i, [h, w, shape[2], k, k, layer.input_shape[-1]])
            drawn = drawn.transpose(0, 1, 3, 4, 5, 2).reshape(shape)
        else:
            drawn = outputs_last(Drawn.weights(i, outputs_first(shape)))
        layer.set_weights([drawn, Drawn.offset(len(named) + i, bias.shape.as_list())])
    batch = 6
    images, labels = Drawn.pictures(batch, side), np.arange(batch) % CLASSES
    until_f7 = tf_keras.Model(model.input, model.get_layer("F7").output)
    results = {"embeddings": tf.nn.l2_normalize(until_f7(images[:EMBEDDED]), 1, 1e-10).numpy()}
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=model(images)))
    results["loss"] = loss.numpy()
    wanted = [layer.weights[0] for layer in named] + [layer.weights[1] for layer in named]
    gradients = [gradient.numpy() for gradient in tape.gradient(loss, wanted)]
    for i, layer in enumerate(named):
        if layer.name.startswith("L"):
            (h, w), (k, _) = layer.output_shape[1:3], layer.kernel_size
            of = gradients[i].reshape(h, w, k, k, layer.input_shape[-1], -1)
            gradients[i] = of.transpose(0, 1, 5, 2, 3, 4)
    results["gradients"] = np.concatenate([gradient.reshape(-1) for gradient in gradients])
    names = [layer.name.replace("F8", "Logits") for layer in named]
    results["tensors"] = np.array([f"{n}/weights" for n in names] + [f"{n}/biases" for n in names])
    tf_keras.backend.set_floatx("float32")
    written = keras_deepface(side, channels, features)
    written.set_weights(model.get_weights())
    written.save_weights(out / "deepface.h5")
    save("deepface", results, out)


def save(name, results, out):
    arrays = {key: value if key == "tensors" else np.asarray(value, np.float32) for key, value in results.items()}
    np.savez_compressed(out / f"{name}.npz", **arrays)
    size = (out / f"{name}.npz").stat().st_size
    assert size <= 2 << 20, size
    print(f"{name}: {len(arrays['tensors'])} tensors, {arrays['gradients'].size} parameters, {size / 1e6:.2f} MB")


def main():
    out = folder("networks")
    deepface(80, 4, 64, out)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        module = original("squeezenet", work)
        narrow(module, 4 / 32, scaled_up=False)
        by_definition("squeezenet", module, "squeezenet/", 64, 6, out)
        module = original("inception_resnet_v2", work)
        narrow(module, 2 / 32, scaled_up=True)
        by_definition("inception_resnet_v2", module, "InceptionResnetV2/", 80, 6, out)


if __name__ == "__main__":
    main()
