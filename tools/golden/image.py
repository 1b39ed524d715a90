"""Golden dumps for src/image, made by the libraries whose bits it must give.

    pip install numpy==2.4.6 opencv-python-headless==4.10.0.84 pillow==13.0.0
    python tools/golden/image.py [OUT] [--random N]

writes tests/golden/image (or OUT/image). With --random, N more cases of each resize are written: too many to be
committed, meant for `WARPFACE_GOLDEN_IMAGE=OUT/image cargo test --test image resize`.
"""

import argparse
import io
import math
import pathlib
import subprocess

import cv2
import numpy as np
from PIL import Image, ImageOps

rng = np.random.default_rng(20180408)


def picture(width, height, channels=3):
    """Gradients, edges and noise: neither flat nor incompressible."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 90 * np.sin(x / (3 + c) + c) * np.cos(y / (4 + c)) for c in range(channels)]
    image = np.stack(waves, axis=-1) + 60 * ((x // 5 + y // 7) % 2)[..., None]
    return np.clip(image + rng.integers(-20, 20, image.shape), 0, 255).astype(np.uint8)


def noise(width, height, channels):
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def resize_cv(image, width, height):
    out = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return out.reshape(height, width, image.shape[2])


def cases(sizes, channels, make, resize):
    arrays = {}
    for i, (w, h, dw, dh) in enumerate(sizes):
        for c in channels:
            src = make(w, h, c)
            arrays[f"{i}_{w}x{h}x{c}_to_{dw}x{dh}.src"] = src
            arrays[f"{i}_{w}x{h}x{c}_to_{dw}x{dh}.dst"] = resize(src, dw, dh)
    return arrays


# (width, height, new width, new height)
AREA = [
    (1, 1, 1, 1), (1, 1, 5, 3), (1, 9, 1, 4), (9, 1, 4, 1), (1, 7, 3, 20), (7, 5, 7, 5),  # single pixels, rows, columns
    (8, 6, 4, 3), (12, 9, 4, 3), (12, 8, 3, 4), (20, 15, 4, 3), (49, 3, 1, 1), (14, 4, 7, 4),  # whole factors
    (13, 11, 7, 5), (21, 17, 14, 9), (37, 43, 24, 24), (25, 26, 24, 24), (31, 20, 28, 19), (10, 10, 9, 9),  # down
    (13, 11, 24, 24), (5, 4, 10, 9), (11, 12, 12, 24), (7, 9, 8, 10),  # up
    (30, 9, 12, 12), (9, 30, 12, 12), (12, 5, 12, 12), (40, 3, 7, 8),  # one axis up, the other down or kept
]
BILINEAR = [
    (1, 1, 4, 3), (1, 9, 2, 3), (17, 13, 17, 6), (17, 13, 8, 13), (7, 7, 7, 7), (31, 23, 20, 15), (27, 33, 16, 16),
    (12, 10, 20, 15), (40, 6, 10, 18), (33, 27, 3, 2), (25, 25, 16, 16),
    (10, 15, 20, 14), (15, 20, 10, 9), (15, 20, 10, 10), (13, 17, 16, 16),  # on both sides of the passes' order
]


def resize_pillow(image, width, height):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))


def prewhiten(x):
    """facenet.py's, word for word in its arithmetic."""
    mean, std = np.mean(x), np.std(x)
    return np.multiply(np.subtract(x, mean), 1 / np.maximum(std, 1.0 / np.sqrt(x.size))).astype(np.float32)


def standardized():
    arrays = {}
    for name, image in {
        "face": picture(21, 17), "flat": np.full((4, 5, 3), 77, np.uint8), "pixel": noise(1, 1, 3),
        "almost_flat": np.pad(np.ones((1, 1, 3), np.uint8), ((2, 2), (2, 2), (0, 0))), "noise": noise(16, 16, 3),
    }.items():
        arrays[f"{name}.src"] = image
        arrays[f"{name}.prewhiten"] = prewhiten(image)
        arrays[f"{name}.fixed"] = ((image.astype(np.float32) - 127.5) / 128).astype(np.float32)
        arrays[f"{name}.unit"] = (image / 255).astype(np.float32)
    return arrays


