"""Golden dumps for the ops of training that are no layers: losses, their gradients, mining, dropout, optimizers.

    cargo xtask golden losses

writes tests/golden/ops/STEM.npz, as ops.py does. Losses are TensorFlow's and gradients TensorFlow's differentiation of
them; PyTorch's must agree, or the run fails. Optimizers are `tf.compat.v1.train`'s with the constants of facenet.train;
each is run for five steps in f64, every step from the last one's state as f32 has it, and the same five steps in f32 by
TensorFlow alone must end in the same state. Random numbers are those of TensorFlow's own Philox.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
import torch
from scipy.spatial.distance import cdist
from tensorflow.python.training.moving_averages import assign_moving_average

from _dump import write

v1 = tf.compat.v1


def noise(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def f64(x):
    """In f64 what f32 has."""
    return np.asarray(x, np.float32).astype(np.float64)


def agree(a, b, what):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-11, err_msg=what)


def tf_gradients(f, wrt, dy, *inputs):
    """The value of `f` and its gradient, weighted by `dy`, with respect to input `wrt`."""
    inputs = [tf.constant(f64(x)) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = f(*inputs)
    return y.numpy(), tf.convert_to_tensor(tape.gradient(y, inputs[wrt], output_gradients=f64(dy).reshape(y.shape))).numpy()


def torch_gradients(f, wrt, dy, *inputs):
    inputs = [torch.from_numpy(f64(x)) for x in inputs]
    inputs[wrt].requires_grad_()
    y = f(*inputs)
    y.backward(torch.from_numpy(f64(dy)).reshape(y.shape))
    return y.detach().numpy(), inputs[wrt].grad.numpy()


def both(what, by_tf, by_torch, dy, *inputs, wrt=0):
    """The same by both, which must agree."""
    y, dx = tf_gradients(by_tf, wrt, dy, *inputs)
    other_y, other_dx = torch_gradients(by_torch, wrt, dy, *inputs)
    agree(y, other_y, what)
    agree(dx, other_dx, f"gradient of {what}")
    return y, dx


def l2_normalize_bwd(cases, rng):
    for name, shape, scale, epsilon in [
        ("single", (1, 1), 1, 1e-10), ("rows", (7, 33), 1, 1e-10), ("embeddings", (3, 512), 20, 1e-10), ("cut", (9, 5), 0.5, 1.0),
    ]:
        x, dy = noise(rng, *shape) * np.float32(scale), noise(rng, *shape)
        least = float(f64(epsilon))
        _, dx = both(
            name,
            lambda x: tf.nn.l2_normalize(x, -1, epsilon=least),
            lambda x: torch.nn.functional.normalize(x, dim=-1, eps=least**0.5),
            dy,
            x,
        )
        cases.add(name, [x, dy], dx, epsilon=epsilon)


def softmax_bwd(cases, rng):
    for name, shape in [("single", (1, 1)), ("pairs", (70, 2)), ("classes", (5, 37)), ("image", (1, 3, 4, 2))]:
        dy = noise(rng, *shape)
        # Its input is the softmax as f32 has it: the gradient of y -> y (dy - sum y dy) at that.
        y = np.asarray(tf.nn.softmax(f64(noise(rng, *shape))), np.float32)
        dx = tf.raw_ops.Mul(x=f64(y), y=f64(dy) - tf.reduce_sum(f64(y) * f64(dy), -1, keepdims=True))
        agree(dx, torch.ops.aten._softmax_backward_data(*map(torch.from_numpy, (f64(dy), f64(y))), -1, torch.float64), name)
        cases.add(name, [y, dy], dx)


def class_labels(rng, n, classes):
    return rng.integers(0, classes, n).astype(np.float32)


def cross_entropies(rng):
    for name, n, c, scale in [("single", 1, 1, 1), ("two", 9, 2, 1), ("classes", 7, 37, 3), ("large", 3, 301, 30)]:
        logits, labels, dy = noise(rng, n, c) * np.float32(scale), class_labels(rng, n, c), noise(rng, n)
        index = labels.astype(np.int64)
        y, dx = both(
            name,
            lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=index, logits=x),
            lambda x: torch.nn.functional.cross_entropy(x, torch.from_numpy(index), reduction="none"),
            dy,
            logits,
        )
        yield name, logits, labels, dy, y, dx


def softmax_cross_entropy(cases, rng):
    for name, logits, labels, _, y, _ in cross_entropies(rng):
        cases.add(name, [logits, labels], y)


def softmax_cross_entropy_bwd(cases, rng):
    for name, logits, labels, dy, _, dx in cross_entropies(rng):
        cases.add(name, [logits, labels, dy], dx)


def accuracy(cases, rng):
    for name, n, c in [("single", 1, 1), ("two", 70, 2), ("classes", 9, 37)]:
        logits = noise(rng, n, c)
        labels = np.where(np.arange(n) % 2 == 0, logits.argmax(1), class_labels(rng, n, c)).astype(np.float32)
        hits = tf.cast(tf.equal(tf.argmax(logits, 1), tf.cast(labels, tf.int64)), tf.float32)
        cases.add(name, [logits, labels], hits)


def scalars(rng, shapes, by_tf, by_torch):
    for name, shape in shapes:
        x, dy = noise(rng, *shape), noise(rng, 1)
        y, dx = both(name, by_tf, by_torch, dy, x)
        yield name, x, dy, y.reshape(1), dx


SHAPES = [("single", (1,)), ("odd", (3, 37)), ("image", (2, 3, 4, 5)), ("pieces", (9001,))]


def mean(cases, rng):
    for name, x, _, y, _ in scalars(rng, SHAPES, tf.reduce_mean, torch.mean):
        cases.add(name, [x], y)


def mean_bwd(cases, rng):
    for name, x, dy, _, dx in scalars(rng, SHAPES, tf.reduce_mean, torch.mean):
        cases.add(name, [dy, x], dx)


def l2_loss(cases, rng):
    for name, x, _, y, _ in scalars(rng, SHAPES, tf.nn.l2_loss, lambda x: x.square().sum() / 2):
        cases.add(name, [x], y)


def l2_loss_bwd(cases, rng):
    for name, x, dy, _, dx in scalars(rng, SHAPES, tf.nn.l2_loss, lambda x: x.square().sum() / 2):
        cases.add(name, [x, dy], dx)


def norm_losses(rng):
    for name, n, d, p in [("single", 1, 1, 1.0), ("original", 7, 33, 1.0), ("euclid", 5, 12, 2.0), ("other", 3, 17, 3.5)]:
        epsilon = float(f64(1e-4))
        for name, x, dy, y, dx in scalars(
            rng,
            [(name, (n, d))],
            lambda x: tf.reduce_mean(tf.norm(tf.abs(x) + epsilon, ord=p, axis=1)),
            lambda x: torch.linalg.vector_norm(x.abs() + epsilon, p, dim=1).mean(),
        ):
            yield name, x, dy, y, dx, p


def norm_loss(cases, rng):
    for name, x, _, y, _, p in norm_losses(rng):
        cases.add(name, [x], y, p=p, epsilon=1e-4)


def norm_loss_bwd(cases, rng):
    for name, x, dy, _, dx, p in norm_losses(rng):
        cases.add(name, [x, dy], dx, p=p, epsilon=1e-4)


def triplet_loss_bwd(cases, rng):
    for name, n, d, margin in [("single", 1, 1, 0.2), ("rows", 7, 33, 0.2), ("unit", 9, 128, 0.05)]:
        rows = [noise(rng, n, d) for _ in range(3)]
        if name == "unit":
            rows = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in rows]
        dy, least = noise(rng, 1), float(f64(margin))

        def by_tf(a, p, n):
            near, far = (tf.reduce_sum(tf.square(tf.subtract(a, x)), 1) for x in (p, n))
            return tf.reduce_mean(tf.maximum(near - far + least, 0.0))

        def by_torch(a, p, n):
            return torch.relu((a - p).square().sum(1) - (a - n).square().sum(1) + least).mean()

        for wrt, whose in enumerate(["anchor", "positive", "negative"]):
            _, dx = both(name, by_tf, by_torch, dy, *rows, wrt=wrt)
            cases.add(f"{name}_{whose}", [*rows, dy], dx, margin=margin, wrt=whose)


def gathered(rng):
    for name, m, d, t in [("single", 1, 1, 1), ("again", 5, 33, 17), ("many", 40, 7, 90)]:
        x, indices, dy = noise(rng, m, d), class_labels(rng, t, m), noise(rng, t, d)
        index = indices.astype(np.int64)
        y, dx = both(name, lambda x: tf.gather(x, index), lambda x: x[torch.from_numpy(index)], dy, x)
        yield name, x, indices, dy, y, dx


def gather_rows(cases, rng):
    for name, x, indices, _, y, _ in gathered(rng):
        cases.add(name, [x, indices], y)


def gather_rows_bwd(cases, rng):
    for name, x, indices, dy, _, dx in gathered(rng):
        cases.add(name, [dy, indices, x], dx)


def centered(rng):
    for name, n, classes, d in [("single", 1, 1, 1), ("again", 17, 5, 33), ("wide", 3, 9, 128)]:
        features, centers, dy = noise(rng, n, d), noise(rng, classes, d), noise(rng, 1)
        labels = class_labels(rng, n, classes)
        index = labels.astype(np.int64)
        y, dx = both(
            name,
            lambda x: tf.reduce_mean(tf.square(x - tf.gather(f64(centers), index))),
            lambda x: torch.nn.functional.mse_loss(x, torch.from_numpy(f64(centers)[index])),
            dy,
            features,
        )
        yield name, features, centers, labels, dy, y.reshape(1), dx


def center_loss(cases, rng):
    for name, features, centers, labels, _, y, _ in centered(rng):
        cases.add(name, [features, centers, labels], y)


def center_loss_bwd(cases, rng):
    for name, features, centers, labels, dy, _, dx in centered(rng):
        cases.add(name, [features, centers, labels, dy], dx)


def center_update(cases, rng):
    """As facenet.center_loss moves its centers."""
    for name, features, centers, labels, *_ in centered(rng):
        for alfa in [0.95, 0.5]:
            index, part = labels.astype(np.int64), 1 - float(f64(alfa))
            with tf.Graph().as_default(), v1.Session() as session:
                variable = v1.get_variable("centers", initializer=f64(centers), use_resource=False, trainable=False)
                session.run(v1.global_variables_initializer())
                difference = part * (tf.gather(variable, index) - f64(features))
                moved = session.run(v1.scatter_sub(variable, index, difference))
            other = torch.from_numpy(f64(centers))
            other = other.index_add(0, torch.from_numpy(index), other[index] - torch.from_numpy(f64(features)), alpha=-part)
            agree(moved, other, name)
            cases.add(f"{name}_{alfa}", [centers, features, labels, [1]], moved, alfa=alfa)
        overflowed = features.copy()
        overflowed.flat[-1] = np.nan
        cases.add(f"{name}_overflow", [centers, overflowed, labels, [0]], centers, alfa=0.5)


def words(seed, purpose, step, count):
    """The first words of a stream of src/random.rs, by TensorFlow's Philox."""
    key, counter = [np.uint64(seed)], [np.uint64(step << 32), np.uint64(purpose << 32)]
    return tf.raw_ops.StatelessRandomUniformFullIntV2(shape=[count], key=key, counter=counter, alg=1, dtype=tf.uint32).numpy()


