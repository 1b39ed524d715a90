"""Writes a small network as Torch7 would to tests/golden/weights: network.t7, network_32.t7 and network_ascii.t7.

Torch7 is in no package index any more, so the writer here follows `File.lua` and the `write` functions of tensors and storages.
What it writes is read again by others: torchfile takes the binary form, and OpenCV's importer takes both and runs them.

Element i of a tensor is i / 4 - 3, as in `weights.py`; the network is small so that half of it is what others trip over: shared
storages, views with strides, a module met twice, code, tables that hold themselves, traces of the last run.
"""

import struct
import sys

import numpy as np

import _dump

OUT = _dump.folder("weights")


class Tensor:
    """A strided view of a storage; `kind` is Float, Double, Long, Byte, Cuda, CudaDouble, CudaHalf ..."""

    def __init__(self, kind, storage, shape, strides=None, offset=0):
        self.kind, self.storage, self.shape, self.offset = kind, storage, shape, offset
        dense = [int(np.prod(shape[axis + 1:])) for axis in range(len(shape))]
        self.strides = strides or dense


class Storage:
    def __init__(self, kind, values):
        self.kind, self.values = kind, values


class Instance:
    """`version` is None for what was written before there were versions."""

    def __init__(self, name, version=1, **fields):
        self.name, self.version, self.fields = name, version, fields


class Function:
    def __init__(self, code, upvalues):
        self.code, self.upvalues = code, upvalues


def table(*values, **fields):
    """A Lua table: a list from 1 on, and fields."""
    return dict(enumerate(values, 1)) | fields


class Writer:
    def __init__(self, ascii=False, long=8):
        self.out, self.ascii, self.long, self.numbers, self.kept = bytearray(), ascii, long, {}, []

    def put(self, form, *values):
        if self.ascii:
            precision = {"d": "%.17g", "f": "%.9g"}.get(form, "%d")
            if values:
                self.out += (" ".join(precision % value for value in values) + "\n").encode()
        else:
            self.out += struct.pack(f"<{len(values)}{form}", *values)

    def integer(self, value):
        self.put("i", value)

    def longs(self, *values):
        self.put("q" if self.long == 8 else "i", *values)

    def characters(self, text):
        self.integer(len(text))
        self.out += text + (b"\n" if self.ascii and text else b"")

    def elements(self, kind, values):
        kind = kind.removeprefix("Cuda") or "Float"
        if kind in ("Byte", "Char"):
            self.out += bytes(values) + (b"\n" if self.ascii and values else b"")
        elif kind == "Long":
            self.longs(*values)
        elif kind == "Half" and not self.ascii:
            self.out += np.array(values, "<f2").tobytes()
        else:
            self.put({"Float": "f", "Double": "d", "Half": "f", "Int": "i", "Short": "h"}[kind], *values)

    def object(self, value):
        if value is None:
            self.integer(0)
        elif isinstance(value, bool):
            self.integer(5), self.integer(int(value))
        elif isinstance(value, (int, float)):
            self.integer(1), self.put("d", value)
        elif isinstance(value, str):
            self.integer(2), self.characters(value.encode())
        else:
            self.integer(3 if isinstance(value, dict) else 8 if isinstance(value, Function) else 4)
            known = self.numbers.get(id(value))
            self.numbers.setdefault(id(value), len(self.numbers) + 1)
            self.kept.append(value)
            self.integer(self.numbers[id(value)])
            if known is None:
                self.content(value)

    def content(self, value):
        if isinstance(value, dict):
            self.integer(len(value))
            for key, item in value.items():
                self.object(key), self.object(item)
        elif isinstance(value, Function):
            self.characters(value.code), self.object(value.upvalues)
        elif isinstance(value, Storage):
            self.name(f"torch.{value.kind}Storage")
            self.longs(len(value.values)), self.elements(value.kind, value.values)
        elif isinstance(value, Tensor):
            self.name(f"torch.{value.kind}Tensor")
            self.integer(len(value.shape))
            self.longs(*value.shape), self.longs(*value.strides), self.longs(value.offset + 1)
            self.object(value.storage)
        else:
            self.name(value.name, value.version)
            self.object(value.fields)

    def name(self, name, version=1):
        if version is not None:
            self.characters(f"V {version}".encode())
        self.characters(name.encode())


def rule(n):
    return [i / 4 - 3 for i in range(n)]


def tensor(kind, *shape):
    return Tensor(kind, Storage(kind, rule(int(np.prod(shape)))), list(shape))


