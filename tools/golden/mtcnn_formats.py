"""Writes R-Net under every layout that publishers use, each by its format's own writer, to tests/golden/weights/mtcnn.

    python tools/golden/mtcnn_formats.py    # numpy, joblib, lz4, torch, onnx, tensorflow (with TF_USE_LEGACY_KERAS=1)

Element i of tensor t, outputs first and feature maps flattened as h, w, c, is ((i * 7 + 31 * t) % 251 - 125) / 64, which f16
holds exactly; the tensors are numbered weights, biases, slopes, layer by layer. The Rust test knows the rule.
"""

import struct
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "weights" / "mtcnn"
CONVS = [(28, 3, 3, 3), (48, 3, 3, 28), (64, 2, 2, 48)]
DENSE = (128, 3, 3, 64)
HEADS = [2, 4]


def layers():
    """Canonical tensors: convolutions as OHWI, the dense layer as O, h, w, c, then the heads."""
    t = 0

    def tensor(shape):
        nonlocal t
        i = np.arange(int(np.prod(shape)))
        values = (((i * 7 + 31 * t) % 251 - 125) / 64).astype(np.float32).reshape(shape)
        t += 1
        return values

    trunk = [(tensor(shape), tensor(shape[:1]), tensor(shape[:1])) for shape in CONVS + [DENSE]]
    return trunk, [(tensor((n, 128)), tensor((n,))) for n in HEADS]


TRUNK, HEAD = layers()


def keras(upright, flat, boxes_first):
    """Weights, biases and slopes as Keras lists them: HWIO; rows and columns change places unless upright."""
    out = []
    for w, b, a in TRUNK[:3]:
        hwio = w.transpose(1, 2, 3, 0) if upright else w.transpose(2, 1, 3, 0)
        out += [np.ascontiguousarray(hwio), b, a.reshape(1, 1, -1)]
    w, b, a = TRUNK[3]
    out += [np.ascontiguousarray(w.transpose(flat + (0,)).reshape(-1, 128)), b, a]
    for w, b in reversed(HEAD) if boxes_first else HEAD:
        out += [np.ascontiguousarray(w.T), b]
    return out


def lists():
    import joblib

    # mtcnn 0.1 keeps all networks in one file; 1.0.0 one list a file.
    half = lambda arrays: [array.astype(np.float16) for array in arrays]
    np.save(HERE / "mtcnn_weights.npy", {"rnet": half(keras(False, (2, 1, 3), False))}, allow_pickle=True)
    joblib.dump(half(keras(True, (2, 1, 3), True)), HERE / "rnet.lz4", compress="lz4")
    joblib.dump(half(keras(True, (2, 1, 3), True)), HERE / "rnet.joblib")


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def caffe():
    """A NetParameter by its wire format: Caffe itself is in no registry."""

    def blob(array):
        shape = field(1, b"".join(varint(n) for n in array.shape))
        data = np.ascontiguousarray(array, np.float32).tobytes()
        return field(7, field(7, shape) + field(5, data))

    def layer(name, kind, arrays):
        return field(100, field(1, name.encode()) + field(2, kind.encode()) + b"".join(map(blob, arrays)))

    net = field(1, b"RNet")
    for i, (w, b, a) in enumerate(TRUNK):
        # Caffe sees transposed photographs, outputs and inputs first; a feature map is flattened as channels, rows, columns.
        turned = w.transpose(0, 3, 2, 1)
        net += layer(f"conv{i + 1}", "Convolution" if i < 3 else "InnerProduct", [turned if i < 3 else turned.reshape(128, -1), b])
        net += layer(f"prelu{i + 1}", "PReLU", [a])
    for i, (w, b) in enumerate(HEAD):
        net += layer(f"conv5-{i + 1}", "InnerProduct", [w, b])
    (HERE / "rnet.caffemodel").write_bytes(net)


def torch_module(flatten, prefix, dense):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            for i, (w, b, a) in enumerate(TRUNK):
                o, h, k, c = w.shape
                layer = nn.Conv2d(c, o, (h, k)) if i < 3 else nn.Linear(h * k * c, o)
                order = w.transpose(0, 3, 1, 2) if i < 3 else w.transpose((0,) + flatten).reshape(o, -1)
                self.put(f"conv{i + 1}" if i < 3 else f"{dense}4", layer, order, b)
                slope = nn.PReLU(o)
                slope.weight.data = torch.from_numpy(a.copy())
                setattr(self, f"prelu{i + 1}", slope)
            for i, (w, b) in enumerate(HEAD):
                self.put(f"{dense}5_{i + 1}", nn.Linear(128, len(b)), w, b)

        def put(self, name, layer, w, b):
            layer.weight.data, layer.bias.data = torch.from_numpy(w.copy()), torch.from_numpy(b.copy())
            setattr(self, name, layer)

        def forward(self, x):
            pool = [nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(3, 2), nn.Identity()]
            for i in range(3):
                x = pool[i](getattr(self, f"prelu{i + 1}")(getattr(self, f"conv{i + 1}")(x)))
            axes = {(2, 1, 3): (0, 3, 2, 1), (3, 2, 1): (0, 1, 3, 2)}[flatten]
            x = x.permute(*axes).reshape(x.shape[0], -1)
            x = self.prelu4(getattr(self, f"{dense}4")(x))
            return torch.softmax(getattr(self, f"{dense}5_1")(x), 1), getattr(self, f"{dense}5_2")(x)

    return Net().eval(), prefix


def torch_files():
    import torch

    x = torch.zeros(1, 3, 24, 24)
    # facenet-pytorch flattens as w, h, c.
    net, _ = torch_module((2, 1, 3), "", "dense")
    torch.save({name: value.half() for name, value in net.state_dict().items()}, HERE / "facenet_pytorch.pt")
    torch.onnx.export(net.half(), x.half(), HERE / "facenet_pytorch.onnx", dynamo=False)
    # TropComplique's flattens as c, w, h, and has a module `features`; its heads are outside.
    net, _ = torch_module((3, 2, 1), "features.", "conv")
    named = {name if name.startswith("conv5") else f"features.{name}": value.half().numpy() for name, value in net.state_dict().items()}
    np.save(HERE / "features.npy", named, allow_pickle=True)
    # The newer exporter keeps the data in a file of its own.
    torch.onnx.export(net.half(), (x.half(),), HERE / "features.onnx", dynamo=True, external_data=True, verbose=False)


def tensorflow_files():
    import tensorflow as tf
    import tf_keras
    from tf_keras import layers as k

    x = inputs = k.Input((24, 24, 3))
    for i, (filters, size) in enumerate([(28, 3), (48, 3), (64, 2)]):
        x = k.PReLU(shared_axes=[1, 2])(k.Conv2D(filters, size)(x))
        if i < 2:
            x = k.MaxPooling2D(3, 2, "same" if i == 0 else "valid")(x)
    x = k.PReLU()(k.Dense(128)(k.Flatten()(x)))
    model = tf_keras.Model(inputs, [k.Softmax()(k.Dense(2)(x)), k.Dense(4)(x)])
    model.set_weights(keras(False, (2, 1, 3), False))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    (HERE / "rnet_f16.tflite").write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    (HERE / "rnet_int8.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    HERE.mkdir(parents=True, exist_ok=True)
    lists()
    caffe()
    torch_files()
    tensorflow_files()
