"""What the LFW protocol answers on seeded synthetic embeddings: OUT/eval/{a,b}.npy and OUT/eval/cases.json.

The algorithms of davidsandberg/facenet's facenet.py and lfw.py, said again in numpy, one threshold at a time and in f64.
"""

import json
import sys
from pathlib import Path

import numpy as np

PEOPLE, PAIRS, DIM = 40, 203, 16


def embeddings(rng):
    """Unit vectors around their person's centre, all shifted alike so that subtracting a mean matters."""
    centres = rng.normal(size=(PEOPLE, DIM))
    same = rng.random(PAIRS) < 0.5
    first = rng.integers(0, PEOPLE, PAIRS)
    second = np.where(same, first, (first + rng.integers(1, PEOPLE, PAIRS)) % PEOPLE)
    sides = []
    for person in (first, second):
        x = centres[person] + 0.45 * rng.normal(size=(PAIRS, DIM)) + 0.5
        sides.append((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32))
    return *sides, same


def distances(a, b, metric):
    if metric == "euclidean":
        return np.sum((a - b) ** 2, axis=1)
    cosine = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi


def k_fold(n, folds):
    sizes = np.full(folds, n // folds)
    sizes[: n % folds] += 1
    for start, size in zip(np.cumsum(sizes) - sizes, sizes):
        test = np.arange(start, start + size)
        yield np.setdiff1d(np.arange(n), test), test


def accuracy(threshold, d, same):
    return np.mean((d < threshold) == same)


def val_far(threshold, d, same):
    accepted = d < threshold
    return np.sum(accepted & same) / np.sum(same), np.sum(accepted & ~same) / np.sum(~same)


def spline(x, y, at):
    """interp1d(x, y, kind='slinear')(at) for ascending x with repeats, where `at` lies strictly between two of them."""
    i = np.searchsorted(x, at, side="right")
    assert x[i - 1] < at < x[i]
    return y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1])


def exact_roc(d, same):
    thresholds = np.append(np.unique(d), np.inf)
    tar = np.array([np.mean(d[same] < t) for t in thresholds])
    far = np.array([np.mean(d[~same] < t) for t in thresholds])
    auc = np.mean([np.mean(np.where(d[~same] > s, 1.0, np.where(d[~same] == s, 0.5, 0.0))) for s in d[same]])
    gap = far - (1 - tar)
    i = int(np.argmax(gap >= 0))
    eer = far[i - 1] + (far[i] - far[i - 1]) * -gap[i - 1] / (gap[i] - gap[i - 1])
    return auc, eer


def evaluate(a, b, same, folds, metric, subtract_mean):
    a, b = a.astype(np.float64), b.astype(np.float64)
    coarse, fine = np.arange(0, 4, 0.01), np.arange(0, 4, 0.001)
    rows, tested = [], []
    for train, test in k_fold(len(same), folds):
        mean = np.mean(np.concatenate([a[train], b[train]]), axis=0) if subtract_mean else 0.0
        d = distances(a - mean, b - mean, metric)
        threshold = coarse[np.argmax([accuracy(t, d[train], same[train]) for t in coarse])]
        far_train = np.array([val_far(t, d[train], same[train])[1] for t in fine])
        val_threshold = spline(far_train, fine, 1e-3) if far_train.max() >= 1e-3 else 0.0
        val, far = val_far(val_threshold, d[test], same[test])
        rows.append([threshold, accuracy(threshold, d[test], same[test]), val_threshold, val, far])
        tested.append(d[test])
    rows = np.array(rows)
    auc, eer = exact_roc(np.concatenate(tested), same)
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    return {
        "folds": folds,
        "metric": metric,
        "subtract_mean": subtract_mean,
        "fold_results": rows.tolist(),
        "figures": {
            "pairs": len(same),
            "accuracy": {"mean": mean[1], "std": std[1]},
            "val": {"mean": mean[3], "std": std[3], "far": mean[4]},
            "auc": auc,
            "eer": eer,
            "threshold": mean[0],
        },
    }


def main():
    out = Path(sys.argv[1]) / "eval"
    out.mkdir(parents=True, exist_ok=True)
    a, b, same = embeddings(np.random.default_rng(7))
    np.save(out / "a.npy", a)
    np.save(out / "b.npy", b)
    cases = [
        evaluate(a, b, same, folds, metric, subtract_mean)
        for folds in (2, 7, 10)
        for metric in ("euclidean", "cosine")
        for subtract_mean in (False, True)
    ]
    (out / "cases.json").write_text(json.dumps({"same": same.tolist(), "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
