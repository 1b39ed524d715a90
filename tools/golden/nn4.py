"""Golden dumps of OpenFace's nn4.small2: a narrow one, by Keras-OpenFace's definition, forward and backward.

    cargo xtask golden nn4

writes nn4_small2.npz and nn4_small2_torch.npz to tests/golden/networks, which hold what those of `networks.py` do and are drawn
alike, but that batch norms' scales are 1 more; and nn4_small2.h5, the weights as Keras writes them, and nn4_small2.t7, the same
as Torch7 would.

Keras computes in f64. `tf.nn.lrn` has none: its formula stands in, which must agree with it in f32, and of five channels with
PyTorch's. That the published network has 3,743,280 parameters and its maps their extents is checked first.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
import torch

from _dump import folder
from networks import CLASSES, EMBEDDED, Drawn, outputs_first, outputs_last, save
from torch7 import Instance, Storage, Tensor, Writer, table

layers = tf_keras.layers
SIDE, BATCH, WIDTH, EMBEDDING = 96, 6, 2, 8
# Keras-OpenFace calls `tf.nn.lrn(x, alpha=1e-4, beta=0.75)`, whose depth_radius is 5 unless told. Torch's
# `nn.SpatialCrossMapLRN(5, 1e-4, 0.75)` is over five channels and divides alpha by them.
KERAS, TORCH = (5, 1e-4), (2, 1e-4 / 5)


def response(x, radius, alpha):
    """`tf.nn.lrn` by its formula, in any type."""
    c = x.shape[-1]
    near = np.abs(np.subtract.outer(np.arange(c), np.arange(c))) <= radius
    return x / (1 + alpha * tf.einsum("nhwj,ji->nhwi", tf.square(x), tf.constant(near, x.dtype))) ** 0.75


def network(width, embedding, lrn):
    """The definition up to its dense layer, of `width` thirty-secondths of the channels, and the names of its layers."""
    names = []

    def product(name, x, c, kernel=1, stride=1, pad=0):
        before, _, after = name.rpartition("conv")
        names.append(name)
        if pad:
            x = layers.ZeroPadding2D(pad)(x)
        x = layers.Conv2D(c * width // 32, kernel, strides=stride, name=name)(x)
        x = layers.BatchNormalization(axis=3, epsilon=1e-5, name=f"{before}bn{after}")(x)
        return layers.Activation("relu")(x)

    def largest(x, pad=0):
        if pad:
            x = layers.ZeroPadding2D(pad)(x)
        return layers.MaxPooling2D(3, strides=2)(x)

    def root(x):
        # The definition's `sqrt` has a gradient of NaN where a window is of zeros; here it is 0.
        zero = x == 0
        return tf.where(zero, tf.zeros_like(x), tf.sqrt(tf.where(zero, tf.ones_like(x), x * 9)))

    def norms(x):
        x = layers.AveragePooling2D(3, strides=3)(layers.Lambda(lambda x: x**2)(x))
        return layers.Lambda(root)(x)

    def block(name, x, three, five, pool, one, stride=1):
        """`three` and `five`: channels between and of the convolutions; `pool`: of which kind, its channels, and the zeros
        around it; `one`: channels."""
        branches = []
        for extents, kernel in ((three, 3), (five, 5)):
            if extents:
                y = product(f"{name}_{kernel}x{kernel}_conv1", x, extents[0])
                branches.append(product(f"{name}_{kernel}x{kernel}_conv2", y, extents[1], kernel, stride, kernel // 2))
        kind, c, borders = pool
        y = kind(x)
        y = product(f"{name}_pool_conv", y, c) if c else y
        branches.append(layers.ZeroPadding2D(borders)(y))
        if one:
            branches.append(product(f"{name}_1x1_conv", x, one))
        return layers.Concatenate(axis=3)(branches)

    image = layers.Input((SIDE, SIDE, 3))
    x = product("conv1", image, 64, 7, 2, 3)
    x = layers.Lambda(lrn)(largest(x, 1))
    x = product("conv3", product("conv2", x, 64), 192, 3, 1, 1)
    x = largest(layers.Lambda(lrn)(x), 1)
    x = block("inception_3a", x, (96, 128), (16, 32), (largest, 32, ((3, 4), (3, 4))), 64)
    x = block("inception_3b", x, (96, 128), (32, 64), (norms, 64, 4), 64)
    x = block("inception_3c", x, (128, 256), (32, 64), (largest, None, ((0, 1), (0, 1))), None, 2)
    x = block("inception_4a", x, (96, 192), (32, 64), (norms, 128, 2), 256)
    x = block("inception_4e", x, (160, 256), (64, 128), (largest, None, ((0, 1), (0, 1))), None, 2)
    x = block("inception_5a", x, (96, 384), None, (norms, 96, 1), 256)
    x = block("inception_5b", x, (96, 384), None, (largest, 96, 1), 256)
    x = layers.Flatten()(layers.AveragePooling2D(3, strides=1)(x))
    names.append("dense_layer")
    return tf_keras.Model(image, layers.Dense(embedding, name="dense_layer")(x)), names


def check_published():
    model, _ = network(32, 128, lambda x: tf.nn.lrn(x, alpha=1e-4, beta=0.75))
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (model.count_params(), trained) == (3_743_280, 3_733_968), (model.count_params(), trained)
    shapes = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, layers.Concatenate)]
    assert shapes == [(12, 12, 256), (12, 12, 320), (6, 6, 640), (6, 6, 640), (3, 3, 1024), (3, 3, 736), (3, 3, 736)], shapes


def check_response():
    """That the formula is TensorFlow's, and with five channels PyTorch's."""
    x = 5 * np.random.default_rng(1).standard_normal((2, 3, 4, 24))
    y = tf.nn.lrn(x.astype(np.float32), alpha=1e-4, beta=0.75)
    np.testing.assert_allclose(response(tf.constant(x), *KERAS), y, rtol=1e-5)
    y = torch.nn.functional.local_response_norm(torch.from_numpy(x).permute(0, 3, 1, 2), 5, 1e-4, 0.75, 1.0)
    np.testing.assert_allclose(response(tf.constant(x), *TORCH), y.permute(0, 2, 3, 1).numpy(), rtol=1e-12)


def norm_of(model, name):
    before, conv, after = name.rpartition("conv")
    return model.get_layer(f"{before}bn{after}") if conv else None


def draw(model, names):
    """Gives every layer its weights; the classifier's come last in either list. Returns the classifier's, and the variables
    that are trained, in order, with their names."""
    number, norms = len(names) + 1, 0
    wanted, others = [], []
    for i, name in enumerate(names):
        layer = model.get_layer(name)
        kernel, bias = layer.weights
        drawn = [outputs_last(Drawn.weights(i, outputs_first(kernel.shape.as_list()))), Drawn.offset(number, bias.shape.as_list())]
        layer.set_weights(drawn)
        wanted.append((f"{name}/weights", kernel))
        others.append((f"{name}/biases", bias))
        number += 1
        if norm := norm_of(model, name):
            c = bias.shape.as_list()
            beta, gamma = Drawn.offset(number, c), 1 + Drawn.offset(number + 1, c)
            norm.set_weights([gamma, beta, *Drawn.statistics(norms, c[0])])
            others += [(f"{name}/BatchNorm/beta", norm.beta), (f"{name}/BatchNorm/gamma", norm.gamma)]
            number, norms = number + 2, norms + 1
    w = tf.Variable(Drawn.weights(len(names), [CLASSES, EMBEDDING]).T.astype(np.float64))
    b = tf.Variable(Drawn.offset(number, [CLASSES]).astype(np.float64))
    return [*wanted, ("Logits/weights", w), *others, ("Logits/biases", b)]


def dump(name, lrn, out):
    """Embeddings, loss and gradients; returns the model and its layers' names."""
    model, names = network(WIDTH, EMBEDDING, lambda x: response(x, *lrn))
    trained = draw(model, names)
    tensors, variables = zip(*trained)
    images, labels = Drawn.pictures(BATCH, SIDE), np.arange(BATCH) % CLASSES
    results = {"embeddings": tf.nn.l2_normalize(model(images[:EMBEDDED], training=False), 1, 1e-10).numpy()}
    w, b = (dict(trained)[f"Logits/{part}"] for part in ("weights", "biases"))
    with tf.GradientTape() as tape:
        logits = model(images, training=True) @ w + b
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    results["loss"] = loss.numpy()
    results["gradients"] = np.concatenate([gradient.numpy().reshape(-1) for gradient in tape.gradient(loss, variables)])
    results["tensors"] = np.array(tensors)
    assert np.isfinite(results["gradients"]).all()
    save(name, results, out)
    # Training moved the statistics.
    draw(model, names)
    return model, names


