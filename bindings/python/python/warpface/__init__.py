"""Finds faces (MTCNN) and turns them into vectors (FaceNet), on the CPU or any GPU.

`MTCNN` and `InceptionResnetV1` take the place of facenet-pytorch's. `Detector`, `Embedder`, `align`, `search`, `lfw` and
`train` are the library.
"""

from ._native import Device, __version__
from .commands import align_folder, lfw, train
from .errors import CommandError, DataError, DeviceError, Error, FileError, FileMissing, OutOfMemory, UsageError
from .inception_resnet_v1 import InceptionResnetV1
from .library import Detector, Embedder, Face, align, choose, decode
from .mtcnn import MTCNN, extract_face, fixed_image_standardization
from . import search

__all__ = [
    "MTCNN",
    "InceptionResnetV1",
    "extract_face",
    "fixed_image_standardization",
    "Detector",
    "Embedder",
    "Face",
    "Device",
    "align",
    "choose",
    "decode",
    "align_folder",
    "lfw",
    "train",
    "search",
    "Error",
    "FileError",
    "FileMissing",
    "DataError",
    "UsageError",
    "DeviceError",
    "OutOfMemory",
    "CommandError",
    "__version__",
]
