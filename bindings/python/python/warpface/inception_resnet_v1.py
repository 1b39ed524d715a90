"""facenet-pytorch's InceptionResnetV1 over warpface's embedder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from . import _native
from ._arrays import array, is_tensor
from ._facenet import Module, open_device, refuse_gradients
from .errors import DataError, FileMissing, UsageError
from .mtcnn import _device_of

VGGFACE2 = "20180402-114759-vggface2.pt"
CASIA_WEBFACE = "graph_final.pb"


class InceptionResnetV1(Module):
    """Turns standardized crops, float32 `[n, 3, side, side]`, into vectors `[n, 512]` of length 1, or with `classify` into logits.

    `pretrained` is 'casia-webface', which is `graph_final.pb` of the weights folder, or 'vggface2', facenet-pytorch's file from
    `WARPFACE_WEIGHTS` or torch's cache: no other weights stand in for either. None draws a network by a seed. `dropout_prob` is
    of training, and does nothing here.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        classify: bool = False,
        num_classes: int | None = None,
        dropout_prob: float = 0.6,
        device: Any = None,
    ) -> None:
        if pretrained not in (None, "vggface2", "casia-webface"):
            raise UsageError(f"`pretrained`: there are vggface2 and casia-webface, not {pretrained!r}")
        if pretrained is None and classify and num_classes is None:
            raise UsageError("`num_classes`: a classifier without pretrained weights needs it")
        self.pretrained = pretrained
        self.classify = classify
        self.num_classes = num_classes
        self.dropout_prob = dropout_prob
        self.device = _device_of(device)
        # A row of classes that was drawn is kept only where there was to be a classifier, as facenet-pytorch does.
        self._drawn = num_classes if classify else None
        self._file = _file(pretrained)
        self._opened: dict[tuple[bool, int], _native.Embedder] = {}
        self._network(160)

    def _moved(self) -> None:
        self._opened.clear()
        self._network(160)

    def _network(self, side: int) -> _native.Embedder:
        """The network for crops of this side, with or without its classifier; one of each is kept."""
        key = (bool(self.classify), side)
        if key not in self._opened:
            device = open_device(self.device)
            for other in [other for other in self._opened if other[0] == key[0]]:
                del self._opened[other]
            self._opened[key] = self._open(device, side)
        return self._opened[key]

    def _open(self, device: _native.Device, side: int) -> _native.Embedder:
        if self._file is None:
            classes = self._drawn if self.classify else None
            if self.classify and classes is None:
                raise UsageError("`classify`: a network without pretrained weights needs `classify` and `num_classes` from the start")
            return _native.Embedder.drawn(device, side, classes, 0)
        if self.classify:
            return _native.Embedder.classifier(device, self._file, side, self._drawn, 0)
        embedder = _native.Embedder(device, self._file, size=side, model_def="inception_resnet_v1")
        if embedder.dim != 512:
            raise DataError(f"{self._file}: embeddings of {embedder.dim} values; expected 512")
        return embedder

    def forward(self, x: Any) -> Any:
        """Rows for standardized crops: a tensor for a tensor, an array for an array."""
        refuse_gradients(x)
        values = array(x)
        if not isinstance(values, np.ndarray) or values.ndim != 4 or values.shape[1] != 3 or values.shape[2] != values.shape[3]:
            shape = list(getattr(values, "shape", ())) or type(x).__name__
            raise UsageError(f"crops: expected [n, 3, side, side], got {shape}")
        if values.dtype != np.float32:
            raise UsageError(f"crops: expected float32, standardized as MTCNN returns them; got {values.dtype}")
        network = self._network(values.shape[2])
        pixels = values.transpose(0, 2, 3, 1)
        if pixels.flags.c_contiguous and not values.flags.c_contiguous:
            rows = network.embed_standardized(pixels, False)
        else:
            rows = network.embed_standardized(np.ascontiguousarray(values), True)
        if not is_tensor(x):
            return rows
        from ._arrays import tensor

        return tensor(rows).to(x.device)


def torch_cache() -> Path:
    """Where facenet-pytorch keeps what it has fetched."""
    cache = os.path.join(os.getenv("XDG_CACHE_HOME", "~/.cache"), "torch")
    return Path(os.path.expanduser(os.getenv("TORCH_HOME", cache))) / "checkpoints"


def _file(pretrained: str | None) -> Path | None:
    """The file of pretrained weights."""
    if pretrained is None:
        return None
    folders = [Path(folder) for folder in _native.weights_folders()]
    if pretrained == "casia-webface":
        return _found(CASIA_WEBFACE, folders, "`warpface weights` fetches it")
    return _found(VGGFACE2, [*folders, torch_cache()], "facenet-pytorch fetches it into the latter, WARPFACE_WEIGHTS names another folder")


def _found(name: str, folders: list[Path], way_out: str) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = " nor in ".join(str(folder) for folder in folders)
    raise FileMissing(f"{name} is not in {looked}: {way_out}")
