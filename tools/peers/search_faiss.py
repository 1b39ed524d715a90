"""faiss's exact IndexFlatL2 in a process of its own: a request a line, an answer a line, both JSON."""

import json
import sys
import time

import faiss
import numpy as np


def peak_memory():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main():
    job = json.loads(sys.stdin.readline())
    faiss.omp_set_num_threads(job["threads"])
    base, queries = np.load(job["base"], mmap_mode="r"), np.load(job["queries"])
    index = faiss.IndexFlatL2(base.shape[1])
    for first in range(0, len(base), 10_000):
        index.add(np.ascontiguousarray(base[first : first + 10_000]))
    print(json.dumps({"versions": {"faiss-cpu": faiss.__version__, "numpy": np.__version__}}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        some, k = queries[: request["count"]], request["k"]
        _, rows = index.search(some, k)
        passes, start = [], time.perf_counter()
        while not passes or time.perf_counter() - start < request["seconds"]:
            before = time.perf_counter()
            index.search(some, k)
            passes.append(time.perf_counter() - before)
        answer = {"pass_seconds": sorted(passes)[len(passes) // 2], "peak_memory": peak_memory(), "rows": rows.tolist()}
        print(json.dumps(answer), flush=True)


main()
