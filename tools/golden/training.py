"""Golden dumps of training: a whole small network's losses and gradients, and ten steps of every optimizer.

    cargo xtask golden training

writes tests/golden/training/weights.npz, a random network of 1/16 of the published channels under TensorFlow's names, with
embeddings of 8 values and a classifier of 3 people, and steps.npz, what PyTorch makes of it in f64 on six pictures:

- `images` [6, 80, 80, 3] u8, which the network sees as (x - 127.5) / 128, and `labels`;
- `softmax.PART` and `triplet.PART`, the parts of the loss without their factors, and `softmax.gradients` and
  `triplet.gradients`, the gradients of the loss without weight decay: all `tensors`' end to end, but for the triplet
  loss those of the classifier, which come last and which it has not. TensorFlow's must be the same, or the run fails;
- for each optimizer `KIND.rate`; `KIND.losses` [10, 6], at each step the parts by the names of `parts`, of which `total`
  has the factors; and after ten steps `KIND.weights` and `KIND.averages` [tensors, 2], by the names of `tensors` the norms
  of the weights (or of their moving averages) and of the way that they went; `KIND.norms` [layers, 2], by the names of
  `layers` the norms of the running means and variances; `KIND.centers`.

Optimizers are `tf.compat.v1.train`'s on PyTorch's gradients. All is done again in f32, which must stay within 1/1000:
rates are such that ten steps do not depend on roundings.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import re

import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

from _dump import folder
from losses import KINDS, f64

v1 = tf.compat.v1

SIDE, BATCH, CLASSES, EMBEDDING = 80, 6, 3, 8
EPSILON, DECAY = 0.001, 0.995
CENTER_FACTOR, CENTER_ALFA, NORM_FACTOR, WEIGHT_DECAY, ALPHA = 0.01, 0.9, 1e-3, 5e-5, 0.2
# Reached after the fifth step: before it, the number of updates decides.
AVERAGE_DECAY = 0.4
STEPS = 10
RATES = {"adagrad": 0.0005, "adadelta": 1.0, "adam": 0.005, "rms_prop": 0.002, "momentum": 0.0003}
PARTS = ["total", "loss", "norm_loss", "center_loss", "l2_loss", "accuracy"]


def features(f, x):
    """The network of davidsandberg/facenet by the layers of `f`, with the published numbers of channels."""

    def chain(scope, x, *layers):
        for name, channels in layers:
            x = f.conv(f"{scope}/{name}", x, channels)
        return x

    def residual(scope, x, branches, channels, scale, relu=True):
        return f.up(f"{scope}/Conv2d_1x1", f.concat(branches), x, channels, scale, relu)

    def two_branches(scope, x, width, second, third, channels, scale, relu=True):
        a = chain(f"{scope}/Branch_0", x, ("Conv2d_1x1", width))
        b = chain(f"{scope}/Branch_1", x, ("Conv2d_0a_1x1", width), (second, width), (third, width))
        return residual(scope, x, [a, b], channels, scale, relu)

    x = f.conv("Conv2d_1a_3x3", x, 32, 2, same=False)
    x = f.conv("Conv2d_2a_3x3", x, 32, same=False)
    x = f.conv("Conv2d_2b_3x3", x, 64)
    x = f.pool(x)
    x = f.conv("Conv2d_3b_1x1", x, 80, same=False)
    x = f.conv("Conv2d_4a_3x3", x, 192, same=False)
    x = f.conv("Conv2d_4b_3x3", x, 256, 2, same=False)
    for i in range(1, 6):
        scope = f"Repeat/block35_{i}"
        a = chain(f"{scope}/Branch_0", x, ("Conv2d_1x1", 32))
        b = chain(f"{scope}/Branch_1", x, ("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32))
        c = chain(f"{scope}/Branch_2", x, ("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32), ("Conv2d_0c_3x3", 32))
        x = residual(scope, x, [a, b, c], 256, 0.17)
    a = f.conv("Mixed_6a/Branch_0/Conv2d_1a_3x3", x, 384, 2, same=False)
    b = chain("Mixed_6a/Branch_1", x, ("Conv2d_0a_1x1", 192), ("Conv2d_0b_3x3", 192))
    b = f.conv("Mixed_6a/Branch_1/Conv2d_1a_3x3", b, 256, 2, same=False)
    x = f.concat([a, b, f.pool(x)])
    for i in range(1, 11):
        x = two_branches(f"Repeat_1/block17_{i}", x, 128, "Conv2d_0b_1x7", "Conv2d_0c_7x1", 896, 0.10)
    branches = []
    for i, (last, *names) in enumerate([(384, "Conv2d_0a_1x1"), (256, "Conv2d_0a_1x1"), (256, "Conv2d_0a_1x1", "Conv2d_0b_3x3")]):
        y = chain(f"Mixed_7a/Branch_{i}", x, *((name, 256) for name in names))
        branches.append(f.conv(f"Mixed_7a/Branch_{i}/Conv2d_1a_3x3", y, last, 2, same=False))
    x = f.concat([*branches, f.pool(x)])
    for i in range(1, 6):
        x = two_branches(f"Repeat_2/block8_{i}", x, 192, "Conv2d_0b_1x3", "Conv2d_0c_3x1", 1792, 0.20)
    return two_branches("Block8", x, 192, "Conv2d_0b_1x3", "Conv2d_0c_3x1", 1792, 1.0, relu=False)


class Tensors:
    """What the network has to be given: the shapes of its tensors by their names. A feature map is its channels."""

    def __init__(self):
        self.shapes = {}
        self.layer("Bottleneck", (features(self, 3), EMBEDDING))
        self.shapes |= {"Logits/weights": (EMBEDDING, CLASSES), "Logits/biases": (CLASSES,)}

    def layer(self, name, shape):
        self.shapes[f"{name}/weights"] = shape
        for tensor in ["beta", "moving_mean", "moving_variance"]:
            self.shapes[f"{name}/BatchNorm/{tensor}"] = shape[-1:]
        return shape[-1]

    def conv(self, name, x, channels, stride=1, same=True):
        kernel = (int(extent) for extent in re.search(r"(\d)x(\d)$", name).groups())
        return self.layer(name, (*kernel, x, channels // 16))

    def up(self, name, x, trunk, channels, scale, relu):
        self.shapes |= {f"{name}/weights": (1, 1, x, channels // 16), f"{name}/biases": (channels // 16,)}
        assert trunk == channels // 16, name
        return trunk

    def pool(self, x):
        return x

    def concat(self, branches):
        return sum(branches)


def is_trained(name):
    return "/moving_" not in name


class Torch:
    """The network by PyTorch, NCHW; a pass moves the running averages."""

    def __init__(self, tensors, dtype):
        self.tensors = {name: torch.tensor(x, dtype=dtype) for name, x in tensors.items()}
        self.trained = {name: x.requires_grad_() for name, x in self.tensors.items() if is_trained(name)}
        self.centers = torch.zeros(CLASSES, EMBEDDING, dtype=dtype)
        self.dtype = dtype

    def convolve(self, name, x, stride=1, same=True, bias=None):
        w = self.tensors[f"{name}/weights"].permute(3, 2, 0, 1)
        return F.conv2d(x, w, bias, stride, [extent // 2 if same else 0 for extent in w.shape[2:]])

    def norm(self, name, x):
        mean, variance, beta = (self.tensors[f"{name}/BatchNorm/{t}"] for t in ["moving_mean", "moving_variance", "beta"])
        return F.batch_norm(x, mean, variance, None, beta, training=True, momentum=1 - DECAY, eps=EPSILON)

    def conv(self, name, x, channels, stride=1, same=True):
        return F.relu(self.norm(name, self.convolve(name, x, stride, same)))

    def up(self, name, x, trunk, channels, scale, relu):
        x = trunk + scale * self.convolve(name, x, bias=self.tensors[f"{name}/biases"])
        return F.relu(x) if relu else x

    def pool(self, x):
        return F.max_pool2d(x, 3, 2)

    def concat(self, branches):
        return torch.cat(branches, 1)

    def prelogits(self, images):
        x = features(self, torch.tensor(images, dtype=self.dtype).permute(0, 3, 1, 2)).mean((2, 3))
        return self.norm("Bottleneck", x @ self.tensors["Bottleneck/weights"])

    def l2_loss(self):
        return sum(x.square().sum() / 2 for name, x in self.trained.items() if name.endswith("/weights"))

    def softmax(self, images, labels):
        """The parts of the loss; `loss`, as weighed without weight decay; the prelogits."""
        x, labels = self.prelogits(images), torch.tensor(labels, dtype=torch.int64)
        logits = x @ self.tensors["Logits/weights"] + self.tensors["Logits/biases"]
        parts = {
            "loss": F.cross_entropy(logits, labels),
            "norm_loss": torch.linalg.vector_norm(x.abs() + 1e-4, 1.0, dim=1).mean(),
            "center_loss": F.mse_loss(x, self.centers[labels]),
            "l2_loss": self.l2_loss(),
            "accuracy": (logits.argmax(1) == labels).to(self.dtype).mean(),
        }
        return parts, parts["loss"] + NORM_FACTOR * parts["norm_loss"] + CENTER_FACTOR * parts["center_loss"], x

    def triplet(self, images):
        y = F.normalize(self.prelogits(images), eps=1e-5)
        near, far = ((y[0::3] - y[i::3]).square().sum(1) for i in (1, 2))
        loss = F.relu(near - far + ALPHA)
        # Neither triplet is near the margin.
        assert (near - far + ALPHA).abs().min() > 0.01, near - far + ALPHA
        return {"loss": loss.mean(), "l2_loss": self.l2_loss(), "embeddings": y}, loss.mean(), y

    def gradients(self, loss):
        grads = torch.autograd.grad(loss, list(self.trained.values()))
        return {name: x.numpy() for name, x in zip(self.trained, grads)}


class TensorFlow:
    """The same by TensorFlow, NHWC."""

    def __init__(self, tensors):
        self.tensors = {name: tf.constant(f64(x)) for name, x in tensors.items()}
        self.trained = {name: x for name, x in self.tensors.items() if is_trained(name)}
        self.moved = {}

    def convolve(self, name, x, stride=1, same=True):
        return tf.nn.conv2d(x, self.tensors[f"{name}/weights"], stride, "SAME" if same else "VALID")

    def norm(self, name, x):
        beta = self.tensors[f"{name}/BatchNorm/beta"]
        # Its own batch norm, of f32 alone, for the rule by which the averages move.
        single = tf.cast(x if len(x.shape) == 4 else x[:, None, None], tf.float32)
        averages = {t: tf.cast(self.tensors[f"{name}/BatchNorm/{t}"], tf.float32) for t in ["moving_mean", "moving_variance"]}
        given = averages.values()
        _, mean, variance = v1.nn.fused_batch_norm(
            single, tf.ones_like(beta, tf.float32), tf.cast(beta, tf.float32), *given, EPSILON, exponential_avg_factor=1 - DECAY
        )
        self.moved |= {f"{name}/BatchNorm/moving_mean": mean, f"{name}/BatchNorm/moving_variance": variance}
        moments = tf.nn.moments(x, list(range(len(x.shape) - 1)))
        return tf.nn.batch_normalization(x, *moments, beta, None, EPSILON)

    def conv(self, name, x, channels, stride=1, same=True):
        return tf.nn.relu(self.norm(name, self.convolve(name, x, stride, same)))

    def up(self, name, x, trunk, channels, scale, relu):
        x = trunk + scale * (self.convolve(name, x) + self.tensors[f"{name}/biases"])
        return tf.nn.relu(x) if relu else x

    def pool(self, x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def concat(self, branches):
        return tf.concat(branches, -1)

    def prelogits(self, images):
        x = tf.reduce_mean(features(self, tf.constant(f64(images))), [1, 2])
        return self.norm("Bottleneck", x @ self.tensors["Bottleneck/weights"])

    def l2_loss(self):
        return tf.add_n([tf.nn.l2_loss(x) for name, x in self.trained.items() if name.endswith("/weights")])

    def softmax(self, images, labels):
        x, labels = self.prelogits(images), tf.constant(labels, tf.int64)
        logits = x @ self.tensors["Logits/weights"] + self.tensors["Logits/biases"]
        centers = tf.zeros((CLASSES, EMBEDDING), tf.float64)
        parts = {
            "loss": tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)),
            "norm_loss": tf.reduce_mean(tf.norm(tf.abs(x) + 1e-4, ord=1.0, axis=1)),
            "center_loss": tf.reduce_mean(tf.square(x - tf.gather(centers, labels))),
            "l2_loss": self.l2_loss(),
            "accuracy": tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float64)),
        }
        return parts, parts["loss"] + NORM_FACTOR * parts["norm_loss"] + CENTER_FACTOR * parts["center_loss"]

    def triplet(self, images):
        y = tf.nn.l2_normalize(self.prelogits(images), 1, 1e-10)
        anchor, positive, negative = tf.unstack(tf.reshape(y, (-1, 3, EMBEDDING)), 3, 1)
        near, far = (tf.reduce_sum(tf.square(tf.subtract(anchor, x)), 1) for x in (positive, negative))
        loss = tf.reduce_mean(tf.maximum(tf.add(tf.subtract(near, far), ALPHA), 0.0))
        return {"loss": loss, "l2_loss": self.l2_loss(), "embeddings": y}, loss

    def run(self, loss, *inputs):
        with tf.GradientTape() as tape:
            tape.watch(list(self.trained.values()))
            parts, total = getattr(self, loss)(*inputs)
        grads = tape.gradient(total, list(self.trained.values()))
        return parts, {name: x.numpy() for name, x in zip(self.trained, grads)}


def random_network(rng):
    """Of few bits each, so that the file is small. Offsets are around 1, where few rectifiers are so near their turn that
    a rounding decides."""
    tensors = {}
    for name, shape in Tensors().shapes.items():
        x = rng.standard_normal(shape)
        if name.endswith("/weights"):
            unit = 2.0 ** np.round(np.log2(np.sqrt(2 / np.prod(shape[:-1]))))
            tensors[name] = np.round(np.clip(x, -3, 3) * 32) / 32 * unit
        elif name.endswith("/moving_variance"):
            tensors[name] = np.round(np.exp(x / 4) * 64) / 64
        elif name.endswith("/moving_mean"):
            tensors[name] = np.round(x * 16) / 64
        else:
            # Never 0, which a channel without variance would leave to roundings.
            tensors[name] = 1 + (np.round(x * 16) + 0.5) / 64
    return {name: x.astype(np.float32) for name, x in tensors.items()}


def pictures(rng):
    """Broad waves of every colour, each picture's its own."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    images = np.zeros((BATCH, SIDE, SIDE, 3))
    for image in images:
        for _ in range(6):
            across, down, phase = rng.uniform(-15, 15), rng.uniform(-15, 15), rng.uniform(0, 6, 3)
            image += np.sin((across * x + down * y)[..., None] + phase)
    return np.clip(np.round(127.5 + 45 * images), 0, 255).astype(np.uint8)


