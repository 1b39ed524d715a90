"""warpface beside PyTorch on one GPU, by turns: needs Python and PyTorch, and neither cargo nor a network.

    python3 gpu.py --binary ./warpface --model facenet-f16.npz --weights DIR --photos DIR

Both embed batches of the same size in the same precision. warpface is measured from pixels to embeddings, through
`warpface bench embed`; PyTorch from standardized f32 in pinned memory to embeddings ("host"), and on the device alone
with its input there already ("device"). Each line of standard output is a JSON object; the table goes to standard
error. Detection is compared with facenet-pytorch's MTCNN where that can be imported; with `--seeded`, where the weights
are nobody's, with the same cascade in PyTorch's own words (detect_pytorch.py).
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIZE = 160
# Random crops for the comparison; the bench repeats them to whole batches.
CROPS = 16
# At less than this, two networks compute different things.
SAME = {"f32": 0.9999, "tf32": 0.999, "f16": 0.999, "bf16": 0.995}
# The same of embeddings less their mean: random weights give all crops nearly one embedding.
SAME_SEEDED = {"f32": 0.9999, "tf32": 0.99, "f16": 0.99, "bf16": 0.9}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Missing(Exception):
    """Why somebody takes no part."""


class Worker:
    """A process that answers JSON lines; one that takes too long is ended, and the next question starts another."""

    def __init__(self, script, job, log):
        self.script, self.job, self.log = script, job, log
        self.process, self.broken = None, None

    def start(self):
        with open(self.log, "w") as log:
            line = [sys.executable, str(HERE / self.script)]
            self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            return self.exchange(self.job, 300)
        except Missing as reason:
            # It would fail again.
            self.stop()
            self.broken = str(reason)
            raise

    def ask(self, limit=600, **request):
        if self.broken:
            raise Missing(self.broken)
        if self.process is None:
            self.start()
        return self.exchange(request, limit)

    def exchange(self, request, limit):
        timer = threading.Timer(limit, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        late = not timer.is_alive()
        timer.cancel()
        if not line:
            self.stop()
            lines = [line for line in Path(self.log).read_text(errors="replace").splitlines() if line.strip()]
            said = lines[-1].strip() if lines else "it ended without a word"
            raise Missing(f"it took more than {limit:.0f} s" if late else said[:300])
        answer = json.loads(line)
        if "missing" in answer:
            raise Missing(answer["missing"])
        return answer

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class Warpface:
    """Our own binary; every turn is a process, which warms up before it measures."""

    def __init__(self, args):
        self.args = args

    def run(self, *command, limit=300):
        args = self.args
        model = ["--model", str(args.model), "--standardize", "fixed"]
        flags = ["--device", args.ours or args.device, "--weights", str(args.weights), *model]
        if args.seeded:
            # Files of published names with other weights in them.
            flags.append("--allow-modified-weights")
        line = [str(args.binary), *flags, *map(str, command)]
        try:
            done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Missing(str(error)) from None
        # 3: done, but for some photographs.
        if done.returncode not in (0, 3):
            raise Missing((done.stderr.strip().splitlines() or ["it failed without a word"])[-1])
        return done.stdout

    def rate(self, task, photographs, *more):
        out = self.run("--json", "bench", task, photographs, "--seconds", self.args.seconds, *more)
        line = json.loads(out)
        return line["faces_per_second" if task == "embed" else "photographs_per_second"]

    def by_events(self, batch, precision):
        """A batch's time on the device by its own clock: what the network's steps take, each its median."""
        line = json.loads(self.run("--json", "bench", "facenet", "--batch", batch, "--runs", 5, "--precision", precision))
        return {"device_ms": line["ms"], "device_rate": line["images_per_second"]}

    def train_rate(self, batch, classes, precision):
        """Photographs a second of a step of training."""
        flags = ["--batch", batch, "--classes", classes, "--seconds", 5 * self.args.seconds, "--precision", precision]
        return json.loads(self.run("--json", "bench", "train", *flags))["photographs_per_second"]

    def train_by_events(self, batch, classes, precision):
        """A step's time on the device by its own clock: what its kernels take, each for itself."""
        flags = ["--batch", batch, "--classes", classes, "--seconds", 0, "--precision", precision, "--ops"]
        seconds = sum(op["ms"] for op in json.loads(self.run("--json", "bench", "train", *flags))["ops"]) / 1e3
        return {"device_ms": 1e3 * seconds, "device_rate": batch / seconds}


