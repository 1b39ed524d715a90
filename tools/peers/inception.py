"""Inception-ResNet-v1 as PyTorch has it: convolutions with batch norm folded in, ReLU, and nothing that we computed."""

import torch
import torch.nn.functional as F


class Network(torch.nn.Module):
    """The network of `weights`: by a layer's scope below `InceptionResnetV1/`, its filters [h, w, c_in, c_out] and its
    biases [c_out]; `Bottleneck` has [1792, d] and [d]. Takes [n, 3, 160, 160], returns unit vectors [n, d]."""

    def __init__(self, weights):
        super().__init__()
        self.convs = torch.nn.ModuleDict()
        for scope, (w, b) in weights.items():
            if w.ndim == 4:
                height, width, c_in, c_out = w.shape
                conv = torch.nn.Conv2d(c_in, c_out, (height, width))
                conv.weight.data = w.float().permute(3, 2, 0, 1).contiguous()
                conv.bias.data = b.float()
                self.convs[scope] = conv
        w, b = weights["Bottleneck"]
        self.bottleneck = torch.nn.Linear(*w.shape)
        self.bottleneck.weight.data = w.float().T.contiguous()
        self.bottleneck.bias.data = b.float()

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

    def features(self, x):
        """The mean of the last feature map, [n, 1792]."""
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
        return x.mean((2, 3))

    def forward(self, x):
        return F.normalize(self.bottleneck(self.features(x)), eps=1e-5)
