"""warpface's search beside faiss's exact index, in one run and by turns: what `cargo xtask peers --search` starts.

Unit vectors are drawn by a seed. In each round every setting of either works for some seconds while the other waits; of a
turn the median pass counts, of the rounds the median turn. Ours are processes that map their file anew each turn; faiss is
one process, whose vectors stay in its memory.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
COUNTS = [1, 16, 1000]
STORAGES = ["f32", "f16", "int8"]
K = 10
# Between two turns: threads that wait busily for more work give up meanwhile.
REST = 0.3


def say(text):
    print(text, file=sys.stderr, flush=True)


def unit_vectors(path, rows, dim, seed):
    """Writes unit vectors, a piece at a time."""
    random = np.random.default_rng(seed)
    out = np.lib.format.open_memmap(path, "w+", np.float32, (rows, dim))
    for first in range(0, rows, 10_000):
        piece = random.standard_normal((min(10_000, rows - first), dim), np.float32)
        out[first : first + len(piece)] = piece / np.linalg.norm(piece, axis=1, keepdims=True)
    out.flush()


class Faiss:
    def __init__(self, args, base, queries):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "search_faiss.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(args.threads)},
        )
        self.versions = self.ask({"threads": args.threads, "base": str(base), "queries": str(queries)})["versions"]

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("faiss ended without an answer")
        return json.loads(line)

    def turn(self, count, seconds):
        return self.ask({"count": count, "k": K, "seconds": seconds})

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Warpface:
    def __init__(self, args, base, queries):
        self.args, self.queries = args, queries
        self.files = {"f32": base}
        for storage in STORAGES[1:]:
            say(f"  an index in {storage}")
            self.files[storage] = args.work / f"{storage}.index"
            self.run("search", "build", self.files[storage], base, "--storage", storage)

    def run(self, *command):
        line = [self.args.binary, "--device", "cpu", "--threads", self.args.threads, *command]
        done = subprocess.run([str(part) for part in line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, line))} failed:\n{done.stderr}")
        return done.stdout

    def turn(self, storage, count, seconds):
        found = self.args.work / f"{storage}-{count}.txt"
        flags = ["--count", count, "-k", K, "--seconds", seconds, "--save", found]
        if storage == "f32" and count == 1:
            flags.append("--copy")
        answer = json.loads(self.run("--json", "bench", "search", self.files[storage], self.queries, *flags))
        pairs = [line.split() for line in found.read_text().splitlines()]
        answer["found"] = pairs
        answer["rows"] = [[int(pair.split(":")[0]) for pair in line] for line in pairs]
        return answer


def cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def agreement(ours, theirs):
    """Rows that both found, as a share."""
    same = sum(len(set(a) & set(b)) for a, b in zip(ours, theirs))
    return same / sum(map(len, ours))


def measure(args, warpface, faiss):
    turns, rows, last = {}, [], {}
    for turn in range(args.rounds):
        say(f"  round {turn + 1} of {args.rounds}")
        for count in COUNTS:
            for who in ["faiss", *STORAGES]:
                time.sleep(REST)
                answer = faiss.turn(count, args.seconds) if who == "faiss" else warpface.turn(who, count, args.seconds)
                turns.setdefault((who, count), []).append(answer)
                rows.append([count, who, answer["pass_seconds"], answer["peak_memory"], answer.get("copy_gb_s") or ""])
                last[who, count] = answer
    return turns, rows, last


def summarize(args, turns, last, files):
    median = lambda who, count: statistics.median(turn["pass_seconds"] for turn in turns[who, count])
    seconds = {str(count): {who: median(who, count) for who in ["faiss", *STORAGES]} for count in COUNTS}
    copy = statistics.median(turn["copy_gb_s"] for turn in turns["f32", 1])
    read = args.vectors * args.dim * 4 / median("f32", 1) / 1e9
    peak = {who: max(turn["peak_memory"] for count in COUNTS for turn in turns[who, count]) for who in ["faiss", *STORAGES]}
    return {
        "date": datetime.date.today().isoformat(),
        "commit": args.commit,
        "cpu": cpu_name(),
        "threads": args.threads,
        "rounds": args.rounds,
        "vectors": args.vectors,
        "dim": args.dim,
        "k": K,
        "seconds": seconds,
        "ratio_to_faiss": {str(n): seconds[str(n)]["faiss"] / seconds[str(n)]["f32"] for n in COUNTS},
        "int8_to_f32": {str(n): seconds[str(n)]["f32"] / seconds[str(n)]["int8"] for n in COUNTS},
        "read_gb_s": read,
        "copy_gb_s": copy,
        "read_to_half_of_copy": read / (copy / 2),
        "peak_memory": peak,
        "file_bytes": {storage: files[storage].stat().st_size for storage in STORAGES},
        "int8_finds_what_f32_finds": all(last["int8", n]["found"] == last["f32", n]["found"] for n in COUNTS),
        "rows_shared_with_faiss": {str(n): agreement(last["f32", n]["rows"], last["faiss", n]["rows"]) for n in COUNTS},
    }


def table(summary):
    """The summary for people."""
    yield f"{summary['cpu']}, {summary['threads']} threads, {summary['date']}, commit {summary['commit']}"
    yield f"{summary['vectors']:,} x {summary['dim']} unit vectors, the {summary['k']} nearest; {summary['versions']}"
    yield ""
    yield f"{'milliseconds a pass':<28}" + "".join(f"{count + ' queries':>16}" for count in summary["seconds"])
    for who in ["faiss", *STORAGES]:
        name = "faiss IndexFlatL2" if who == "faiss" else f"warpface {who}"
        yield f"{name:<28}" + "".join(f"{times[who] * 1e3:>16.1f}" for times in summary["seconds"].values())
    yield f"{'faiss / warpface f32':<28}" + "".join(f"{ratio:>16.2f}" for ratio in summary["ratio_to_faiss"].values())
    yield f"{'warpface f32 / int8':<28}" + "".join(f"{ratio:>16.2f}" for ratio in summary["int8_to_f32"].values())
    yield ""
    yield f"{'peak memory, MB':<28}" + "".join(f"{who:>12}" for who in summary["peak_memory"])
    yield f"{'':<28}" + "".join(f"{bytes / 1e6:>12.0f}" for bytes in summary["peak_memory"].values())
    yield f"{'beyond the file, MB':<28}{'':>12}" + "".join(
        f"{(summary['peak_memory'][storage] - summary['file_bytes'][storage]) / 1e6:>12.0f}" for storage in STORAGES
    )
    yield ""
    yield f"one query in f32 reads {summary['read_gb_s']:.1f} GB/s; a copy moves {summary['copy_gb_s']:.1f}, half of it read:"
    yield f"  {summary['read_to_half_of_copy']:.2f} of that half"
    yield f"int8 finds the rows and distances of f32: {summary['int8_finds_what_f32_finds']}"
    shares = ", ".join(f"{share:.6f} ({count})" for count, share in summary["rows_shared_with_faiss"].items())
    yield f"rows shared with faiss: {shares}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True, help="the warpface binary")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for what is made on the way")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of each turn")
    parser.add_argument("--vectors", type=int, required=True)
    parser.add_argument("--dim", type=int, required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=Path, help="a CSV file of every turn")
    args = parser.parse_args()

    base, queries = args.work / "base.npy", args.work / "queries.npy"
    say(f"{args.vectors:,} vectors of {args.dim} values")
    unit_vectors(base, args.vectors, args.dim, 1)
    unit_vectors(queries, max(COUNTS), args.dim, 2)
    warpface = Warpface(args, base, queries)
    faiss = Faiss(args, base, queries)
    turns, rows, last = measure(args, warpface, faiss)
    faiss.stop()
    summary = summarize(args, turns, last, warpface.files)
    summary["versions"] = {"python": platform.python_version(), **faiss.versions}
    if args.rows:
        with open(args.rows, "w", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["queries", "who", "pass_seconds", "peak_memory", "copy_gb_s"])
            out.writerows(rows)
    for path in [base, *(warpface.files[storage] for storage in STORAGES[1:])]:
        path.unlink()
    print(json.dumps(summary) if args.json else "\n".join(table(summary)))


main()
