"""Embedding by PyTorch: Inception-ResNet-v1 with folded batch norms, channels last, eager and compiled."""

import copy

import numpy as np
import torch
import torch.nn.functional as F

import worker


class Network(torch.nn.Module):
    """The network with the frozen graph's weights, by their scopes below `InceptionResnetV1/`."""

    def __init__(self, weights):
        super().__init__()
        self.convs = torch.nn.ModuleDict()
        for key, w in weights.items():
            scope, _, kind = key.removeprefix("InceptionResnetV1/").rpartition("/")
            if kind != "weights" or w.ndim != 4:
                continue
            names = [f"InceptionResnetV1/{scope}/{name}" for name in ("Conv2D_bn_offset", "biases")]
            b = next(weights[name] for name in names if name in weights)
            height, width, c_in, c_out = w.shape
            conv = torch.nn.Conv2d(c_in, c_out, (height, width))
            conv.weight.data = torch.from_numpy(w.transpose(3, 2, 0, 1).copy())
            conv.bias.data = torch.from_numpy(b)
            self.convs[scope] = conv
        scope = "InceptionResnetV1/Bottleneck"
        norm = {name: weights[f"{scope}/BatchNorm/{name}"] for name in ("Const", "beta", "moving_mean", "moving_variance")}
        scale = norm["Const"] / np.sqrt(norm["moving_variance"] + 0.001)
        self.bottleneck = torch.nn.Linear(1792, len(scale))
        self.bottleneck.weight.data = torch.from_numpy((weights[f"{scope}/weights"] * scale).T.copy())
        self.bottleneck.bias.data = torch.from_numpy(norm["beta"] - norm["moving_mean"] * scale)

    def conv(self, scope, x, stride=1, same=True, relu=True):
        layer = self.convs[scope]
        padding = [extent // 2 if same else 0 for extent in layer.kernel_size]
        x = F.conv2d(x, layer.weight, layer.bias, stride, padding)
        return F.relu(x) if relu else x

    def chain(self, scope, x, *names):
        for name in names:
            x = self.conv(f"{scope}/{name}", x)
        return x

    def residual(self, scope, x, branches, scale, relu=True):
        x = x + scale * self.conv(f"{scope}/Conv2d_1x1", torch.cat(branches, 1), relu=False)
        return F.relu(x) if relu else x

    def two_branches(self, scope, x, second, third, scale, relu=True):
        a = self.chain(f"{scope}/Branch_0", x, "Conv2d_1x1")
        b = self.chain(f"{scope}/Branch_1", x, "Conv2d_0a_1x1", second, third)
        return self.residual(scope, x, [a, b], scale, relu)

    def forward(self, x):
        x = self.conv("Conv2d_1a_3x3", x, 2, same=False)
        x = self.conv("Conv2d_2a_3x3", x, same=False)
        x = self.conv("Conv2d_2b_3x3", x)
        x = F.max_pool2d(x, 3, 2)
        x = self.conv("Conv2d_3b_1x1", x)
        x = self.conv("Conv2d_4a_3x3", x, same=False)
        x = self.conv("Conv2d_4b_3x3", x, 2, same=False)
        for i in range(1, 6):
            scope = f"Repeat/block35_{i}"
            a = self.chain(f"{scope}/Branch_0", x, "Conv2d_1x1")
            b = self.chain(f"{scope}/Branch_1", x, "Conv2d_0a_1x1", "Conv2d_0b_3x3")
            c = self.chain(f"{scope}/Branch_2", x, "Conv2d_0a_1x1", "Conv2d_0b_3x3", "Conv2d_0c_3x3")
            x = self.residual(scope, x, [a, b, c], 0.17)
        a = self.conv("Mixed_6a/Branch_0/Conv2d_1a_3x3", x, 2, same=False)
        b = self.chain("Mixed_6a/Branch_1", x, "Conv2d_0a_1x1", "Conv2d_0b_3x3")
        b = self.conv("Mixed_6a/Branch_1/Conv2d_1a_3x3", b, 2, same=False)
        x = torch.cat([a, b, F.max_pool2d(x, 3, 2)], 1)
        for i in range(1, 11):
            x = self.two_branches(f"Repeat_1/block17_{i}", x, "Conv2d_0b_1x7", "Conv2d_0c_7x1", 0.10)
        branches = []
        for i, names in enumerate([("Conv2d_0a_1x1",), ("Conv2d_0a_1x1",), ("Conv2d_0a_1x1", "Conv2d_0b_3x3")]):
            y = self.chain(f"Mixed_7a/Branch_{i}", x, *names)
            branches.append(self.conv(f"Mixed_7a/Branch_{i}/Conv2d_1a_3x3", y, 2, same=False))
        x = torch.cat([*branches, F.max_pool2d(x, 3, 2)], 1)
        for i in range(1, 6):
            x = self.two_branches(f"Repeat_2/block8_{i}", x, "Conv2d_0b_1x3", "Conv2d_0c_3x1", 0.20)
        x = self.two_branches("Block8", x, "Conv2d_0b_1x3", "Conv2d_0c_3x1", 1.0, relu=False)
        return F.normalize(self.bottleneck(x.mean((2, 3))), eps=1e-5)


def start(job):
    torch.set_num_threads(job["threads"])
    with np.load(f"{job['work']}/facenet.npz") as weights:
        network = Network(dict(weights)).eval().to(memory_format=torch.channels_last)

    def setting(network):
        def run(batches):
            with torch.no_grad():
                # A view: NHWC memory under NCHW extents is what channels last means.
                return np.concatenate([network(torch.from_numpy(batch).permute(0, 3, 1, 2)).numpy() for batch in batches])

        return run

    def compiled(**options):
        return setting(torch.compile(copy.deepcopy(network), dynamic=False, options=options))

    # Frozen: constants of the compiled network are folded and packed once.
    settings = {"eager": setting(network), "compiled": compiled(), "frozen": compiled(freezing=True)}
    return worker.versions("torch"), settings


worker.serve(start)
