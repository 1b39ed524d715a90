"""Asks a server as Triton's users do, with their own client, unchanged: triton.py HOST:PORT FOLDER [TOKEN].

FOLDER has images.npy, [n, size, size, 3] float32 and standardized, expected.npy, their embeddings, and crops as files, 0.png and
so on. Prints a JSON line for each way of asking.
"""

import json
import pathlib
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

MODEL = "facenet"


def inputs(images, binary):
    tensor = http.InferInput("input", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images, binary_data=binary)
    return [tensor]


def outputs(binary):
    return [http.InferRequestedOutput("embeddings", binary_data=binary)]


def ways(images, crops):
    """Name and arguments of each way."""
    for sent in (True, False):
        # Without outputs the client asks for binary ones.
        yield f"sent {sent}, none asked", dict(inputs=inputs(images, sent))
        for wanted in (True, False):
            yield f"sent {sent}, asked {wanted}", dict(inputs=inputs(images, sent), outputs=outputs(wanted))
        for coding in ("gzip", "deflate"):
            yield f"sent {sent}, {coding}", dict(inputs=inputs(images, sent), request_compression_algorithm=coding)
    yield "compressed answer", dict(inputs=inputs(images, True), response_compression_algorithm="gzip")
    yield "identified", dict(inputs=inputs(images, True), request_id="seven", model_version="1")
    encoded = http.InferInput("image_bytes", [len(crops)], "BYTES")
    encoded.set_data_from_numpy(np.array(crops, dtype=np.object_))
    yield "encoded crops", dict(inputs=[encoded])


def refused(client, headers, **arguments):
    try:
        client.infer(headers=dict(headers or {}), **arguments)
    except InferenceServerException as error:
        return f"{error.status()}: {error.message()}"
    return None


def main():
    address, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    headers = {"Authorization": f"Bearer {sys.argv[3]}"} if len(sys.argv) > 3 else None
    client = http.InferenceServerClient(address, concurrency=4)
    told = dict(
        live=client.is_server_live(headers=headers),
        ready=client.is_server_ready(headers=headers),
        model_ready=client.is_model_ready(MODEL, headers=headers) and client.is_model_ready(MODEL, "1", headers=headers),
        other_ready=client.is_model_ready("other", headers=headers),
        server=client.get_server_metadata(headers=headers),
        model=client.get_model_metadata(MODEL, headers=headers),
    )
    print(json.dumps(told))
    images, expected = np.load(folder / "images.npy"), np.load(folder / "expected.npy")
    crops = [(folder / f"{i}.png").read_bytes() for i in range(len(images))]
    for name, arguments in ways(images, crops):
        # A copy: the client writes its own headers into the caller's.
        result = client.infer(MODEL, headers=dict(headers or {}), **arguments)
        same = bool(np.array_equal(result.as_numpy("embeddings"), expected))
        print(json.dumps(dict(way=name, same=same, id=result.get_response().get("id"))))
    pending = [client.async_infer(MODEL, inputs(images, True), headers=dict(headers or {})) for _ in range(8)]
    same = all(np.array_equal(one.get_result().as_numpy("embeddings"), expected) for one in pending)
    print(json.dumps(dict(way="eight at once", same=bool(same), id=None)))
    wrong = inputs(images[:, :-1], True)
    print(json.dumps(dict(refused=[
        refused(client, model_name=MODEL, inputs=wrong, headers=headers),
        refused(client, model_name="other", inputs=inputs(images, True), headers=headers),
        refused(client, model_name=MODEL, inputs=inputs(images * np.nan, True), headers=headers),
    ])))


main()
