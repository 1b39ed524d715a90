"""Training by PyTorch: a step of a classifier on made-up photographs, eager and compiled, in both layouts."""

import numpy as np
import torch

import worker
from trained import steps


def layers(weights):
    """The published network's layers as `Network` takes them, without biases: their extents are what counts."""
    found = {}
    for key, w in weights.items():
        scope, _, kind = key.removeprefix("InceptionResnetV1/").rpartition("/")
        if kind == "weights" and (w.ndim == 4 or scope == "Bottleneck"):
            found[scope] = (torch.from_numpy(w), torch.zeros(w.shape[-1]))
    return found


def start(job):
    torch.set_num_threads(job["threads"])
    with np.load(f"{job['work']}/facenet.npz") as weights:
        found = layers(dict(weights))

    def setting(step):
        def run(pixels):
            return step(torch.from_numpy(pixels), torch.arange(len(pixels)) % job["classes"])

        return run

    return worker.versions("torch"), {name: setting(step) for name, step in steps(found, job["classes"]).items()}


worker.serve(start)
