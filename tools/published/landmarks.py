"""What dlib finds in photographs by a shape predictor, for `landmarks_of_photographs_are_dlibs` (tests/landmarks.rs).

    warpface detect PHOTOS --json > faces.jsonl
    python tools/published/landmarks.py shape_predictor_68_face_landmarks.dat faces.jsonl > dlib.jsonl   # dlib-bin, numpy, pillow
    WARPFACE_LANDMARKS=FILE.dat WARPFACE_LANDMARKS_BY_DLIB=dlib.jsonl cargo nextest run --test landmarks --run-ignored only --no-capture

Of each photograph: the rectangle of every detected box, as `ShapePredictor::rectangle` has it, and eight drawn by a seed, which
may reach over the border. A line is `image`, `rectangle`, `parts`, and `box` where there is one.
"""

import json
import math
import sys

import dlib
import numpy as np
from PIL import Image


def rectangle(box):
    x1, y1, x2, y2 = box
    half = math.sqrt((x2 - x1) * (y2 - y1)) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2 + 0.04 * (y2 - y1)
    return [math.floor(side + 0.5) for side in (x - half, y - half, x + half, y + half)]


def drawn(rng, width, height):
    side = int(rng.integers(20, max(width, height)))
    left, top = (int(rng.integers(-side // 2, extent - side // 2)) for extent in (width, height))
    return [left, top, left + side, top + int(side * rng.uniform(0.7, 1.4))]


def main():
    model, *lists = sys.argv[1:]
    predictor = dlib.shape_predictor(model)
    rng = np.random.default_rng(1)
    for file in lists:
        for line in open(file):
            found = json.loads(line)
            photo = np.array(Image.open(found["image"]).convert("RGB"))
            rows = [{"box": face["box"], "rectangle": rectangle(face["box"])} for face in found["faces"]]
            rows += [{"rectangle": drawn(rng, photo.shape[1], photo.shape[0])} for _ in range(8)]
            for row in rows:
                parts = predictor(photo, dlib.rectangle(*row["rectangle"])).parts()
                print(json.dumps({"image": found["image"], **row, "parts": [(p.x, p.y) for p in parts]}))


if __name__ == "__main__":
    main()
