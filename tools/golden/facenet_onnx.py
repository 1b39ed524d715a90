"""Exports the narrow network of tests/golden/training to ONNX as PyTorch's exporters do, to tests/golden/weights/facenet.

    warpface convert --model tests/golden/training/weights.npz narrow.pt --standardize fixed
    python tools/golden/facenet_onnx.py narrow.pt    # torch, facenet-pytorch, onnx

folded.onnx has batch norms folded and constants named by numbers; whole.onnx (f16) has them apart.
"""

import sys
from pathlib import Path

import torch
from facenet_pytorch import InceptionResnetV1
from torch import nn

HERE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "weights" / "facenet"
NARROWER = 16


def narrow(module):
    """Replaces every layer by one of a sixteenth of the channels; the picture keeps its three."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            inputs = child.in_channels if child.in_channels == 3 else child.in_channels // NARROWER
            layer = nn.Conv2d(inputs, child.out_channels // NARROWER, child.kernel_size, child.stride, child.padding, bias=child.bias is not None)
            setattr(module, name, layer)
        elif isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.BatchNorm2d(child.num_features // NARROWER, eps=child.eps))
        else:
            narrow(child)


state = torch.load(sys.argv[1], weights_only=True)
size = len(state["last_bn.weight"])
net = InceptionResnetV1()
narrow(net)
net.last_linear = nn.Linear(1792 // NARROWER, size, bias=False)
net.last_bn = nn.BatchNorm1d(size, eps=0.001)
net.load_state_dict({name: value for name, value in state.items() if not name.startswith("logits.")})
net.eval()
HERE.mkdir(parents=True, exist_ok=True)
x = torch.zeros(1, 3, 160, 160)
torch.onnx.export(net, x, HERE / "folded.onnx", dynamo=False)
torch.onnx.export(
    net.half(), x.half(), HERE / "whole.onnx", dynamo=False, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False
)
