"""What every peer shares: it is started once, gets its job as a line of JSON, and answers requests line by line.

A peer offers settings: names, each with a function. Whoever asks measures them in turn with the other peers', so that
all of them meet the same moods of the machine.

An embedding setting takes a list of batches [n, 160, 160, 3] f32, standardized, and returns all embeddings [m, d] f32; the
job names the precision that it computes in.
A detection setting takes a list of photographs [h, w, 3] u8 RGB and returns for each a list of (box, score).
A training setting takes made-up photographs [n, h, w, 3] f32, makes a step, and returns the loss.
"""

import json
import os
import sys
import time
from importlib import metadata

import numpy as np


def versions(*packages):
    return {package: metadata.version(package) for package in packages}


def photograph(path):
    """The pixels of a photograph as it is looked at."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def batches(crops, size):
    """Whole batches only, whatever the number of crops."""
    count = -(-len(crops) // size) * size
    crops = np.resize(crops, (count, *crops.shape[1:])) if count != len(crops) else crops
    return [np.ascontiguousarray(crops[at : at + size]) for at in range(0, count, size)]


def serve(start):
    """Runs a peer: `start(job)` returns its versions and its settings."""
    # Libraries print what they like: only answers go to the true standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    job = json.loads(sys.stdin.readline())
    if "crops" in job:
        crops = np.load(job["crops"])
        items = {size: batches(crops, size) for size in job["batches"]}
    elif "classes" in job:
        noise = np.random.default_rng(1)
        shape = (job["size"], job["size"], 3)
        items = {batch: noise.standard_normal((batch, *shape), np.float32) for batch in job["batches"]}
    else:
        items = {1: [photograph(path) for path in job["photographs"]]}
    try:
        found, settings = start(job)
    except Exception as error:
        return answer({"missing": f"{type(error).__name__}: {error}".splitlines()[0]})
    usable = []
    for name, run in settings.items():
        try:
            for item in items.values():
                run(item)
            usable.append(name)
        except Exception as error:
            print(f"{name}: left out, {type(error).__name__}: {error}", file=sys.stderr)
    if not usable:
        return answer({"missing": "none of its settings runs here"})
    answer({"versions": found, "settings": usable})
    for line in sys.stdin:
        request = json.loads(line)
        run, item = settings[request["setting"]], items[request["batch"]]
        if "save" in request:
            result = run(item)
            if "crops" in job:
                np.save(request["save"], np.asarray(result)[: len(crops)])
            else:
                with open(request["save"], "w") as file:
                    json.dump(result, file)
            answer({})
            continue
        passes, begin = 0, time.perf_counter()
        while passes == 0 or time.perf_counter() - begin < request["seconds"]:
            run(item)
            passes += 1
        elapsed = time.perf_counter() - begin
        count = sum(len(batch) for batch in item) if "crops" in job else len(item)
        answer({"rate": passes * count / elapsed})
