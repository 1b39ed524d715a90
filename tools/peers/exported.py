"""Runs what `warpface convert` wrote in the programs that it is for: exported.py FOLDER.

Each folder within FOLDER is a network: images.npy, [n, side, side, 3] and standardized, expected.npy, and what it became,
model.onnx, model.pb and model/1. Prints a JSON line for each file and runtime: how far its embeddings are from the expected.
"""

import ctypes
import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import onnx
import onnxruntime
import openvino
import tensorflow as tf


def planes(images):
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def in_onnxruntime(path, images):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(["embeddings"], {"input": planes(images)})[0]


def in_openvino(path, images):
    core = openvino.Core()
    model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return model([planes(images) if str(path).endswith(".onnx") else images])[model.output(0)]


def as_graph(path, images):
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    with tf.Graph().as_default() as imported, tf.compat.v1.Session(graph=imported) as session:
        tf.import_graph_def(graph, name="")
        return session.run("embeddings:0", {"input:0": images})


def as_saved_model(path, images):
    signature = tf.saved_model.load(path).signatures["serving_default"]
    return signature(input=tf.constant(images))["embeddings"].numpy()


def by_the_c_library(path, images):
    """What TensorFlow Serving loads with; whether it loads is all that is asked."""
    library = ctypes.CDLL(str(pathlib.Path(tf.__file__).with_name("libtensorflow_cc.so.2")))
    for name in ["TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel", "TF_GraphOperationByName"]:
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    status, graph, options = (
        ctypes.c_void_p(make()) for make in (library.TF_NewStatus, library.TF_NewGraph, library.TF_NewSessionOptions)
    )
    tags = (ctypes.c_char_p * 1)(b"serve")
    library.TF_LoadSessionFromSavedModel(options, None, os.fsencode(path), tags, 1, graph, None, status)
    if library.TF_GetCode(status) != 0:
        raise RuntimeError(library.TF_Message(status).decode())
    if not library.TF_GraphOperationByName(graph, b"embeddings"):
        raise RuntimeError("no embeddings in the graph")


RUNS = [
    ("model.onnx", "onnxruntime", in_onnxruntime),
    ("model.onnx", "openvino", in_openvino),
    ("model.pb", "tensorflow", as_graph),
    ("model.pb", "openvino", in_openvino),
    ("model/1", "tensorflow", as_saved_model),
    ("model/1", "openvino", in_openvino),
    ("model/1", "tensorflow's C library", by_the_c_library),
]

for network in sorted(path for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_dir()):
    images, expected = np.load(network / "images.npy"), np.load(network / "expected.npy")
    for name, runtime, run in RUNS:
        embeddings = run(network / name, images)
        difference = None if embeddings is None else float(np.abs(embeddings - expected).max())
        if embeddings is not None and embeddings.shape != expected.shape:
            raise SystemExit(f"{network.name}: {runtime} gives {embeddings.shape}, expected {expected.shape}")
        print(json.dumps({"network": network.name, "file": name, "runtime": runtime, "difference": difference}), flush=True)