def dropout(cases, rng):
    for name, shape, keep, seed, stream, step in [
        ("single", (1,), 0.5, 1, 256, 0),
        ("odd", (3, 37), 0.4, 0x1234_5678_9ABC_DEF0, 256, 1),
        ("prelogits", (2, 1, 1, 1792), 0.8, 2**64 - 1, 257, 70_000),
        ("all", (9,), 1.0, 3, 256, 5),
    ]:
        x = noise(rng, *shape)
        uniform = (words(seed, stream, step, x.size) >> 8).astype(np.float64) / 2**24
        kept = (uniform < float(f64(keep))).reshape(shape)
        y = np.where(kept, f64(x) / float(f64(keep)), 0)
        if x.size > 1000:
            assert abs(kept.mean() - keep) < 0.03, name
        cases.add(name, [x, [step]], y, keep=keep, seed=str(seed), stream=stream)


def mine_triplets(cases, rng):
    """As train_tripletloss.select_triplets, but for where the random numbers come from."""
    for name, people, images, seed, step in [("alone", 1, 1, 0, 0), ("one", 1, 4, 1, 1), ("batch", 7, 5, 2**64 - 1, 9)]:
        m = people * images
        x = noise(rng, m, 8) / np.float32(4) + np.repeat(noise(rng, people, 8) / np.float32(8), images, axis=0)
        labels = rng.permutation(np.repeat(np.arange(people), images)).astype(np.float32)
        distances = cdist(f64(x), f64(x), "sqeuclidean").astype(np.float32)
        margin = 0.3
        drawn = words(seed, 6, step, m * m).reshape(m, m).astype(np.uint64)
        for mode in ["random", "semi_hard", "hard", "vgg"]:
            y = np.full((m, m), -1.0)
            for a in range(m):
                for p in range(a + 1, m):
                    if labels[a] != labels[p]:
                        continue
                    near, to_others = distances[a, p], distances[a].copy()
                    to_others[labels == labels[a]] = np.nan
                    within = to_others - near < np.float32(margin)
                    # Neither side is near enough to the margin for rounding to decide.
                    assert not np.any(np.abs(f64(to_others) - f64(near) - float(f64(margin))) < 1e-6)
                    candidates = {
                        "random": np.where(~np.isnan(to_others))[0],
                        "semi_hard": np.where(within & (near < to_others))[0],
                        "hard": np.where(within & (to_others == np.nanmin(to_others, initial=np.inf)))[0],
                        "vgg": np.where(within)[0],
                    }[mode]
                    if len(candidates):
                        chance = int(drawn[a, p] * np.uint64(len(candidates)) >> np.uint64(32))
                        y[a, p] = candidates[0 if mode == "hard" else chance]
            cases.add(f"{name}_{mode}", [distances, labels, [step]], y, mode=mode, margin=margin, seed=str(seed))


