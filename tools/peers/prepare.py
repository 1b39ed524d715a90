"""The published frozen graph in the forms that peers read: python prepare.py graph_final.pb FOLDER

facenet.pb    the same graph for any batch size (three constants have 1 for it)
facenet.onnx  the same, converted
facenet.npz   its weights by name, for who builds the network anew
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

FLATTEN = "InceptionResnetV1/Logits/Flatten/flatten/Reshape/shape/_1__cf__3"
BOTTLENECK = "InceptionResnetV1/Bottleneck/BatchNorm/Shape/_0__cf__2"


def any_batch(graph):
    """Takes the batch size out of the graph."""
    for node in graph.node:
        if node.name == "input":
            node.attr["shape"].shape.dim[0].size = -1
        if node.name in (FLATTEN, BOTTLENECK):
            shape = tf.make_ndarray(node.attr["value"].tensor).copy()
            # One extent may be left open: the batch's.
            shape = np.where(shape == -1, 1792, shape)
            shape[0] = -1
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(shape))


def main(source, folder):
    graph = tf.compat.v1.GraphDef()
    with open(source, "rb") as file:
        graph.ParseFromString(file.read())
    any_batch(graph)
    with open(f"{folder}/facenet.pb", "wb") as file:
        file.write(graph.SerializeToString())
    constants = {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in graph.node if n.op == "Const"}
    np.savez(f"{folder}/facenet.npz", **{name: value for name, value in constants.items() if value.dtype == np.float32})
    import tf2onnx

    tf2onnx.convert.from_graph_def(
        graph, input_names=["input:0"], output_names=["embeddings:0"], opset=17, output_path=f"{folder}/facenet.onnx"
    )


main(*sys.argv[1:])
