"""Embedding by TensorFlow: the frozen graph in a session, in bf16 by its own rewriter."""

import os

import numpy as np

import worker

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def start(job):
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.disable_eager_execution()
    definition = v1.GraphDef()
    with open(f"{job['work']}/facenet.pb", "rb") as file:
        definition.ParseFromString(file.read())
    v1.import_graph_def(definition, name="")
    threads = job["threads"]

    def setting(inter):
        config = v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=inter)
        if job["precision"] == "bf16":
            config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = 1  # On.
        session = v1.Session(config=config)
        return lambda batches: np.concatenate([session.run("embeddings:0", {"input:0": batch}) for batch in batches])

    # Branches one after the other, or side by side.
    return worker.versions("tensorflow-cpu"), {"inter-op 1": setting(1), f"inter-op {threads}": setting(threads)}


worker.serve(start)
