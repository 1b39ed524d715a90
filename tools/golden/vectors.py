"""Parquet files of vectors as pyarrow writes them: value `col` of row `row` is `row + col / 8`."""

import pyarrow as pa
import pyarrow.parquet as pq

from _dump import folder

ROWS, DIM = 50, 6


def values():
    return [[row + col / 8 for col in range(DIM)] for row in range(ROWS)]


def names():
    return [f"näme {row}" for row in range(ROWS)]


def write(out, name, columns, compression, **options):
    pq.write_table(pa.table(columns), out / f"{name}.parquet", compression=compression, **options)


def main():
    out = folder("vectors")
    lists = pa.array(values(), pa.list_(pa.float32()))
    # Several row groups and pages; another column of text, which is not the names.
    other = pa.array(["x"] * ROWS)
    write(out, "lists", {"other": other, "name": names(), "vector": lists}, "snappy", row_group_size=20, data_page_size=64)
    fixed = pa.array(values(), pa.list_(pa.float32(), DIM))
    write(out, "fixed", {"vector": fixed, "id": pa.array(names(), pa.large_string())}, "zstd", data_page_version="2.0")
    large = pa.array(values(), pa.large_list(pa.field("item", pa.float64(), nullable=False)))
    write(out, "large", {"vector": large}, "lz4", use_dictionary=False)
    columns = {f"v{col}": pa.array([row[col] for row in values()], pa.float64()) for col in range(DIM)}
    write(out, "columns", {"row": pa.array(range(ROWS)), **columns}, "none")
    write(out, "null", {"vector": pa.array([[1.0, 2.0], [3.0, None]], pa.list_(pa.float32()))}, "none")
    write(out, "uneven", {"vector": pa.array([[1.0, 2.0], [3.0]], pa.list_(pa.float32()))}, "none")
    write(out, "two", {"a": lists, "b": lists}, "snappy")
    write(out, "gzip", {"vector": lists}, "gzip")
    write(out, "brotli", {"vector": lists}, "brotli")
    write(out, "struct", {"point": pa.array([{"x": 1.0}, {"x": 2.0}], pa.struct([("x", pa.float32())]))}, "none")
    write(out, "map", {"m": pa.array([[("a", 1.0)]], pa.map_(pa.string(), pa.float32()))}, "none")
    wide = pa.array([[1.0, 2.0], [3.0, 1e300]], pa.list_(pa.float64()))
    write(out, "wide", {"vector": wide}, "none")
    write(out, "wide_columns", {"x": pa.array([1.0, 2.0]), "y": pa.array([3.0, -1e300])}, "none")
    write(out, "infinite", {"vector": pa.array([[1.0, 2.0], [3.0, float("inf")]], pa.list_(pa.float32()))}, "none")
    some = {"name": pa.array(["a", None, ""]), "vector": pa.array([[1.0], [2.0], [3.0]], pa.list_(pa.float32()))}
    write(out, "nameless", some, "none")
    write(out, "text", {"name": names()}, "snappy")


main()
