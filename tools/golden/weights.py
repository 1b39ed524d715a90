"""Writes the small weight files under tests/golden/weights, each with its format's own writer.

Run it with every Python that has one of the writers; each run writes what it can and says what it left out:

    python tools/golden/weights.py          # numpy, h5py, safetensors, tensorflow; or torch

Every file holds the same three tensors (or what its format can hold of them), filled by a rule that the Rust tests know:
element i of a tensor is i / 4 - 3, which every float type holds exactly.
"""

import importlib
import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

HERE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "weights"

SHAPES = {"conv/weights": (2, 3, 4, 5), "conv/biases": (5,), "empty": (0, 3), "scalar": ()}


def count(shape):
    n = 1
    for extent in shape:
        n *= extent
    return n


def values(shape):
    return [i / 4 - 3 for i in range(count(shape))]


def numpy_files():
    import numpy as np

    arrays = {name: np.array(values(shape), np.float32).reshape(shape) for name, shape in SHAPES.items()}
    weights = arrays["conv/weights"]
    nested = {
        "conv": {"weights": np.asfortranarray(weights), "biases": arrays["conv/biases"]},
        "empty": arrays["empty"],
        "scalar": arrays["scalar"],
        "steps": np.arange(3),
    }
    for name, array in {
        "f4": weights,
        "f2": weights.astype("<f2"),
        "f8_big": weights.astype(">f8"),
        "fortran": np.asfortranarray(weights),
        "int": weights.astype(np.int32),
    }.items():
        np.save(HERE / f"plain_{name}.npy", array)
    np.save(HERE / "dict.npy", np.array(nested, dtype=object), allow_pickle=True)
    # Other pickle protocols: 2 writes bytes as text to be encoded, 5 has arrays of their own kind.
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    for protocol in (0, 2, 5):
        boxed = np.array(nested, dtype=object) if protocol else np.array({"conv": {"biases": arrays["conv/biases"]}}, dtype=object)
        (HERE / f"dict_protocol{protocol}.npy").write_bytes(header.getvalue() + pickle.dumps(boxed, protocol))

    class Evil:
        def __reduce__(self):
            return os.system, ("echo pwned > pwned",)

    # `posix.system` is what os.system pickles as; a hand-made one uses the public name.
    (HERE / "evil.npy").write_bytes(header.getvalue() + pickle.dumps(np.array({"x": Evil()}, dtype=object), 2))
    (HERE / "evil_os.npy").write_bytes(header.getvalue() + b"cos\nsystem\n(S'echo pwned'\ntR.")
    (HERE / "evil_stack.npy").write_bytes(header.getvalue() + b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.")
    # As Keras-OpenFace keeps its network: a file a tensor, without the shape. NumPy's own form, and a short one.
    (HERE / "csv").mkdir(exist_ok=True)
    np.savetxt(HERE / "csv" / "conv1_w.csv", weights.reshape(2, 60), delimiter=",")
    np.savetxt(HERE / "csv" / "conv1_b.csv", arrays["conv/biases"], delimiter=",", fmt="%.9g")
    np.savez(HERE / "stored.npz", **arrays)
    np.savez_compressed(HERE / "deflated.npz", **arrays, dict=np.array(nested, dtype=object))
    with zipfile.ZipFile(HERE / "twice.npz", "w") as archive:
        npy = io.BytesIO()
        np.save(npy, arrays["conv/biases"])
        archive.writestr("a.npy", npy.getvalue())
        archive.writestr("a.npy", npy.getvalue())


def h5py_files():
    import h5py
    import numpy as np

    with h5py.File(HERE / "groups.h5", "w") as f:
        f.attrs["backend"] = "tensorflow"
        for name, shape in SHAPES.items():
            f[f"model_weights/{name}:0"] = np.array(values(shape), np.float32).reshape(shape)
        f["model_weights/steps"] = np.arange(3)
    weights = np.array(values(SHAPES["conv/weights"])).reshape(SHAPES["conv/weights"])
    with h5py.File(HERE / "chunked.h5", "w", libver="latest") as f:
        f.create_dataset("conv/weights", data=weights.astype(">f8"), chunks=(1, 3, 4, 5), compression="gzip", shuffle=True)
        f.create_dataset("conv/half", data=weights.astype("<f2"))
        f["circle"] = f["/"]


def keras_files():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np

    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm", scale=False)(x)
    model = keras.Model(inputs, x)
    for weight in model.weights:
        weight.assign(np.array(values(weight.shape), np.float32).reshape(weight.shape))
    model.save(HERE / "keras3.h5")
    # Keras 3's own: numbers for names. Nested in another model, and with a norm that has a scale.
    x = keras.layers.BatchNormalization(name="scaled")(model(inputs))
    outer = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
    for weight in outer.weights:
        weight.assign(np.array(values(weight.shape), np.float32).reshape(weight.shape))
    outer.save(HERE / "keras3.keras")
    outer.save_weights(HERE / "keras3.weights.h5")


def safetensors_files():
    import ml_dtypes
    import numpy as np
    from safetensors.numpy import save_file

    arrays = {name: np.array(values(shape), np.float32).reshape(shape) for name, shape in SHAPES.items()}
    weights = arrays["conv/weights"]
    save_file(
        {**arrays, "half": weights.astype(np.float16), "double": weights.astype(np.float64), "steps": np.arange(3)},
        HERE / "mixed.safetensors",
    )
    bits = weights.astype(ml_dtypes.float8_e4m3fn).tobytes()
    header = json.dumps({"f8": {"dtype": "F8_E4M3", "shape": weights.shape, "data_offsets": [0, len(bits)]}}).encode()
    (HERE / "float8.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bits)
    bits = weights.astype(ml_dtypes.bfloat16).tobytes()
    header = json.dumps({"bf16": {"dtype": "BF16", "shape": weights.shape, "data_offsets": [0, len(bits)]}}).encode()
    (HERE / "bf16.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bits)


def tensorflow_files():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import tensorflow as tf
    from tensorflow.core.framework import graph_pb2

    tf1 = tf.compat.v1
    dtypes = {"conv/weights": tf.float32, "half": tf.float16, "bf16": tf.bfloat16, "double": tf.float64}
    graph = graph_pb2.GraphDef()
    with tf.Graph().as_default() as g:
        for name, shape in SHAPES.items():
            tf.constant(np.array(values(shape), np.float32).reshape(shape), name=name)
        shape = SHAPES["conv/weights"]
        for name, dtype in list(dtypes.items())[1:]:
            tf.constant(np.array(values(shape)).reshape(shape), dtype, name=name)
        tf.constant(1.5, shape=[7], name="splat")
        tf.constant([1, 2], name="steps")
        tf1.placeholder(tf.float32, name="input")
        graph = g.as_graph_def()
    (HERE / "graph.pb").write_bytes(graph.SerializeToString())
    # Constants as lists of values instead of bytes.
    for node in graph.node:
        tensor = node.attr["value"].tensor
        if node.name in ("half", "bf16", "double", "conv/weights") and tensor.tensor_content:
            numbers = tf.make_ndarray(tensor)
            tensor.tensor_content = b""
            if node.name == "double":
                tensor.double_val.extend(numbers.flatten().tolist())
            elif node.name == "conv/weights":
                tensor.float_val.extend(numbers.flatten().tolist())
            else:
                tensor.half_val.extend(numbers.view(np.uint16).flatten().tolist())
    (HERE / "graph_lists.pb").write_bytes(graph.SerializeToString())
    graph.node.append(graph.node[0])
    (HERE / "graph_twice.pb").write_bytes(graph.SerializeToString())

    with tf.Graph().as_default(), tf1.Session() as session:
        for name, shape in SHAPES.items():
            tf1.get_variable(name, initializer=tf.constant(np.array(values(shape), np.float32).reshape(shape)))
        for name, dtype in list(dtypes.items())[1:]:
            tf1.get_variable(name, initializer=tf.constant(np.array(values(SHAPES["conv/weights"])), dtype), use_resource=True)
        tf1.get_variable("steps", initializer=tf.constant([1, 2], tf.int64))
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(HERE / "model.ckpt"), write_meta_graph=False, write_state=False)
        # What is asked for instead of a checkpoint.
        first = [v for v in tf1.global_variables() if v.op.name.startswith("conv/")]
        tf1.train.Saver(first, write_version=tf1.train.SaverDef.V1).save(session, str(HERE / "first.ckpt"), write_state=False)
        (HERE / "unfrozen.pb").write_bytes(session.graph.as_graph_def().SerializeToString())
        # Two data files, as saving from two devices and merging gives.
        saved = [str(HERE / f"part{i}") for i in (0, 1)]
        for path, names in zip(saved, (["conv/weights"], ["conv/biases", "scalar"])):
            variables = [v for v in tf1.global_variables() if v.op.name in names]
            session.run(tf.raw_ops.SaveV2(prefix=path, tensor_names=names, shape_and_slices=[""] * len(names),
                                          tensors=[next(v for v in variables if v.op.name == n) for n in names]))
        session.run(tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=saved, destination_prefix=str(HERE / "sharded.ckpt"),
                                                  delete_old_dirs=False))


def keras2_files():
    """Keras 2's archive: layers have numbers, and their names are in the configuration alone."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import tf_keras as keras

    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 3, name="conv")(inputs)
    model = keras.Model(inputs, keras.layers.BatchNormalization(name="norm", scale=False)(x), name="inner")
    x = keras.layers.BatchNormalization(name="scaled")(model(inputs))
    outer = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
    for weight in outer.weights:
        weight.assign(np.array(values(weight.shape), np.float32).reshape(weight.shape))
    outer.save(HERE / "keras2.keras")
    outer.save_weights(HERE / "keras2.weights.h5")


def tensorflow2_files():
    """Objects' checkpoints: keys are paths from object to object, and the graph of objects has the names."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import tensorflow as tf

    class Layer(tf.Module):
        def __init__(self):
            super().__init__()
            for name, shape in SHAPES.items():
                # Under two paths.
                variable = tf.Variable(np.array(values(shape), np.float32).reshape(shape), name=name)
                setattr(self, name.replace("/", "_"), variable)
                setattr(self, "again_" + name.replace("/", "_"), variable)

    layer = Layer()
    tf.train.Checkpoint(layer=layer, optimizer=Layer(), step=tf.Variable(3)).write(str(HERE / "objects.ckpt"))
    tf.saved_model.save(layer, str(HERE / "saved_model"))


def torch_files():
    import torch

    tensors = OrderedDict((name.replace("/", "."), torch.tensor(values(shape)).reshape(shape)) for name, shape in SHAPES.items())
    weights = tensors["conv.weights"]
    tensors["half"] = weights.half()
    tensors["bf16"] = weights.bfloat16()
    tensors["double"] = weights.double()
    tensors["transposed"] = weights.permute(3, 2, 1, 0)
    tensors["slice"] = weights[1:, ::2]
    tensors["num_batches_tracked"] = torch.tensor(7)
    tensors["parameter"] = torch.nn.Parameter(weights)
    torch.save(tensors, HERE / "state.pt")
    torch.save(tensors, HERE / "state_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "lr": 0.5, "state_dict": dict(tensors), "note": None}, HERE / "wrapped.pth")
    # With a name of 21 characters, data.pkl's entry in the archive is as long as the zip64 end records.
    torch.save({name: tensors[name] for name in ("conv.weights", "conv.biases")}, HERE / "a_name_of_21_letters_.pt")
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save(module.state_dict(), HERE / "module.pt")
    torch_kinds(weights, module)
    torch.save(torch.nn.Linear(1, 1), HERE / "evil_module.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), str(HERE / "script.pt"))


def torch_kinds(weights, module):
    """What people keep in a .pt besides one state dict of floats."""
    import torch

    optimizer = torch.optim.Adam(module.parameters())
    module(torch.zeros(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    small = {"conv.weights": weights, "conv.biases": weights.flatten()[:5]}
    torch.save({"epoch": 3, "net": small, "optimizer": optimizer.state_dict(), "best": 0.5}, HERE / "beside_optimizer.pt")
    torch.save({"net": small, "ema": small}, HERE / "two_dicts.pt")
    torch.save([small], HERE / "list.pt")
    torch.save({"conv.weights": torch.quantize_per_tensor(weights, 0.25, 0, torch.qint8)}, HERE / "quantized.pt")
    torch.save({"conv.weights": weights.to(torch.float8_e4m3fn)}, HERE / "float8.pt")
    example = (torch.zeros(2, 1, 4, 4),)
    torch.export.save(torch.export.export(torch.nn.Linear(4, 2), example), HERE / "exported.pt2")


def deepface_files():
    """The names and shapes that deepface's two models give their weights, in the order of their making."""
    import deepface
    from deepface.models.facial_recognition.pytorch import Facenet as pytorch
    from deepface.models.facial_recognition.tf import Facenet as keras

    def listed(file, tensors):
        lines = [f"# deepface {deepface.__version__}", *(" ".join([name, *map(str, shape)]) for name, shape in tensors)]
        (HERE / file).write_text("\n".join(lines) + "\n")

    model = pytorch.InceptionResNetV1(128)
    listed("deepface_torch.txt", ((name, tensor.shape) for name, tensor in model.state_dict().items()))
    # Keras 2 writes `LAYER/kernel:0` and Keras 3 `kernel`.
    layers = (layer for layer in keras.InceptionResNetV1(128).layers if layer.weights)
    named = ((layer.name, weight) for layer in layers for weight in layer.weights)
    listed("deepface_keras.txt", ((f"{layer}/{w.name.split('/')[-1].split(':')[0]}", w.shape) for layer, w in named))


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    for package, write in {
        "numpy": numpy_files,
        "h5py": h5py_files,
        "keras": keras_files,
        "safetensors": safetensors_files,
        "tensorflow": tensorflow_files,
        "tf_keras": keras2_files,
        "tensorflow.compat.v2": tensorflow2_files,
        "torch": torch_files,
        "deepface": deepface_files,
    }.items():
        try:
            importlib.import_module(package)
        except ImportError:
            print(f"no {package} here: its files are left as they are", file=sys.stderr)
            continue
        write()
        print(f"{package}: written")


if __name__ == "__main__":
    main()