def as_stored(y, storage):
    """Rows as they read when a device keeps them in less than f32."""
    if storage == "f16":
        return y.astype(np.float16).astype(np.float32)
    if storage == "int8":
        scale = np.abs(y).max(axis=1, keepdims=True) / np.float32(127)
        return scale * np.rint(y / scale).astype(np.int8).astype(np.float32)
    return y


def nearest_rows(cases, rng):
    sizes = [("single", 1, 1, 1, 9, 1), ("few", 5, 7, 33, 3, 16), ("many", 33, 1500, 16, 5, 4), ("most", 2, 300, 7, 3, 64)]
    for name, m, n, d, people, k in sizes:
        x, y = noise(rng, m, d), noise(rng, n, d)
        labels_x, labels_y = class_labels(rng, m, people), class_labels(rng, n, people)
        for others, storage in [(True, "f32"), (False, "f32"), (False, "f16"), (False, "int8")]:
            if name == "many" and not others:
                continue
            distances = cdist(f64(x), f64(as_stored(y, storage)), "sqeuclidean")
            if others:
                distances[labels_x[:, None] == labels_y[None]] = np.inf
            near = np.argsort(distances, axis=1, kind="stable")[:, :k]
            least = np.full((m, k), np.inf)
            least[:, : near.shape[1]] = np.take_along_axis(distances, near, 1)
            numbers = np.full((m, k), -1.0)
            numbers[:, : near.shape[1]] = near
            numbers[np.isinf(least)] = -1
            # Neighbours in the list, and the first one beyond it, are not so near to each other that rounding decides.
            gaps = np.diff(np.sort(distances, axis=1)[:, : k + 1], axis=1)
            assert not np.any(gaps < 1e-5), (name, storage, np.nanmin(gaps))
            if k <= n:
                agree(least, torch.topk(torch.from_numpy(distances), k, largest=False).values, name)
            inputs = [x, labels_x, y, labels_y] if others else [x, y]
            attrs = {"k": k, "others": others, "storage": storage}
            if storage != "f32":
                attrs["params"] = [1]
            cases.add(f"{name}_{'others_' if others else ''}{storage}", inputs, np.hstack([numbers, least]), **attrs)


