"""facenet-pytorch's MTCNN over warpface's detector."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _native
from ._arrays import array, is_batch, is_pillow, objects, pictures, tensor
from ._facenet import Module, open_device
from .errors import UsageError


class MTCNN(Module):
    """Finds faces in pictures of Pillow's, uint8 arrays `[h, w, 3]` or `[n, h, w, 3]`, tensors of this shape, or lists of these.

    Arguments and results are facenet-pytorch's. `weights` is the folder of `det1.npy`, `det2.npy` and `det3.npy`, where the
    command's is not meant.
    """

    def __init__(
        self,
        image_size: int = 160,
        margin: int = 0,
        min_face_size: int = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        post_process: bool = True,
        select_largest: bool = True,
        selection_method: str | None = None,
        keep_all: bool = False,
        device: Any = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        self.image_size = image_size
        self.margin = margin
        self.min_face_size = min_face_size
        self.thresholds = thresholds
        self.factor = factor
        self.post_process = post_process
        self.select_largest = select_largest
        self.keep_all = keep_all
        self.selection_method = selection_method or ("largest" if select_largest else "probability")
        self.device = _device_of(device)
        self._weights = weights
        self._opened: tuple[Any, Any] | None = None
        self._detector()

    def _moved(self) -> None:
        self._opened = None
        self._detector()

    def _detector(self) -> _native.Detector:
        """The detector of the options as they are now: they may be set at any time."""
        options = (self.min_face_size, tuple(self.thresholds), self.factor)
        if self._opened is None or self._opened[0] != options:
            minimum, thresholds, factor = options
            if len(thresholds) != 3:
                raise UsageError(f"`thresholds`: expected three, as [0.6, 0.7, 0.7]; got {len(thresholds)}")
            device = open_device(self.device)
            detector = _native.Detector(device, self._weights, minimum, list(thresholds), factor, facenet=True)
            self._opened = (options, detector)
        return self._opened[1]

    def detect(self, img: Any, landmarks: bool = False) -> tuple[Any, ...]:
        """Boxes `[n, 4]` and probabilities `[n]` of a picture, with `landmarks` their points `[n, 5, 2]`; None, [None] and None
        where there is no face. Of several pictures arrays of these."""
        found = self._detector().detect(pictures(img), "largest" if self.select_largest else None)
        boxes: list[Any] = []
        probs: list[Any] = []
        points: list[Any] = []
        for box, prob, point in found:
            none = len(box) == 0
            boxes.append(None if none else box.astype(np.float32))
            probs.append([None] if none else prob.astype(np.float32))
            points.append(None if none else point.astype(np.float32))
        result = tuple(objects(items) for items in (boxes, probs, points))
        if not is_batch(img):
            result = tuple(items[0] for items in result)
        return result if landmarks else result[:2]

    def forward(self, img: Any, save_path: Any = None, return_prob: bool = False) -> Any:
        """The face of a picture, `[3, image_size, image_size]`, or None; with `keep_all` all of them, `[n, 3, ..]`. Of several
        pictures a list. With `return_prob` also the probabilities."""
        boxes, probs, points = self.detect(img, landmarks=True)
        if not self.keep_all:
            boxes, probs, points = self.select_boxes(boxes, probs, points, img, method=self.selection_method)
        faces = self.extract(img, boxes, save_path)
        return (faces, probs) if return_prob else faces

    def select_boxes(
        self,
        all_boxes: Any,
        all_probs: Any,
        all_points: Any,
        imgs: Any,
        method: str = "probability",
        threshold: float = 0.9,
        center_weight: float = 2.0,
    ) -> tuple[Any, Any, Any]:
        """The one face of each picture that comes first by a rule: `[1, 4]`, `[1]` and `[1, 5, 2]` of each."""
        batch = is_batch(imgs)
        if not batch:
            imgs, all_boxes, all_probs, all_points = [imgs], [all_boxes], [all_probs], [all_points]
        chosen: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for boxes, probs, points, img in zip(all_boxes, all_probs, all_points, imgs):
            first = None if boxes is None else _first(boxes, probs, img, method, threshold, center_weight)
            face: tuple[Any, ...] = (None, [None], None)
            if first is not None:
                face = tuple(np.array(items)[[first]] for items in (boxes, probs, points))
            for items, item in zip(chosen, face):
                items.append(item)
        if batch:
            return tuple(objects(items) for items in chosen)  # type: ignore[return-value]
        boxes, probs, points = (items[0] for items in chosen)
        return boxes, probs[0], points

    def extract(self, img: Any, batch_boxes: Any, save_path: Any) -> Any:
        """The crops of boxes, which are saved where `save_path` says so."""
        batch = is_batch(img)
        images = list(img) if batch else [img]
        all_boxes = batch_boxes if batch else [batch_boxes]
        paths = [save_path] if isinstance(save_path, (str, os.PathLike)) else save_path
        paths = [None] * len(images) if paths is None else list(paths)
        if len(paths) != len(images):
            raise UsageError(f"save_path: expected {len(images)}, one for each picture; got {len(paths)}")
        faces: list[Any] = []
        for image, boxes, path in zip(images, all_boxes, paths):
            if boxes is None:
                faces.append(None)
                continue
            boxes = np.asarray(boxes if self.keep_all else boxes[:1], dtype=np.float64)
            crops = _crops(image, boxes, self.image_size, self.margin)
            if path is not None:
                _save(crops, os.fspath(path))
            values = tensor(_native.planes(list(crops), bool(self.post_process)))
            faces.append(values if self.keep_all else values[0])
        return faces if batch else faces[0]


def _device_of(device: Any) -> Any:
    """What the attribute `device` shows: without one the CPU, as a torch.device where torch is loaded; it is not loaded for this."""
    if device is not None:
        return device
    loaded = sys.modules.get("torch")
    return "cpu" if loaded is None else loaded.device("cpu")


def _size(image: Any) -> tuple[int, int]:
    """Width and height."""
    height, width = (image.height, image.width) if is_pillow(image) else array(image).shape[:2]
    return width, height


def _first(boxes: Any, probs: Any, image: Any, method: str, threshold: float, center_weight: float) -> int | None:
    width, height = _size(image)
    boxes = np.asarray(boxes, dtype=np.float64)
    scores = np.asarray(probs, dtype=np.float64).tolist()
    order = _native.order(boxes, scores, method, threshold, center_weight, width, height)
    return order[0] if order else None


def _crops(image: Any, boxes: np.ndarray, size: int, margin: float) -> np.ndarray:
    return _native.extract(array(image), np.ascontiguousarray(boxes), size, margin, is_pillow(image))


def _save(crops: np.ndarray, path: str) -> None:
    """The first crop under this name, the others under it with `_2`, `_3` and so on."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    stem, suffix = os.path.splitext(path)
    for number, crop in enumerate(crops, 1):
        _native.save(path if number == 1 else f"{stem}_{number}{suffix}", crop)


def extract_face(img: Any, box: Any, image_size: int = 160, margin: int = 0, save_path: Any = None) -> Any:
    """The crop of a box, `[3, image_size, image_size]`, 0 to 255."""
    crops = _crops(img, np.asarray([box], dtype=np.float64), image_size, margin)
    if save_path is not None:
        _save(crops, os.fspath(save_path))
    return tensor(_native.planes(list(crops), False))[0]


def fixed_image_standardization(image_tensor: Any) -> Any:
    """0 to 255 becomes about -1 to 1, by fixed numbers."""
    return (image_tensor - 127.5) / 128.0
