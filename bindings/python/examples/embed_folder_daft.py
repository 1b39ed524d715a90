"""Embeds a folder of photographs with Daft, and writes Parquet: `python embed_folder_daft.py PHOTOS OUT`."""

import sys

import daft
from warpface.batch import FaceEmbedder

embedder = FaceEmbedder(threads=1)
RESULT = daft.DataType.from_arrow_type(embedder.array_type())


@daft.func.batch(return_dtype=RESULT, unnest=True, batch_size=32)
def embed(photographs: daft.Series):
    """The networks are loaded once in each process."""
    return embedder.array(photographs)


if __name__ == "__main__":
    photos, out = sys.argv[1:3]
    rows = daft.from_glob_path(photos + "/**/*.jpg")
    rows = rows.select(daft.col("path"), embed(daft.functions.download(daft.col("path"))))
    rows.write_parquet(out)