def moving_average(cases, rng):
    for name, shape, decay in [("single", (1,), 0.9999), ("statistics", (3, 37), 0.995)]:
        average, value = noise(rng, *shape), noise(rng, *shape)
        with tf.Graph().as_default(), v1.Session() as session:
            variable = v1.get_variable("x", initializer=f64(average))
            session.run(v1.global_variables_initializer())
            y = session.run(assign_moving_average(variable, f64(value), float(f64(decay)), zero_debias=False))
        cases.add(name, [average, value, [1]], y, decay=decay)
        overflowed = value.copy()
        overflowed.flat[-1] = np.inf
        cases.add(f"{name}_overflow", [average, overflowed, [0]], average, decay=decay)


def is_finite(cases, rng):
    for name, count, odd in [
        ("single", 1, {}), ("one_nan", 1, {0: np.nan}), ("finite", 9001, {}), ("last", 9001, {9000: np.inf}),
        ("first", 4096, {0: -np.inf}), ("both", 5000, {17: np.inf, 4999: -np.inf}), ("largest", 7, {3: np.finfo(np.float32).max}),
    ]:
        x = noise(rng, count)
        for i, value in odd.items():
            x[i] = value
        cases.add(name, [x], [float(tf.reduce_all(tf.math.is_finite(x)))])


