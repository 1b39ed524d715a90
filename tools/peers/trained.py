"""Inception-ResNet-v1 in training as PyTorch has it: batch norms of the batch, a classifier, Adagrad, weight decay."""

import torch
import torch.nn.functional as F

from inception import Network


class Trained(Network):
    """The network of layers by their scopes, as `Network` takes them; only their extents count. Takes [n, 3, h, w],
    returns [n, classes]."""

    def __init__(self, layers, classes):
        super().__init__(layers)
        self.norms = torch.nn.ModuleDict()
        for scope, conv in self.convs.items():
            torch.nn.init.xavier_uniform_(conv.weight)
            torch.nn.init.zeros_(conv.bias)
            # A block's last convolution has a bias and no norm.
            if "Branch" in scope or "/" not in scope:
                conv.bias = None
                self.norms[scope] = torch.nn.BatchNorm2d(conv.out_channels, eps=1e-3, momentum=0.005)
        features, size = self.bottleneck.in_features, self.bottleneck.out_features
        self.bottleneck = torch.nn.Linear(features, size, bias=False)
        self.last = torch.nn.BatchNorm1d(size, eps=1e-3, momentum=0.005)
        self.logits = torch.nn.Linear(size, classes)

    def conv(self, scope, x, stride=1, same=True, relu=True):
        x = super().conv(scope, x, stride, same, relu=False)
        x = self.norms[scope](x) if scope in self.norms else x
        return F.relu(x) if relu else x

    def forward(self, x):
        return self.logits(self.last(self.bottleneck(self.features(x))))


def steps(layers, classes):
    """By setting, what takes pixels [n, h, w, 3] and labels and makes a step; the network is made when first asked for."""

    def setting(channels_last, compiled):
        made = []

        def run(pixels, labels):
            if not made:
                network = Trained(layers, classes).train()
                if channels_last:
                    network = network.to(memory_format=torch.channels_last)
                optimizer = torch.optim.Adagrad(
                    network.parameters(), lr=0.01, weight_decay=5e-4, initial_accumulator_value=0.1
                )
                made.extend([torch.compile(network, dynamic=False) if compiled else network, optimizer])
            network, optimizer = made
            # A view: NHWC memory under NCHW extents is what channels last means.
            x = pixels.permute(0, 3, 1, 2)
            x = x if channels_last else x.contiguous()
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(network(x), labels)
            loss.backward()
            optimizer.step()
            return float(loss.detach())

        return run

    return {
        "eager": setting(False, False),
        "channels last": setting(True, False),
        "compiled": setting(False, True),
        "compiled channels last": setting(True, True),
    }
