"""Golden dumps of OpenFace's nn4.small2: Keras's own, by Keras-OpenFace's definition with random weights.

    cargo xtask golden nn4

writes to tests/golden/nn4:

- keras.h5, the network of 1/8 of the published channels as Keras saves it, with embeddings of 16 values;
- steps.npz: `images` [6, 96, 96, 3] u8, which the network sees as x / 255; `embeddings` [6, 16], of inference; and of a
  step of training, `train.embeddings`, `train.loss`, the triplet loss of anchors, positives and negatives of two images
  each, and `train.gradients`, the loss's gradients by `tensors`' names in order, end to end; `torch.embeddings`, of
  inference with Torch's five-channel response normalization, and nothing else changed.

Keras computes in f64, but for `tf.nn.lrn`, which has none: its formula stands in, and must agree with it in f32. What the
definition must have as published, 3,743,280 parameters and the shapes of maps, is checked at full width first.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
from keras import Input, Model, config, layers

from _dump import folder

SIDE, BATCH, EMBEDDING, ALPHA = 96, 6, 16, 0.2
# Keras-OpenFace calls `tf.nn.lrn(x, alpha=1e-4, beta=0.75)`, whose depth_radius is 5 unless told. Torch's
# `nn.SpatialCrossMapLRN(5, 1e-4, 0.75)` has five channels and divides alpha by five.
KERAS, TORCH = (5, 1e-4), (2, 1e-4 / 5)


def response(x, radius, alpha):
    """`tf.nn.lrn` by its formula, in any type."""
    c = x.shape[-1]
    near = np.abs(np.subtract.outer(np.arange(c), np.arange(c))) <= radius
    return x / (1 + alpha * tf.einsum("nhwj,ji->nhwi", tf.square(x), tf.constant(near, x.dtype))) ** 0.75


def network(width, embedding, lrn):
    """The definition, of `width` thirty-secondths of the channels; layers have Keras-OpenFace's names."""

    def channels(published):
        return published * width // 32

    def product(name, x, c, kernel=1, stride=1, pad=0):
        before, _, after = name.rpartition("conv")
        if pad:
            x = layers.ZeroPadding2D(pad)(x)
        x = layers.Conv2D(channels(c), kernel, strides=stride, name=name)(x)
        x = layers.BatchNormalization(axis=3, epsilon=1e-5, name=f"{before}bn{after}")(x)
        return layers.Activation("relu")(x)

    def largest(x, pad=0):
        if pad:
            x = layers.ZeroPadding2D(pad)(x)
        return layers.MaxPooling2D(3, strides=2)(x)

    def norms(x):
        # Powers, their mean, times nine, and the root.
        x = layers.AveragePooling2D(3, strides=3)(layers.Lambda(lambda x: x**2)(x))
        return layers.Lambda(lambda x: tf.sqrt(x * 9))(x)

    def block(name, x, three, five, pool, one, stride=1):
        """`three` and `five`: channels between and of the convolutions; `pool`: of which kind, its channels, and zeros
        around them; `one`: channels."""
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

    image = Input((SIDE, SIDE, 3))
    x = product("conv1", image, 64, 7, 2, 3)
    x = layers.Lambda(lrn, name="lrn_1")(largest(x, 1))
    x = product("conv3", product("conv2", x, 64), 192, 3, 1, 1)
    x = largest(layers.Lambda(lrn, name="lrn_2")(x), 1)
    x = block("inception_3a", x, (96, 128), (16, 32), (largest, 32, ((3, 4), (3, 4))), 64)
    x = block("inception_3b", x, (96, 128), (32, 64), (norms, 64, 4), 64)
    x = block("inception_3c", x, (128, 256), (32, 64), (largest, None, ((0, 1), (0, 1))), None, 2)
    x = block("inception_4a", x, (96, 192), (32, 64), (norms, 128, 2), 256)
    x = block("inception_4e", x, (160, 256), (64, 128), (largest, None, ((0, 1), (0, 1))), None, 2)
    x = block("inception_5a", x, (96, 384), None, (norms, 96, 1), 256)
    x = block("inception_5b", x, (96, 384), None, (largest, 96, 1), 256)
    x = layers.Flatten()(layers.AveragePooling2D(3, strides=1)(x))
    x = layers.Dense(embedding, name="dense_layer")(x)
    x = layers.Lambda(lambda x: tf.math.l2_normalize(x, axis=1, epsilon=1e-10), name="norm_layer")(x)
    return Model(image, x)