def cosine(a, b):
    dot = lambda x, y: sum(p * q for p, q in zip(x, y))
    return dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5


def centred(rows):
    """Rows less their mean."""
    mean = [sum(column) / len(rows) for column in zip(*rows)]
    return [[x - m for x, m in zip(row, mean)] for row in rows]


def make_crops(folder):
    """Random crops as files that warpface reads, and as the bytes of all of them."""
    folder.mkdir()
    generator, everything = random.Random(1), b""
    for i in range(CROPS):
        # Patches of one colour, so that there is something to see at every scale.
        patch = [4, 8, 16, 32][i % 4]
        side = SIZE // patch
        colours = [generator.randbytes(3) for _ in range(side * side)]
        rows = (b"".join(colours[y // patch * side + x // patch] for x in range(SIZE)) for y in range(SIZE))
        pixels = b"".join(rows)
        (folder / f"{i:02}.ppm").write_bytes(b"P6\n%d %d\n255\n" % (SIZE, SIZE) + pixels)
        everything += pixels
    raw = folder.with_suffix(".raw")
    raw.write_bytes(everything)
    return raw


class Contest:
    def __init__(self, args, work):
        self.args, self.work, self.begin = args, work, time.monotonic()
        self.warpface = Warpface(args)
        job = {"device": args.device, "weights": str(args.model)}
        self.pytorch = Worker("gpu_worker.py", job, work / "gpu_worker.log")
        self.lines, self.embedded = [], {}

    def keep(self, **line):
        self.lines.append(line)
        print(json.dumps(line), flush=True)
        if self.args.rows:
            with open(self.args.rows, "a") as file:
                file.write(json.dumps(line) + "\n")

    def is_over(self):
        return time.monotonic() - self.begin > self.args.limit

    def ours(self, precision, crops):
        """Our embeddings of the crops, or why there are none."""
        # Here and not above: reading arrays takes PyTorch, which may be what is missing.
        import npz

        out = self.work / f"ours-{precision}"
        self.warpface.run("embed", crops, "--aligned", "-o", out, "--precision", precision)
        return npz.load(out / "embeddings.npy").tolist()

    def embed(self):
        crops = self.work / "crops"
        raw = make_crops(crops)
        try:
            device = self.pytorch.start()
        except Missing as reason:
            device = {"missing": f"PyTorch: {reason}"}
        self.keep(task="device", **device)
        for precision in self.args.precisions:
            for batch in self.args.batches:
                if self.is_over():
                    self.keep(task="embed", precision=precision, batch=batch, missing="the time is over")
                    continue
                self.pair(precision, batch, crops, raw)
            self.ceiling(precision)
        self.pytorch.stop()

    def ceiling(self, precision):
        n = 8192 if precision in ("f16", "bf16") else 4096
        if self.args.device != "cuda":
            n = 512
        try:
            self.keep(task="gemm", precision=precision, n=n, **self.pytorch.ask(do="gemm", precision=precision, n=n))
        except Missing as reason:
            self.keep(task="gemm", precision=precision, n=n, missing=str(reason))

    def pair(self, precision, batch, crops, raw):
        """Everybody in one precision at one batch size, by turns."""
        say(f"{precision}, batch {batch}")
        what = {"task": "embed", "precision": precision, "batch": batch}
        rates, found, cosines, running = [], {}, {}, True
        try:
            if precision not in self.embedded:
                self.embedded[precision] = self.ours(precision, crops)
            expected = self.embedded[precision]
        except Missing as reason:
            expected, running = None, False
            self.keep(**what, setting="warpface", missing=str(reason))
        except ImportError as reason:
            expected = None
            say(f"  not compared: {reason}")
        for setting in self.args.settings:
            try:
                ask = dict(do="prepare", precision=precision, batch=batch, setting=setting)
                self.pytorch.ask(limit=self.args.compile_limit, **ask)
                if expected:
                    theirs = self.pytorch.ask(do="embed", setting=setting, pixels=str(raw))["embeddings"]
                    pair = (centred(expected), centred(theirs)) if self.args.seeded else (expected, theirs)
                    cosines[setting] = min(map(cosine, *pair))
                    if not cosines[setting] >= (SAME_SEEDED if self.args.seeded else SAME)[precision]:
                        raise Missing(f"it computes something else: the least cosine is {cosines[setting]:.6f}")
                found[setting] = []
            except Missing as reason:
                self.keep(**what, setting=setting, missing=str(reason))
        for _ in range(self.args.rounds):
            if running:
                try:
                    rates.append(self.warpface.rate("embed", crops, "--batch", batch, "--precision", precision))
                except Missing as reason:
                    self.keep(**what, setting="warpface", missing=str(reason))
                    running = False
            for setting in list(found):
                try:
                    found[setting].append(self.pytorch.ask(do="measure", setting=setting, seconds=self.args.seconds))
                except Missing as reason:
                    self.keep(**what, setting=setting, missing=str(reason))
                    del found[setting]
        ours, events = statistics.median(rates) if rates else None, {}
        if ours:
            try:
                events = self.warpface.by_events(batch, precision)
            except Missing as reason:
                self.keep(**what, setting="warpface by events", missing=str(reason))
            self.keep(**what, setting="warpface", rate=ours, **events, rounds=rates)
        for setting, rounds in found.items():
            middle = {key: statistics.median(line[key] for line in rounds) for key in rounds[0]}
            ratios = {}
            if ours:
                ratios = {"ratio_host": ours / middle["rate"], "ratio_device": ours / middle["device_rate"]}
            if events:
                ratios["ratio_events"] = events["device_rate"] / middle["device_rate"]
            self.keep(**what, setting=setting, **middle, **ratios, least_cosine=cosines.get(setting), rounds=rounds)
        try:
            self.pytorch.ask(do="release")
        except Missing:
            pass

    def train(self):
        """A step of training, by turns: the whole step from pixels in the host's memory to the loss."""
        classes, batch = 1000, self.args.train_batch
        job = {"device": self.args.device, "weights": str(self.args.model)}
        for precision in (p for p in self.args.precisions if p != "tf32"):
            what = {"task": "train", "precision": precision, "batch": batch}
            ours, found = [], {}
            for setting in self.args.train_settings:
                peer = Worker("gpu_train_worker.py", job, self.work / f"train-{setting}.log")
                ask = dict(do="prepare", precision=precision, batch=batch, setting=setting, classes=classes)
                try:
                    peer.ask(limit=self.args.compile_limit, **ask)
                    found[setting] = (peer, [])
                except Missing as reason:
                    self.keep(**what, setting=setting, missing=str(reason))
                    peer.stop()
            for _ in range(self.args.rounds):
                try:
                    ours.append(self.warpface.train_rate(batch, classes, precision))
                except Missing as reason:
                    self.keep(**what, setting="warpface", missing=str(reason))
                    break
                for setting, (peer, rates) in found.items():
                    try:
                        rates.append(peer.ask(do="measure", seconds=5 * self.args.seconds)["rate"])
                    except Missing as reason:
                        self.keep(**what, setting=setting, missing=str(reason))
            rate, events = statistics.median(ours) if ours else None, {}
            if rate:
                try:
                    events = self.warpface.train_by_events(batch, classes, precision)
                except Missing as reason:
                    self.keep(**what, setting="warpface by events", missing=str(reason))
                self.keep(**what, setting="warpface", rate=rate, **events, rounds=ours)
            for setting, (peer, rates) in found.items():
                peer.stop()
                if rates:
                    middle = statistics.median(rates)
                    self.keep(**what, setting=setting, rate=middle, ratio_host=rate and rate / middle, rounds=rates)

    def detect(self):
        suffixes = {".jpg", ".jpeg", ".png", ".ppm"}
        paths = sorted(path for path in self.args.photos.rglob("*") if path.suffix.lower() in suffixes)
        paths = paths[: self.args.count]
        folder = self.work / "photographs"
        folder.mkdir()
        for i, path in enumerate(paths):
            (folder / f"{i:04}{path.suffix.lower()}").symlink_to(path.resolve())
        job = {"threads": 4, "device": self.args.device, "photographs": list(map(str, paths))}
        name, script = "facenet-pytorch", "detect_facenet_pytorch.py"
        if self.args.seeded:
            name, script = "PyTorch", "detect_pytorch.py"
            job["weights"] = str(self.args.weights)
        what = {"task": "detect", **({"label": self.args.label} if self.args.label else {})}
        peer, found, ours = Worker(script, job, self.work / "detect.log"), {}, []
        try:
            started = peer.start()
            found = {setting: [] for setting in started["settings"]}
            self.keep(**what, setting=name, versions=started["versions"])
        except Missing as reason:
            self.keep(**what, setting=name, missing=str(reason))
        for _ in range(self.args.rounds):
            try:
                ours.append(self.warpface.rate("detect", folder))
            except Missing as reason:
                self.keep(**what, setting="warpface", missing=str(reason))
                break
            for setting in found:
                answer = peer.exchange({"setting": setting, "batch": 1, "seconds": self.args.seconds}, 600)
                found[setting].append(answer["rate"])
        peer.stop()
        rate = statistics.median(ours) if ours else None
        if rate:
            self.keep(**what, setting="warpface", rate=rate, photographs=len(paths), rounds=ours)
        for setting, rates in found.items():
            if rates:
                middle = statistics.median(rates)
                full = f"{name}, {setting}"
                self.keep(**what, setting=full, rate=middle, ratio_host=rate and rate / middle, rounds=rates)

    def table(self):
        """The lines as a table of Markdown."""
        number = lambda line, key, form: format(line[key], form) if line.get(key) is not None else "-"
        yield "| task | precision | batch | who | per second | on the device | ours to it, host | ours to it, device | cosine |"
        yield "|---|---|--:|---|--:|--:|--:|--:|--:|"
        for line in self.lines:
            if "rate" not in line:
                continue
            cells = [line["task"], line.get("precision", "f32"), str(line.get("batch", "-")), line["setting"]]
            cells += [number(line, "rate", ".1f"), number(line, "device_rate", ".1f")]
            cells += [number(line, "ratio_host", ".2f"), number(line, "ratio_device", ".2f")]
            cells += [number(line, "least_cosine", ".6f")]
            yield "| " + " | ".join(cells) + " |"
        yield ""
        for line in self.lines:
            if line["task"] == "gemm" and "tflops" in line:
                yield f"PyTorch's matrix product of {line['n']} in {line['precision']}: {line['tflops']:.1f} TFLOP/s"
            if "missing" in line:
                name = [str(line[key]) for key in ("task", "precision", "batch", "setting") if key in line]
                yield f"missing: {', '.join(name)}: {line['missing']}"


def main():
    listed = lambda kind: lambda text: [kind(word) for word in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True, help="the warpface binary")
    parser.add_argument("--model", type=Path, required=True, help="an .npz that `warpface convert` wrote")
    parser.add_argument("--weights", type=Path, required=True, help="the folder of det1.npy to det3.npy")
    parser.add_argument("--photos", type=Path, help="photographs to detect in; without it, only embedding is measured")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu is for trying this file out")
    parser.add_argument("--precisions", type=listed(str), default=["f16", "bf16", "tf32", "f32"])
    parser.add_argument("--batches", type=listed(int), default=[256, 32, 1, 1024])
    parser.add_argument("--settings", type=listed(str), default=["eager", "graph", "compiled"])
    parser.add_argument("--tasks", type=listed(str), default=["embed", "train", "detect"])
    parser.add_argument("--train-settings", type=listed(str), default=["eager", "compiled"])
    parser.add_argument("--seeded", action="store_true", help="the weights are drawn by a seed, whatever the files' names")
    parser.add_argument("--ours", choices=["cuda", "wgpu", "cpu"], help="where warpface runs, if elsewhere")
    parser.add_argument("--rows", type=Path, help="a file that every line is appended to")
    parser.add_argument("--label", help="what the photographs are called in the lines")
    parser.add_argument("--train-batch", type=int, default=90, help="photographs of a step of training")
    parser.add_argument("--count", type=int, default=64, help="photographs, at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--limit", type=float, default=1e9, help="seconds after which no new pair is begun")
    parser.add_argument("--compile-limit", type=float, default=600, help="seconds for a setting to get ready")
    args = parser.parse_args()
    for path in filter(None, [args.binary, args.model, args.weights, args.photos]):
        if not path.exists():
            sys.exit(f"{path} is not there")
    with tempfile.TemporaryDirectory() as work:
        contest = Contest(args, Path(work))
        if "embed" in args.tasks:
            contest.embed()
        if "train" in args.tasks:
            contest.train()
        if args.photos and "detect" in args.tasks:
            contest.detect()
        say("\n".join(contest.table()))
    if not any("ratio_host" in line for line in contest.lines):
        sys.exit("nothing could be compared")


main()
