"""Embeds a folder of photographs with Ray Data, and writes Parquet: `python embed_folder_ray.py PHOTOS OUT [WORKERS]`."""

import sys
from typing import Any

import ray
from warpface.batch import FaceEmbedder


def embed(photos: str, out: str, workers: int, embedder: Any = FaceEmbedder, **arguments: Any) -> None:
    """Each worker loads the networks once, and one that dies is started anew; with GPUs, give `num_gpus=1`."""
    rows = ray.data.read_binary_files(photos, include_paths=True, file_extensions=["jpg", "jpeg", "png"])
    embedded = rows.map_batches(
        embedder,
        fn_constructor_kwargs={"threads": 1, **arguments},
        compute=ray.data.ActorPoolStrategy(size=workers),
        batch_format="pyarrow",
        batch_size=32,
        num_cpus=1,
        max_restarts=-1,
        max_task_retries=-1,
    )
    embedded.write_parquet(out)


if __name__ == "__main__":
    ray.init()
    # One processor is left to what reads and writes: workers that took them all would wait for it for ever.
    spare = max(1, int(ray.cluster_resources()["CPU"]) - 1)
    embed(*sys.argv[1:3], workers=int(sys.argv[3]) if len(sys.argv) > 3 else spare)