def as_torch(model, names):
    """The modules with weights, in a chain; Torch's readers tell layers by their order."""

    def tensor(values, *shape):
        values = np.asarray(values, np.float32)
        return Tensor("Float", Storage("Float", values.ravel().tolist()), list(shape or values.shape))

    modules = []
    for name in names:
        kernel, bias = model.get_layer(name).get_weights()
        norm = norm_of(model, name)
        if norm is None:
            modules.append(Instance("nn.Linear", weight=tensor(kernel.T), bias=tensor(bias)))
            continue
        c_in, c_out = kernel.shape[2:]
        weight = tensor(kernel.transpose(3, 2, 0, 1), c_out, kernel[..., 0].size)
        modules.append(Instance("nn.SpatialConvolutionMM", nInputPlane=c_in, nOutputPlane=c_out, weight=weight, bias=tensor(bias)))
        gamma, beta, mean, variance = map(tensor, norm.get_weights())
        modules.append(Instance("nn.SpatialBatchNormalization", eps=1e-5, weight=gamma, bias=beta, running_mean=mean, running_var=variance))
    return Instance("nn.Sequential", modules=table(*modules))


def main():
    out = folder("networks")
    check_published()
    check_response()
    tf_keras.backend.set_floatx("float64")
    dump("nn4_small2_torch", TORCH, out)
    model, names = dump("nn4_small2", KERAS, out)
    writer = Writer()
    writer.object(as_torch(model, names))
    (out / "nn4_small2.t7").write_bytes(writer.out)
    weights = model.get_weights()
    tf_keras.backend.set_floatx("float32")
    written, _ = network(WIDTH, EMBEDDING, lambda x: x)
    written.set_weights(weights)
    written.save_weights(out / "nn4_small2.h5")


if __name__ == "__main__":
    main()