KINDS = {
    "adagrad": (lambda lr, c: v1.train.AdagradOptimizer(lr, initial_accumulator_value=c(0.1)), ["accumulator"]),
    "adadelta": (lambda lr, c: v1.train.AdadeltaOptimizer(lr, rho=c(0.9), epsilon=c(1e-6)), ["accum", "accum_update"]),
    "adam": (lambda lr, c: v1.train.AdamOptimizer(lr, beta1=c(0.9), beta2=c(0.999), epsilon=c(0.1)), ["m", "v"]),
    "rms_prop": (lambda lr, c: v1.train.RMSPropOptimizer(lr, decay=c(0.9), momentum=c(0.9), epsilon=c(1.0)), ["rms", "momentum"]),
    "momentum": (lambda lr, c: v1.train.MomentumOptimizer(lr, c(0.9), use_nesterov=True), ["momentum"]),
}


def five_steps(kind, dtype, w, gradients, factor, decayed, decay, rates, keep, rounding):
    """The states before each step, and after it; by `rounding` the state goes from one step to the next."""
    make, slots = KINDS[kind]
    states = []
    with tf.Graph().as_default(), v1.Session() as session:
        lr, given = v1.placeholder(dtype, []), v1.placeholder(dtype, w.shape)
        variable = v1.get_variable("w", initializer=w.astype(dtype), use_resource=False)
        loss = dtype(factor) * tf.reduce_sum(variable * given) + dtype(decay) * tf.nn.l2_loss(variable[:decayed])
        optimizer = make(lr, lambda x: float(f64(x)))
        step = optimizer.minimize(loss)
        average = v1.train.ExponentialMovingAverage(float(f64(keep)))
        with tf.control_dependencies([step]):
            step = average.apply([variable])
        # The average starts at the weights.
        session.run(variable.initializer)
        session.run(v1.global_variables_initializer())
        rows = [variable, *(optimizer.get_slot(variable, slot) for slot in slots), average.average(variable)]
        for t, (gradient, rate) in enumerate(zip(gradients, rates), 1):
            before = [rounding(session.run(row)) for row in rows]
            for row, value in zip(rows, before):
                row.load(value.astype(dtype), session)
            # Adam's correction of the bias is in the rate that the op is given; TensorFlow keeps the powers in f32.
            correction = 1.0
            if kind == "adam":
                beta_1, beta_2 = map(f64, session.run(optimizer._get_beta_accumulators()))
                assert abs(beta_1 - 0.9**t) < 1e-6 and abs(beta_2 - 0.999**t) < 1e-6
                correction = np.sqrt(1 - beta_2) / (1 - beta_1)
            session.run(step, {lr: rate / correction, given: gradient})
            states.append((np.stack(before), np.stack(session.run(rows))))
    return states


def optimizer(cases, rng):
    for kind in KINDS:
        for name, p, decayed, decay in [("single", 1, 0, 0.0), ("odd", 77, 50, 5e-3)]:
            w, gradients = noise(rng, p), [noise(rng, p) * np.float32(8) for _ in range(5)]
            factor, keep, rates = 0.125, 0.9999, np.float32([0.1, 0.1, 0.05, 0.05, 0.01])
            run = lambda dtype, rounding: five_steps(  # noqa: E731
                kind, dtype, w, gradients, factor, decayed, float(f64(decay)), f64(rates), keep, rounding
            )
            exact, single = run(np.float64, f64), run(np.float32, lambda x: x)
            # Some hundred times the last bit, after five steps.
            np.testing.assert_allclose(exact[-1][1], single[-1][1], rtol=2e-5, atol=2e-6, err_msg=f"{kind} {name}")
            for t, (before, after) in enumerate(exact):
                average = name == "odd"
                rows = slice(None) if average else slice(-1)
                given = [before[rows], gradients[t], [rates[t], factor, keep], [1]]
                attrs = {"kind": kind, "decayed": decayed, "decay": decay, "average": average}
                cases.add(f"{kind}_{name}_{t}", given, after[rows], **attrs)
            skipped = [before, gradients[0], [rates[0], factor, keep], [0]]
            cases.add(f"{kind}_{name}_overflow", skipped, before, kind=kind, decayed=decayed, decay=decay, average=True)


OPS = {
    f.__name__: f
    for f in [
        accuracy, center_loss, center_loss_bwd, center_update, dropout, gather_rows, gather_rows_bwd, is_finite, l2_loss,
        l2_loss_bwd, l2_normalize_bwd, mean, mean_bwd, mine_triplets, moving_average, nearest_rows, norm_loss, norm_loss_bwd,
        optimizer, softmax_bwd, softmax_cross_entropy, softmax_cross_entropy_bwd, triplet_loss_bwd,
    ]
}


if __name__ == "__main__":
    write(OPS, 20180409)