def network():
    """Runs on 2 channels of 6 x 6 and gives 3 values."""
    code = Function(b"\x1bLua\0code", table(table(name="x", value=1)))
    conv = Instance("nn.SpatialConvolutionMM", nInputPlane=2, nOutputPlane=3, kW=3, kH=3, dW=1, dH=1, padW=1, padH=1, train=False,
                    weight=tensor("Float", 3, 18), bias=tensor("Float", 3), gradWeight=tensor("Float", 3, 18), _type="torch.FloatTensor",
                    output=Tensor("Float", None, []), forward=code)
    norm = Instance("nn.SpatialBatchNormalization", eps=0.25, momentum=0.1, affine=True, nDim=4, train=False,
                    weight=Tensor("Float", Storage("Float", [0.5, -1, 2]), [3]), bias=tensor("Float", 3), running_mean=tensor("Float", 3), running_var=Tensor("Float", Storage("Float", [1.0, 2, 4]), [3]))
    # One storage for both, of which the matrix is the end, turned.
    both = Storage("Double", rule(3 + 27 * 3))
    linear = Instance("nn.Linear", weight=Tensor("Double", both, [3, 27], [1, 3], 3), bias=Tensor("Double", both, [3]))
    pool = Instance("nn.SpatialMaxPooling", kW=2, kH=2, dW=2, dH=2, padW=0, padH=0, ceil_mode=False)
    lrn = Instance("nn.SpatialCrossMapLRN", size=5, alpha=0.0001, beta=0.75, k=1)
    view = Instance("nn.View", size=Storage("Long", [27]), numElements=27, numInputDims=3)
    inner = Instance("nn.Sequential", modules=table(lrn, view, linear, Instance("nn.Normalize", p=2, eps=1e-10)))
    return Instance("nn.Sequential", modules=table(conv, norm, Instance("nn.ReLU", version=None, threshold=0, val=0, inplace=False), pool, inner))


def oddities(net):
    """What is no part of the network."""
    odd = table("text", None, note="", half=tensor("CudaHalf", 5), cuda=tensor("Cuda", 2, 3), double=tensor("CudaDouble", 2),
                counts=Tensor("Long", Storage("Long", [7, 8]), [2]), bytes=Tensor("Byte", Storage("Byte", [10, 32, 0]), [3]))
    del odd[2]
    odd["self"] = odd
    odd["slice"] = Tensor("Float", Storage("Float", rule(120)), [1, 2, 4, 5], [60, 40, 5, 1], 60)
    odd["again"] = net.fields["modules"][1]
    return table(model=net, odd=odd)


def check(net, path, ascii):
    """The same by others' readers. Their types are theirs, so what they make of it is compared, not how."""
    import cv2
    import torchfile

    alone = path.with_suffix(".alone")
    if not ascii:
        # torchfile knows no halves.
        tree, writer = oddities(net), Writer()
        del tree["odd"]["half"]
        writer.object(tree)
        alone.write_bytes(writer.out)
        found = torchfile.load(str(alone)).model
        weight = found.modules[4].modules[2].weight
        assert np.array_equal(weight, np.array(rule(84)[3:]).reshape(27, 3).T), "torchfile sees another matrix"
        assert found.modules[0].kW == 3 and found.modules[0].train is False
    # OpenCV knows no code, and takes no notice of strides.
    net = network()
    del net.fields["modules"][1].fields["forward"]
    turned = np.array(rule(84)[3:]).reshape(27, 3).T.ravel().tolist()
    net.fields["modules"][5].fields["modules"][3].fields["weight"] = Tensor("Double", Storage("Double", turned), [3, 27])
    writer = Writer(ascii)
    writer.object(net)
    alone.write_bytes(writer.out)
    x = np.arange(72, dtype=np.float32).reshape(1, 2, 6, 6) / 8 - 4
    by_opencv = cv2.dnn.readNetFromTorch(str(alone), isBinary=not ascii)
    by_opencv.setInput(x)
    difference = np.abs(by_opencv.forward().ravel() - forward(x[0])).max()
    alone.unlink()
    assert difference < 1e-5, difference
    print(f"{path.name}: read by others, OpenCV's output differs by {difference:.1e}")


def forward(x):
    """The network in numpy."""
    weight, padded = np.array(rule(54)).reshape(3, 2, 3, 3), np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    y = np.einsum("cyxij,ocij->oyx", windows, weight) + np.array(rule(3)).reshape(3, 1, 1)
    channel = lambda values: np.array(values).reshape(3, 1, 1)
    y = channel([0.5, -1, 2]) * (y - channel(rule(3))) / np.sqrt(channel([1, 2, 4]) + 0.25) + channel(rule(3))
    y = np.maximum(y, 0).reshape(3, 3, 2, 3, 2).max((2, 4))
    squares = np.stack([(y[max(0, c - 2):c + 3] ** 2).sum(0) for c in range(3)])
    y = (y / (1 + 0.0001 / 5 * squares) ** 0.75).ravel()
    y = np.array(rule(84)[3:]).reshape(27, 3).T @ y + rule(3)
    return y / np.sqrt((y ** 2).sum() + 1e-10)


def main():
    for name, form in {"network": {}, "network_32": {"long": 4}, "network_ascii": {"ascii": True}}.items():
        net, writer = network(), Writer(**form)
        writer.object(oddities(net))
        path = OUT / f"{name}.t7"
        path.write_bytes(writer.out)
        try:
            if "long" not in form:
                check(network(), path, "ascii" in form)
        except ImportError as missing:
            print(f"{path.name} was read by nobody else: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