def distance(a, b):
    """Of `a` from `b`, by the norm of `b`."""
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def short(x):
    """In f32 with 14 bits after the point, for the file's sake."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x100) & np.uint32(0xFFFFFE00)).view(np.float32)


def first_step(loss, tensors, *inputs):
    """The parts of a loss and its gradients, by both."""
    ours, other = Torch(tensors, torch.float64), TensorFlow(tensors)
    parts, total, _ = getattr(ours, loss)(*inputs)
    gradients = ours.gradients(total)
    other_parts, other_gradients = other.run(loss, *inputs)
    whole = np.sqrt(sum(np.square(x).sum() for x in gradients.values()))
    assert parts.keys() == other_parts.keys() and gradients.keys() == other_gradients.keys()
    for name, value in parts.items():
        np.testing.assert_allclose(value.detach(), other_parts[name], rtol=1e-9, atol=1e-11, err_msg=f"{loss}, {name}")
    worst = 0.0
    for name, x in gradients.items():
        apart = np.linalg.norm(x - other_gradients[name])
        worst = max(worst, apart / whole)
        # Of what comes before a batch norm's mean only the rounding is left.
        assert apart <= 1e-8 * np.linalg.norm(x) + 1e-12 * whole, f"{loss}, {name}: {apart}"
    for name, x in other.moved.items():
        np.testing.assert_allclose(ours.tensors[name], x, rtol=1e-4, atol=1e-5, err_msg=f"{loss}, {name}")
    single = Torch(tensors, torch.float32)
    parts_32, total_32, _ = getattr(single, loss)(*inputs)
    gradients_32 = single.gradients(total_32)
    apart = {n: np.linalg.norm(gradients_32[n] - x) / (np.linalg.norm(x) + 1e-4 * whole) for n, x in gradients.items()}
    name = max(apart, key=apart.get)
    print(f"{loss}: TensorFlow's gradients differ by {worst:.1e} of the whole, f32's by {apart[name]:.1e} of {name}'s")
    dump = {f"{loss}.{name}": value.detach().numpy() for name, value in parts.items()}
    return dump | {f"{loss}.gradients": short(np.concatenate([np.ravel(x) for x in gradients.values()]))}


def ten_steps(kind, dtype, tensors, images, labels):
    """What training by this optimizer gives, as the dump has it."""
    network = Torch(tensors, dtype)
    number = {torch.float32: np.float32, torch.float64: np.float64}[dtype]
    flat = lambda arrays: np.concatenate([np.ravel(x) for x in arrays]).astype(number)  # noqa: E731
    start = flat(x.detach() for x in network.trained.values())
    sizes = [x.numel() for x in network.trained.values()]
    losses = []
    with tf.Graph().as_default(), v1.Session() as session:
        gradient, updates = v1.placeholder(number, start.shape), v1.placeholder(tf.float32, [])
        variable = v1.get_variable("w", initializer=start, use_resource=False)
        step = KINDS[kind][0](float(f64(RATES[kind])), lambda x: float(f64(x))).apply_gradients([(gradient, variable)])
        average = v1.train.ExponentialMovingAverage(AVERAGE_DECAY, updates)
        with tf.control_dependencies([step]):
            step = average.apply([variable])
        session.run(variable.initializer)
        session.run(v1.global_variables_initializer())
        for t in range(STEPS):
            parts, loss, prelogits = network.softmax(images, labels)
            total = loss + WEIGHT_DECAY * parts["l2_loss"]
            parts["total"] = total
            losses.append([parts[name].item() for name in PARTS])
            grads = network.gradients(total)
            # As tf.scatter_sub does it: all differences are taken of the old centers.
            index, old = torch.tensor(labels, dtype=torch.int64), network.centers
            network.centers = old.index_add(0, index, old[index] - prelogits.detach(), alpha=-(1 - CENTER_ALFA))
            session.run(step, {gradient: flat(grads[name] for name in network.trained), updates: t})
            weights = torch.from_numpy(session.run(variable)).split(sizes)
            for x, new in zip(network.trained.values(), weights):
                x.data = new.reshape(x.shape)
        averaged = session.run(average.average(variable))
    ends = np.cumsum(sizes)[:-1]

    def way(row):
        return [[np.linalg.norm(x), np.linalg.norm(x - x0)] for x, x0 in zip(np.split(row, ends), np.split(start, ends))]

    layers = [name.removesuffix("/moving_mean") for name in tensors if name.endswith("/moving_mean")]
    norm = lambda name: np.linalg.norm(network.tensors[name])  # noqa: E731
    return {
        f"{kind}.losses": losses,
        f"{kind}.weights": way(flat(x.detach() for x in network.trained.values())),
        f"{kind}.averages": way(averaged),
        f"{kind}.norms": [[norm(f"{layer}/moving_mean"), norm(f"{layer}/moving_variance")] for layer in layers],
        f"{kind}.centers": network.centers.numpy(),
    }


def main():
    torch.set_num_threads(1)
    out, rng = folder("training"), np.random.default_rng(20180423)
    tensors, images = random_network(rng), pictures(rng)
    labels = np.arange(BATCH) % CLASSES
    seen = (images.astype(np.float64) - 127.5) / 128
    print(sum(x.size for name, x in tensors.items() if is_trained(name)), "weights")
    dump = {"images": images, "labels": labels, "parts": PARTS}
    dump["tensors"] = [name for name in tensors if is_trained(name)]
    dump["layers"] = [name.removesuffix("/BatchNorm/moving_mean") for name in tensors if name.endswith("/moving_mean")]
    headless = {name: x for name, x in tensors.items() if not name.startswith("Logits/")}
    dump |= first_step("softmax", tensors, seen, labels) | first_step("triplet", headless, seen)
    for kind in KINDS:
        exact, single = (ten_steps(kind, dtype, tensors, seen, labels) for dtype in (torch.float64, torch.float32))
        apart = {name: distance(single[name], x) for name, x in exact.items()}
        total = [row[0] for row in exact[f"{kind}.losses"]]
        print(f"{kind}: {total[0]:.4f} to {total[-1]:.4f}; f32 differs by", {name: f"{x:.1e}" for name, x in apart.items()})
        np.testing.assert_allclose(single[f"{kind}.losses"], exact[f"{kind}.losses"], rtol=1e-3, err_msg=kind)
        assert max(apart.values()) < 1e-3, f"{kind}: f32 leaves f64's way"
        dump |= exact | {f"{kind}.rate": RATES[kind]}
    arrays = {name: np.asarray(x) for name, x in dump.items()}
    singles = {name: x.astype(np.float32) if x.dtype == np.float64 else x for name, x in arrays.items()}
    np.savez_compressed(out / "weights.npz", **tensors)
    np.savez_compressed(out / "steps.npz", **singles)


if __name__ == "__main__":
    main()
