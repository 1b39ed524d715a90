"""Embedding by ONNX Runtime, on its CPU provider."""

import numpy as np

import worker


def start(job):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(f"{job['work']}/facenet.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    run = lambda batches: np.concatenate([session.run(None, {name: batch})[0] for batch in batches])
    return worker.versions("onnxruntime", "tf2onnx"), {"default": run}


worker.serve(start)