def decoded(folder):
    """Files as Pillow writes them, and their pixels as it reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}

    def case(name, data, pixels=None):
        data = data.getvalue() if isinstance(data, io.BytesIO) else data
        (folder / name).write_bytes(data)
        if pixels is None:
            pixels = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        arrays[name] = pixels

    def saved(image, format, **options):
        out = io.BytesIO()
        image.save(out, format, **options)
        return out

    rgb = Image.fromarray(picture(37, 29))
    grey = Image.fromarray(picture(35, 21, 1)[..., 0])
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        case(f"jpeg_{sampling.replace(':', '')}.jpg", saved(rgb, "JPEG", quality=80, subsampling=sampling))
    case("jpeg_progressive.jpg", saved(rgb, "JPEG", quality=90, progressive=True))
    case("jpeg_restarts.jpg", saved(rgb, "JPEG", quality=70, restart_marker_blocks=2))
    case("jpeg_grey.jpg", saved(grey, "JPEG", quality=75))
    for name, flags in {"arithmetic": [], "arithmetic_progressive": ["-progressive"]}.items():
        # jpegtran is libjpeg-turbo's (Debian: libjpeg-turbo-progs); Pillow reads this coding and does not write it.
        command = ["jpegtran", "-arithmetic", *flags, folder / "jpeg_420.jpg"]
        case(f"jpeg_{name}.jpg", subprocess.run(command, check=True, capture_output=True).stdout)
    case("jpeg_cmyk.jpg", saved(Image.fromarray(noise(17, 9, 4), "CMYK"), "JPEG", quality=85))
    case("jpeg_rgb.jpg", saved(rgb, "JPEG", quality=85, keep_rgb=True))
    case("jpeg_1x1.jpg", saved(rgb.crop((0, 0, 1, 1)), "JPEG"))
    case("jpeg_named.png", saved(rgb, "JPEG", quality=50))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        case(f"jpeg_exif{orientation}.jpg", saved(rgb.crop((0, 0, 19, 11)), "JPEG", quality=85, exif=exif))
    exif = Image.Exif()
    exif[0x0112] = 6
    case("png_exif6.png", saved(rgb, "PNG", exif=exif))
    case("webp_exif6.webp", saved(rgb, "WEBP", lossless=True, exif=exif))

    case("png_rgb.png", saved(rgb, "PNG"))
    case("png_grey.png", saved(grey, "PNG"))
    case("png_1bit.png", saved(grey.convert("1"), "PNG"))
    case("png_palette.png", saved(rgb.quantize(16), "PNG"))
    # Alpha is dropped: the colours under it are what counts.
    rgba = picture(15, 11, 4)
    case("png_rgba.png", saved(Image.fromarray(rgba), "PNG"), rgba[..., :3])
    la = picture(15, 11, 2)
    case("png_grey_alpha.png", saved(Image.fromarray(la), "PNG"), np.repeat(la[..., :1], 3, axis=2))
    # Of 16 bits the high byte counts.
    deep = rng.integers(0, 65536, (9, 13), dtype=np.uint16)
    case("png_grey16.png", saved(Image.fromarray(deep), "PNG"), np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, 2))
    deep = rng.integers(0, 65536, (7, 10, 3), dtype=np.uint16)
    png = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    case("png_rgb16.png", png, (deep >> 8).astype(np.uint8))
    case("tiff_rgb.tif", saved(rgb, "TIFF", compression="tiff_lzw"))
    case("bmp_rgb.bmp", saved(rgb, "BMP"))
    case("pnm_rgb.ppm", saved(rgb, "PPM"))
    case("pnm_grey.pgm", saved(grey, "PPM"))
    case("webp_lossless.webp", saved(rgb, "WEBP", lossless=True))
    frames = [Image.fromarray(picture(18, 14)).quantize(8) for _ in range(3)]
    case("gif_animated.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=40))
    frames = [frame.convert("RGB") for frame in frames]
    animated = dict(save_all=True, append_images=frames[1:], duration=40)
    case("webp_animated.webp", saved(frames[0], "WEBP", lossless=True, **animated))
    case("apng_animated.png", saved(frames[0], "PNG", **animated))
    return arrays


def random_sizes(count):
    sizes = []
    for _ in range(count):
        limit = int(rng.choice([8, 40, 120, 400]))
        sizes.append(tuple(int(v) for v in rng.integers(1, limit, 4)))
    for width, height in [(250, 250), (1027, 683), (640, 480)]:
        for k in range(12):
            scale = 0.6 * 0.709**k
            sizes.append((width, height, math.ceil(width * scale), math.ceil(height * scale)))
    for k in range(2, 60):  # whole factors, some of which are none after OpenCV's rounding
        sizes.append((k * 3, k * 2, 3, 2))
    return sizes


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out", nargs="?", default=pathlib.Path(__file__).parents[2] / "tests/golden")
    arguments.add_argument("--random", type=int, default=0)
    arguments = arguments.parse_args()
    out = pathlib.Path(arguments.out) / "image"
    out.mkdir(parents=True, exist_ok=True)
    area, bilinear = AREA, BILINEAR
    if arguments.random:
        area = area + random_sizes(arguments.random)
        bilinear = bilinear + random_sizes(arguments.random)
    channels = (1, 3) if not arguments.random else (3,)
    floats = lambda w, h, c: (noise(w, h, c) / 7).astype(np.float32)
    np.savez_compressed(out / "area_u8.npz", **cases(area, channels, noise, resize_cv))
    np.savez_compressed(out / "area_f32.npz", **cases(area, (3,), floats, resize_cv))
    np.savez_compressed(out / "bilinear.npz", **cases(bilinear, (3,), noise if arguments.random else picture, resize_pillow))
    if not arguments.random:
        np.savez_compressed(out / "standardize.npz", **standardized())
        np.savez_compressed(out / "decode.npz", **decoded(out / "decode"))


if __name__ == "__main__":
    main()
