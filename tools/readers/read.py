"""Reads a Parquet file of embeddings, and the folder that a killed run leaves, by pyarrow, DuckDB and polars: a JSON line
each. Each writes the file again into a folder, as its users would.

read.py FILE.parquet FILE.parquet.parts FOLDER
"""

import json
import sys

import duckdb
import polars
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet


def by_pyarrow(path, parts, out):
    table = pyarrow.parquet.read_table(path)
    # With the half file that lies there, the folder as a whole is not all Parquet.
    left = pyarrow.dataset.dataset(parts, format="parquet", exclude_invalid_files=True).to_table()
    pyarrow.parquet.write_table(table, out)
    embeddings = table["embedding"].drop_null()
    values = pyarrow.compute.sum(pyarrow.compute.cast(pyarrow.compute.list_flatten(embeddings), "float64"))
    return {
        "rows": table.num_rows,
        "embedded": len(embeddings),
        "errors": len(table["error"].drop_null()),
        "sum": values.as_py(),
        "type": str(table.schema.field("embedding").type),
        "left": len(left["embedding"].drop_null()),
    }


def by_duckdb(path, parts, out):
    one = lambda query: duckdb.sql(query).fetchall()[0]
    rows, embedded, errors, kind, total = one(
        f"""select count(*), count(embedding), count(error), any_value(typeof(embedding)),
        sum(list_sum(list_transform(embedding, lambda x: x::double))) from '{path}'"""
    )
    # A distance wants a fixed size: the cast is the user's.
    near = "array_distance(embedding::FLOAT[6], embedding::FLOAT[6])"
    assert one(f"select max({near}) from '{path}' where embedding is not null") == (0.0,)
    left = one(f"select count(embedding) from '{parts}/*.parquet'")[0]
    duckdb.sql(f"copy (from '{path}') to '{out}' (format parquet)")
    return {"rows": rows, "embedded": embedded, "errors": errors, "sum": total, "type": kind, "left": left}


def by_polars(path, parts, out):
    table = polars.read_parquet(path)
    left = polars.read_parquet(f"{parts}/*.parquet")
    table.write_parquet(out)
    embeddings = table["embedding"].drop_nulls()
    return {
        "rows": len(table),
        "embedded": len(embeddings),
        "errors": table["error"].count(),
        "sum": embeddings.explode().cast(polars.Float64).sum(),
        "type": str(table.schema["embedding"]),
        "left": left["embedding"].count(),
    }


def main():
    path, parts, folder = sys.argv[1:]

    for name, read in [("pyarrow", by_pyarrow), ("duckdb", by_duckdb), ("polars", by_polars)]:
        print(json.dumps(read(path, parts, f"{folder}/by_{name}.parquet")))


main()
