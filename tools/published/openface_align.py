"""OpenFace's own `AlignDlib` (align_dlib.py, with dlib-bin and OpenCV) beside crops by `warpface align --align openface`.

    warpface detect PHOTOS --json > faces.jsonl
    warpface align PHOTOS CROPS --align openface --openface-points POINTS --warp WARP
    python tools/published/openface_align.py align_dlib.py PREDICTOR.dat POINTS PHOTOS CROPS faces.jsonl

`align_dlib.py` is OpenFace's, as the wheel of facenet 1.0.5 has it. POINTS is outer-eyes-and-nose or inner-eyes-and-bottom-lip. The
face is the large and central one, its rectangle that of `landmarks.py`. Prints a row: crops, samples, samples that differ, by at
most how much.
"""

import importlib.util
import json
import pathlib
import sys

import cv2
import dlib
import numpy as np
from PIL import Image

from landmarks import rectangle


def central(found):
    """The face that a photograph is about, as align_dataset_mtcnn.py chooses it."""

    def weight(face):
        x1, y1, x2, y2 = face["box"]
        dx, dy = (x1 + x2) / 2 - found["width"] / 2, (y1 + y2) / 2 - found["height"] / 2
        return (x2 - x1) * (y2 - y1) - 2 * (dx * dx + dy * dy)

    return max(found["faces"], key=weight)


def main():
    module, model, points, photos, crops, faces = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("align_dlib", module)
    openface = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(openface)
    align = openface.AlignDlib(model)
    indices = getattr(align, points.replace("-", "_").upper())
    count = samples = different = most = 0
    for line in open(faces):
        found = json.loads(line)
        if not found["faces"]:
            continue
        inside = pathlib.Path(found["image"]).relative_to(photos)
        ours = np.array(Image.open((pathlib.Path(crops) / inside).with_suffix(".png")).convert("RGB")).astype(int)
        photo = np.array(Image.open(found["image"]).convert("RGB"))
        box = dlib.rectangle(*rectangle(central(found)["box"]))
        theirs = align.align(ours.shape[0], photo, box, landmarkIndices=indices).astype(int)
        off = np.abs(ours - theirs)
        count, samples = count + 1, samples + off.size
        different, most = different + int((off > 0).sum()), max(most, int(off.max()))
    print(f"{cv2.__version__},{points},{count},{samples},{different},{most}")


if __name__ == "__main__":
    main()
