"""Pictures and tensors of others as numpy arrays, and back."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np

from .errors import UsageError


def is_pillow(image: Any) -> bool:
    """Whether this is a picture of Pillow's; no Pillow is imported for it."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def is_tensor(value: Any) -> bool:
    """Whether this is a tensor of torch's; no torch is imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def torch() -> Any:
    """torch where it can be imported, else None."""
    loaded = sys.modules.get("torch")
    if loaded is not None:
        return loaded
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch


def tensor(array: np.ndarray) -> Any:
    """A tensor on the array's memory where torch can be imported, else the array."""
    found = torch()
    return array if found is None else found.from_numpy(array)


def array(value: Any) -> Any:
    """An array on a value's memory where it has one that numpy can read; other values as they are."""
    if isinstance(value, np.ndarray):
        return value
    if is_tensor(value):
        return value.detach().cpu().numpy()
    if is_pillow(value):
        return np.asarray(value if value.mode == "RGB" else value.convert("RGB"))
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    if hasattr(value, "__array_interface__"):
        return np.asarray(value)
    return value


def is_batch(images: Any) -> bool:
    """Whether this is several pictures: a list, a tuple, or an array of four dimensions."""
    return isinstance(images, (list, tuple)) or getattr(images, "ndim", 0) == 4


def pictures(images: Any) -> list[Any]:
    """The pictures of a batch, or the one picture, as arrays."""
    if not is_batch(images):
        images = [images]
    elif not isinstance(images, (list, tuple)):
        images = array(images)
    found = []
    for index, image in enumerate(images):
        try:
            found.append(array(image))
        except (OSError, SyntaxError, ValueError, TypeError, RuntimeError, BufferError) as error:
            # Pillow decodes a file only when its pixels are asked for.
            raise UsageError(f"picture {index}: {error}") from error
    return found


def objects(items: list[Any]) -> np.ndarray:
    """An array of objects: of as many dimensions as the items share, as facenet-pytorch returns."""
    return np.array(items, dtype=object)
