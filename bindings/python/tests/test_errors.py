"""Bad input, closed devices, forks, threads and signals: an exception in the library's words, and nothing that hangs."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

import warpface


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((4, 5, 3), np.float32), r"expected uint8 \[height, width, 3\], got float32 \[4, 5, 3\]"),
        (np.zeros((4, 5), np.uint8), r"got uint8 \[4, 5\]"),
        (np.zeros((4, 5, 4), np.uint8), r"got uint8 \[4, 5, 4\]"),
        (np.zeros((0, 5, 3), np.uint8), r"got uint8 \[0, 5, 3\]"),
        (np.zeros((2, 4, 5, 3), np.uint8), r"got uint8 \[2, 4, 5, 3\]"),
        ("photo.jpg", "got str"),
        (None, "got NoneType"),
    ],
)
def test_a_bad_picture_is_named_by_its_index(mtcnn, pictures, bad, words):
    with pytest.raises(warpface.UsageError, match="picture 2: .*" + words):
        mtcnn.detect([pictures[0], pictures[1], bad])
    with pytest.raises(ValueError, match=words):
        warpface.Detector(device="cpu").detect([bad])


def test_a_file_that_is_cut_short_is_named_by_its_index(mtcnn, pictures, photographs, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photographs[0].read_bytes()[:2000])
    with pytest.raises(warpface.UsageError, match="picture 1: "):
        mtcnn([pictures[0], Image.open(broken)])


def test_crops_of_another_size_are_refused(weights):
    embedder = warpface.Embedder(weights / "graph_final.pb", device="cpu")
    with pytest.raises(warpface.UsageError, match="expected 160 x 160 pixels, got 100 x 90"):
        embedder.embed(np.zeros((90, 100, 3), np.uint8))


def test_kinds(weights, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        warpface.Embedder(tmp_path / "none.pb", device="cpu")
    assert isinstance(error.value, warpface.FileMissing) and "none.pb" in str(error.value)
    damaged = tmp_path / "model.pb"
    damaged.write_bytes(b"no graph at all")
    with pytest.raises(warpface.DataError, match="model.pb"):
        warpface.Embedder(damaged, device="cpu")
    with pytest.raises(warpface.UsageError, match="there are auto, cpu, wgpu and cuda"):
        warpface.MTCNN(device="mps")
    with pytest.raises(warpface.Error, match="cuda:x"):
        warpface.MTCNN(device="cuda:x")
    with pytest.raises(warpface.UsageError, match="cuda:0,1.*one is expected"):
        warpface.MTCNN(device="cuda:0,1")
    with pytest.raises(warpface.UsageError, match="expected three"):
        warpface.MTCNN(thresholds=[0.6, 0.7])
    for kind in (warpface.FileError, warpface.DataError, warpface.UsageError, warpface.DeviceError, warpface.OutOfMemory):
        assert issubclass(kind, warpface.Error)


def test_a_closed_device_is_refused(weights, pictures):
    with warpface.Device("cpu", threads=1) as device:
        detector = warpface.Detector(device=device)
        embedder = warpface.Embedder(weights / "graph_final.pb", device=device)
        assert detector.detect(pictures[0])
    assert device.closed
    for call in [lambda: detector.detect(pictures[0]), lambda: embedder.embed(np.zeros((160, 160, 3), np.uint8))]:
        with pytest.raises(warpface.DeviceError, match="device cpu: was closed; open it anew"):
            call()
    # Others are open still.
    assert warpface.Detector(device="cpu").detect(pictures[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_is_refused_and_can_open_anew(mtcnn, pictures):
    mtcnn.detect(pictures[0])
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try:
                mtcnn.detect(pictures[0])
                words = "it ran"
            except warpface.DeviceError as error:
                words = str(error)
            anew = warpface.MTCNN().detect(pictures[0])[0]
            os.write(write, f"{words}|{anew.tolist()}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        words, boxes = pipe.read().split("|")
    os.waitpid(child, 0)
    assert "was opened before this process was forked" in words and "spawn" in words
    assert boxes == str(mtcnn.detect(pictures[0])[0].tolist())


def test_threads_at_once(mtcnn, casia, pictures, faces):
    expected, rows, failures = mtcnn.detect(pictures[0])[0].tolist(), casia(faces), []

    def work(number: int) -> None:
        for _ in range(3):
            if mtcnn.detect(pictures[0])[0].tolist() != expected or not np.array_equal(casia(faces), rows):
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_others_run_while_it_computes(casia, faces):
    many, ticks, done = np.concatenate([faces] * 16), [], threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    casia(many)
    done.set()
    ticker.join()
    gaps = np.diff(ticks)
    assert len(gaps) > 20 and np.median(gaps) < 0.05, f"{len(gaps)} ticks, {np.median(gaps)} s apart"


def test_ctrl_c_ends_a_long_call(weights, photographs):
    program = f"""
import signal
import numpy as np, warpface
from PIL import Image
# Whoever runs these tests may have it ignored, as shells do for what they start in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
picture = np.asarray(Image.open({str(photographs[0])!r}).convert("RGB"))
detector = warpface.MTCNN()
print("begins", flush=True)
try:
    detector.detect([picture] * 200000)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "begins\n"
    time.sleep(1.0)
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "interrupted\n"
    assert child.wait(timeout=60) == 0


def test_photographs_are_read_or_named(photographs, pictures, tmp_path):
    for path, picture in zip(photographs, pictures):
        for source in (path, str(path), path.read_bytes()):
            assert np.array_equal(warpface.decode(source), picture)
    with pytest.raises(FileNotFoundError, match="none.jpg"):
        warpface.decode(tmp_path / "none.jpg")
    with pytest.raises(warpface.DataError, match="row 7: "):
        warpface.decode(photographs[0].read_bytes()[:2000], name="row 7")
