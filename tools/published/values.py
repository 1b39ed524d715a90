"""Compares embeddings of a file: python values.py FOUND ORIGINAL FILE STANDARDIZE

FOUND and ORIGINAL are what `warpface embed CROPS --aligned --model` wrote, with FILE and with the file that it was made of;
STANDARDIZE is fixed or prewhiten. Prints the largest differences of any value after L2 normalization: from the original's,
and from what the runtime gives that FILE is made for.
"""

import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.simplefilter("ignore")

import numpy as np
from PIL import Image


def fixed(image):
    return (image - 127.5) / 128


def prewhiten(image):
    return (image - image.mean()) / max(image.std(), 1 / np.sqrt(image.size))


def by_onnx(path, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    if given.shape[1] == 3:
        images = images.transpose(0, 3, 1, 2)
    return [session.run(None, {given.name: image[None]})[0][0] for image in images]


def by_tflite(path, images):
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(path)
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    vectors = []
    for image in images:
        interpreter.set_tensor(given, image[None])
        interpreter.invoke()
        vectors.append(interpreter.get_tensor(made)[0].copy())
    return vectors


def own(path, photos, standardize):
    images = [np.asarray(Image.open(photo), np.float64) for photo in photos]
    prepare = {"fixed": fixed, "prewhiten": prewhiten}[standardize]
    images = np.stack([prepare(image) for image in images]).astype(np.float32)
    run = by_tflite if path.endswith(".tflite") else by_onnx
    vectors = np.asarray(run(path, images), np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main(found, original, path, standardize):
    photos, others = ((Path(folder) / "paths.txt").read_text().splitlines() for folder in (found, original))
    found, original = (np.load(Path(folder) / "embeddings.npy") for folder in (found, original))
    expected = own(path, photos, standardize)
    if photos != others or not found.shape == original.shape == expected.shape:
        sys.exit(f"{path}: {found.shape}, {original.shape} and {expected.shape} values do not match")
    print(np.abs(found - original).max(), np.abs(found - expected).max())


main(*sys.argv[1:])
