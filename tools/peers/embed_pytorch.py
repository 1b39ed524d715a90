"""Embedding by PyTorch: Inception-ResNet-v1 with folded batch norms, channels last, eager and compiled; in bf16 by autocast,
or with all values in bf16."""

import copy

import numpy as np
import torch

import worker
from inception import Network


def folded(weights):
    """The frozen graph's constants as the network takes them: the last batch norm is folded here, the others are."""
    layers = {}
    for key, w in weights.items():
        scope, _, kind = key.removeprefix("InceptionResnetV1/").rpartition("/")
        if kind == "weights" and w.ndim == 4:
            names = [f"InceptionResnetV1/{scope}/{name}" for name in ("Conv2D_bn_offset", "biases")]
            layers[scope] = (w, next(weights[name] for name in names if name in weights))
    scope = "InceptionResnetV1/Bottleneck"
    norm = {name: weights[f"{scope}/BatchNorm/{name}"] for name in ("Const", "beta", "moving_mean", "moving_variance")}
    scale = norm["Const"] / np.sqrt(norm["moving_variance"] + 0.001)
    layers["Bottleneck"] = (weights[f"{scope}/weights"] * scale, norm["beta"] - norm["moving_mean"] * scale)
    return {scope: tuple(map(torch.from_numpy, pair)) for scope, pair in layers.items()}


def start(job):
    torch.set_num_threads(job["threads"])
    with np.load(f"{job['work']}/facenet.npz") as weights:
        network = Network(folded(dict(weights))).eval().to(memory_format=torch.channels_last)

    bf16 = job["precision"] == "bf16"

    def setting(network, values=torch.float32):
        def one(batch):
            # A view: NHWC memory under NCHW extents is what channels last means.
            x = torch.from_numpy(batch).permute(0, 3, 1, 2).to(values)
            return network(x).float().numpy()

        def run(batches):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16 and values == torch.float32):
                return np.concatenate([one(batch) for batch in batches])

        return run

    def compiled(values=torch.float32, **options):
        return setting(torch.compile(copy.deepcopy(network).to(values), dynamic=False, options=options), values)

    # Frozen: constants of the compiled network are folded and packed once.
    settings = {"eager": setting(network), "compiled": compiled(), "frozen": compiled(freezing=True)}
    if bf16:
        settings = {f"{name}, autocast": run for name, run in settings.items()}
        settings["frozen, all bf16"] = compiled(torch.bfloat16, freezing=True)
    return worker.versions("torch"), settings


worker.serve(start)
