"""NumPy's .npz and .npy as tensors, where there may be PyTorch and no NumPy."""

import ast
import struct
import zipfile

import torch

DTYPES = {"<f2": torch.float16, "<f4": torch.float32, "<f8": torch.float64, "<i8": torch.int64}


def parse(data):
    """One .npy file's bytes; rows come first in it."""
    if data[:6] != b"\x93NUMPY":
        raise ValueError("this is no .npy file")
    width, form = (2, "<H") if data[6] == 1 else (4, "<I")
    begin = 8 + width
    end = begin + struct.unpack(form, data[8:begin])[0]
    header = ast.literal_eval(data[begin:end].decode("latin1"))
    if header["fortran_order"] or header["descr"] not in DTYPES:
        raise ValueError(f"arrays like this are not expected here: {header}")
    return torch.frombuffer(bytearray(data[end:]), dtype=DTYPES[header["descr"]]).reshape(header["shape"])


def load(path):
    """A .npy file's array, or an .npz file's arrays by their names."""
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as file:
            return parse(file.read())
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): parse(archive.read(name)) for name in archive.namelist()}


def layers(path):
    """The layers of a file that `warpface convert` wrote, as `inception.Network` takes them."""
    arrays = load(path)
    prefix, found = "InceptionResnetV1/", {}
    for name, w in arrays.items():
        scope, _, kind = name.removeprefix(prefix).rpartition("/")
        if kind == "weights":
            found[scope] = (w, arrays[f"{prefix}{scope}/biases"])
    return found