def randomize(model, rng):
    """Weights that keep maps near one, and statistics as training leaves them."""
    for layer in model.layers:
        if not layer.weights:
            continue
        values = []
        for variable in layer.weights:
            shape, kind = variable.shape, variable.path.rpartition("/")[2]
            if kind == "kernel":
                value = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
            elif kind == "moving_variance":
                value = rng.uniform(0.5, 1.5, shape)
            else:
                value = 0.1 * rng.standard_normal(shape) + (kind == "gamma")
            values.append(value.astype(np.float32))
        layer.set_weights(values)


def check_published():
    model = network(32, 128, lambda x: tf.nn.lrn(x, alpha=1e-4, beta=0.75))
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (model.count_params(), trained) == (3_743_280, 3_733_968), (model.count_params(), trained)
    shapes = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, layers.Concatenate)]
    expected = [(12, 12, 256), (12, 12, 320), (6, 6, 640), (6, 6, 640), (3, 3, 1024), (3, 3, 736), (3, 3, 736)]
    assert shapes == expected, shapes


def check_response(rng):
    """That the formula is TensorFlow's, and five channels Torch's."""
    import torch

    x = 5 * rng.standard_normal((2, 3, 4, 24))
    y = tf.nn.lrn(x.astype(np.float32), alpha=1e-4, beta=0.75)
    np.testing.assert_allclose(response(tf.constant(x), *KERAS), y, rtol=1e-5)
    y = torch.nn.functional.local_response_norm(torch.from_numpy(x).permute(0, 3, 1, 2), 5, 1e-4, 0.75, 1.0)
    np.testing.assert_allclose(response(tf.constant(x), *TORCH), y.permute(0, 2, 3, 1).numpy(), rtol=1e-12)


def triplet_loss(y):
    anchor, positive, negative = tf.split(y, 3)
    near, far = (tf.reduce_sum(tf.square(anchor - other), 1) for other in (positive, negative))
    return tf.reduce_mean(tf.maximum(near - far + ALPHA, 0.0))


def main():
    rng = np.random.default_rng(96)
    check_published()
    check_response(rng)
    out = folder("nn4")
    small = network(4, EMBEDDING, lambda x: response(x, *KERAS))
    randomize(small, rng)
    small.save_weights(out / "keras.weights.h5")
    weights = small.get_weights()
    config.set_floatx("float64")
    images = rng.integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype=np.uint8)
    x = tf.constant(images / 255.0)
    arrays = {"images": images}
    for name, lrn in (("embeddings", KERAS), ("torch.embeddings", TORCH)):
        model = network(4, EMBEDDING, lambda x, lrn=lrn: response(x, *lrn))
        model.set_weights(weights)
        arrays[name] = model(x, training=False).numpy().astype(np.float32)
        if lrn is KERAS:
            with tf.GradientTape() as tape:
                y = model(x, training=True)
                loss = triplet_loss(y)
            gradients = tape.gradient(loss, model.trainable_weights)
            names = [w.path for w in model.trainable_weights]
            arrays["train.embeddings"], arrays["train.loss"] = (t.numpy().astype(np.float32) for t in (y, loss))
            arrays["train.gradients"] = np.concatenate([g.numpy().ravel() for g in gradients]).astype(np.float32)
            arrays["tensors"] = np.array(names)
    np.savez_compressed(out / "steps.npz", **arrays)


if __name__ == "__main__":
    main()
