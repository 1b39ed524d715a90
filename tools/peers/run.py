"""warpface beside its peers, in one run and by turns: what `cargo xtask peers` starts.

Every peer is a process of its own (worker.py), started once; in each round each setting of each member works for some
seconds while the others wait. The median round counts, and of a member's settings the best. A setting whose embeddings are
not ours is left out; a peer with no other is no peer, and is listed as missing with the reason.
"""

import argparse
import csv
import datetime
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

import page
from contest import HERE, Build, Contest, Contestant, Missing, Peer, say
from worker import photograph

EMBED = ["onnxruntime", "openvino", "tensorflow", "pytorch"]
DETECT = ["original", "facenet_pytorch"]
TRAIN = ["pytorch"]
# ONNX Runtime's CPU kernels know bf16 on Arm alone.
EMBED_BF16 = ["openvino", "tensorflow", "pytorch"]
CONTESTS = ["embed", "bf16", "detect", "train"]
BATCHES = [32, 1]
# Training: photographs of a batch, their side, and people that the classifier tells apart.
TRAIN_BATCH, TRAIN_SIZE, CLASSES = 16, 160, 1000
# The least cosine with our f32 embedding of the same crop at which another is the same.
SAME = {"f32": 0.9999, "bf16": 0.9995}


class Run:
    """What the contests share."""

    def __init__(self, args):
        self.args, self.work = args, args.work
        self.photographs = args.work / "photographs"
        self.paths = choose(args.photos, args.count, self.photographs)
        self.missing = {}
        self.builds = self.open_builds()
        self.warpface = self.builds["warpface"]

    def build(self, binary, isa=None):
        return Build(binary, self.args.weights, self.args.device, self.args.threads, isa)

    def open_builds(self):
        """All builds by the names of their rows."""
        args = self.args
        builds = {"warpface": self.build(args.binary)}
        if args.before:
            builds["before"] = self.build(args.before)
        if not args.avx2:
            return builds
        for name, held in (("warpface", None), ("before", args.before_avx2)):
            if name not in builds:
                continue
            own = builds[name].kernels()
            lower = self.build(held or Path(builds[name].line[0]), "avx2")
            if "512" in own and "512" not in lower.kernels():
                builds[f"{name} avx2"] = lower
            else:
                self.missing[f"{name} avx2"] = f"its kernels are {lower.kernels()}" + (
                    ", whatever WARPFACE_ISA says" if "512" in own else " already"
                )
        return builds

    def start(self, name, contest):
        """A peer of a contest, about to be started."""
        job = {"threads": self.args.threads, "work": str(self.work), "batches": contest.batches}
        job.update(contest.job)
        log = self.work / f"{contest.task}_{contest.precision}_{name}.log"
        return lambda: Peer(name, contest.task, job, log)

    def measure(self, contest, peers, check, own):
        """All members enter and make their rounds; `own` makes a contestant of a build."""
        for name, build in self.builds.items():
            contest.enter(name, lambda: own(build), check)
        for name in peers:
            contest.enter(name, self.start(name, contest), check)
        contest.run(self.args.rounds, self.args.seconds)
        return contest


def choose(folder, count, into):
    """Links to some photographs of a folder, evenly spread, in `into/all`."""
    suffixes = {".jpg", ".jpeg", ".png"}
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and not path.name.startswith("."))
    if not found:
        sys.exit(f"{folder}: no photographs are here")
    count = min(count, len(found))
    links = into / "all"
    links.mkdir(parents=True)
    for i in range(count):
        path = found[i * len(found) // count].resolve()
        (links / f"{i:04}{path.suffix.lower()}").symlink_to(path)
    return sorted(links.iterdir())


def read_crops(folder):
    """The crops as the network takes them: RGB, fixed standardization, [n, 160, 160, 3]."""
    files = sorted(folder.rglob("*.png"))
    return files, np.stack([(photograph(path).astype(np.float32) - 127.5) / 128 for path in files])


def overlap(a, b):
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return shared / (area(a) + area(b) - shared)


def compare_boxes(ours, theirs):
    """How our boxes stand to theirs, each compared with the one that it overlaps most."""
    same_count = sum(len(a) == len(b) for a, b in zip(ours, theirs))
    pairs = [(a, max(boxes, key=lambda b: overlap(a, b))) for mine, boxes in zip(ours, theirs) if boxes for a in mine]
    close = sum(max(abs(x - y) for x, y in zip(a, b)) <= 1 for a, b in pairs)
    total = sum(map(len, ours))
    return {
        "photographs": len(ours),
        "same_count": same_count,
        "our_boxes": total,
        "their_boxes": sum(map(len, theirs)),
        "within_1px": close,
        "median_iou": statistics.median(overlap(a, b) for a, b in pairs) if pairs else None,
    }


class Crops:
    """The faces that all embed, and our own f32 embeddings of them, by direct convolutions where there is a choice."""

    def __init__(self, run):
        self.run, self.folder, self.file = run, run.work / "crops", run.work / "crops.npy"
        run.warpface.run("align", run.photographs, self.folder)
        self.files, crops = read_crops(self.folder)
        np.save(self.file, crops)
        direct = next(iter(run.warpface.convolutions().values()))
        self.ours = np.load(self.embeddings(run.warpface, direct))

    def embeddings(self, build, flags):
        """The file of a build's embeddings."""
        to = self.run.work / "embeddings"
        build.run(*flags, "embed", self.folder, "--aligned", "-o", to)
        paths = (to / "paths.txt").read_text().splitlines()
        assert [Path(path).resolve() for path in paths] == [path.resolve() for path in self.files]
        return to / "embeddings.npy"

    def least_cosine(self, member, setting, batch):
        path = self.run.work / "theirs.npy"
        member.save(setting, batch, path)
        theirs = np.load(path).astype(np.float64)
        ours = self.ours.astype(np.float64)
        cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        return float(cosines.min())

    def check(self, member, same):
        """The least cosine of each setting; a setting whose embeddings are not the same is taken out."""
        # A build's batch is nothing to its results.
        batches = BATCHES[:1] if isinstance(member, Contestant) else BATCHES
        least = {setting: min(self.least_cosine(member, setting, batch) for batch in batches) for setting in member.settings}
        wrong = {setting: cosine for setting, cosine in least.items() if not cosine >= same}
        for setting, cosine in wrong.items():
            say(f"    {setting}: left out, it computes something else (least cosine with ours {cosine:.6f})")
        member.settings = [setting for setting in member.settings if setting not in wrong]
        if not member.settings:
            raise Missing(f"it computes something else: the least cosine with our embeddings is {max(least.values()):.6f}")
        return {"crops": len(self.ours), "least_cosine": least, "wrong_settings": wrong}

    def contest(self, precision, peers):
        """Embedding in a precision."""
        contest = Contest("embed", precision, BATCHES)
        contest.job = {"crops": str(self.file), "precision": precision}

        def own(build):
            settings = {precision: ["--precision", precision]} if precision != "f32" else build.convolutions()
            return Contestant(build, settings, lambda batch: ["embed", self.folder, "--batch", batch], self.embeddings)

        return self.run.measure(contest, peers, lambda member: self.check(member, SAME[precision]), own)


def detect_contest(run):
    say("detection: the same photographs, decoded first")

    def found(build, flags):
        """The faces by photograph."""
        lines = [json.loads(line) for line in build.run("--json", *flags, "detect", run.photographs).splitlines()]
        return {Path(line["image"]).name: [(face["box"], face["score"]) for face in line["faces"]] for line in lines}

    first = found(run.warpface, [])
    paths = [path for path in run.paths if path.name in first]
    ours = [[box for box, _ in first[path.name]] for path in paths]

    def save(build, flags):
        path, faces = run.work / "ours.json", found(build, flags)
        path.write_text(json.dumps([faces.get(path.name, []) for path in paths]))
        return path

    def check(member):
        path = run.work / "theirs.json"
        member.save(member.settings[0], 1, path)
        return compare_boxes(ours, [[box for box, _ in faces] for faces in json.loads(path.read_text())])

    contest = Contest("detect", "f32", [1])
    contest.job = {"photographs": [str(path) for path in paths]}
    own = lambda build: Contestant(build, {"default": []}, lambda batch: ["detect", run.photographs], save)
    return run.measure(contest, DETECT, check, own)


def train_contest(run):
    say("training: the same network, sizes and optimizer, made-up photographs")
    contest = Contest("train", "f32", [TRAIN_BATCH])
    contest.job = {"size": TRAIN_SIZE, "classes": CLASSES}
    bench = lambda batch: ["train", "--batch", batch, "--size", TRAIN_SIZE, "--classes", CLASSES]
    return run.measure(contest, TRAIN, lambda member: {}, lambda build: Contestant(build, build.convolutions(), bench, None))


def cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def prepare(run):
    """The published graph in the forms that peers read."""
    say("the published graph in the peers' forms")
    line = [sys.executable, str(HERE / "prepare.py"), str(run.args.weights / "graph_final.pb"), str(run.work)]
    with open(run.work / "prepare.log", "w") as log:
        if subprocess.run(line, stdout=log, stderr=log).returncode != 0:
            say(f"  failed, see {run.work / 'prepare.log'}: peers that need a missing form will be missing")


def contests(run):
    """Those that were asked for, by name."""
    only, found = run.args.only, {}
    crops = Crops(run) if {"embed", "bf16"} & set(only) else None
    if "embed" in only:
        say("embedding: the same crops, the same weights")
        found["embed"] = crops.contest("f32", EMBED)
    if "bf16" in only:
        say("embedding in bf16")
        found["bf16"] = crops.contest("bf16", EMBED_BF16)
    if "detect" in only:
        found["detect"] = detect_contest(run)
    if "train" in only:
        found["train"] = train_contest(run)
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True, help="the warpface binary")
    parser.add_argument("--before", type=Path, help="another, which has rows of its own")
    parser.add_argument("--before-avx2", type=Path, help="that build held to AVX2, where it does not know WARPFACE_ISA")
    parser.add_argument("--avx2", action="store_true", help="rows of our builds held to AVX2")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for what is made on the way")
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--count", type=int, required=True, help="photographs to take, at most")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of each turn")
    parser.add_argument("--only", nargs="+", choices=CONTESTS, default=CONTESTS)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=Path, help="a CSV file of every turn's rate")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        run = Run(args)
        prepare(run)
        found = contests(run)
    except Missing as reason:
        sys.exit(f"warpface failed: {reason}")
    ratios = page.ratios(found)
    summary = {
        "date": datetime.date.today().isoformat(),
        "commit": args.commit,
        "device": args.device,
        "cpu": cpu_name(),
        "kernels": run.warpface.kernels(),
        "threads": args.threads,
        "rounds": args.rounds,
        "seconds": args.seconds,
        "photographs": len(run.paths),
        "versions": {"python": platform.python_version()},
        "rates": {name: contest.rates() for name, contest in found.items()},
        "agreement": {name: contest.agreement for name, contest in found.items()},
        "missing": {f"warpface: {name}": reason for name, reason in run.missing.items()},
        "ratios": [ratio._asdict() for ratio in ratios],
    }
    for name, contest in found.items():
        summary["versions"].update(contest.versions)
        summary["missing"].update({f"{name}: {who}": reason for who, reason in contest.missing.items()})
    if args.rows:
        with open(args.rows, "w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["task", "precision", "batch", "who", "setting", "per_second"])
            rows.writerows(row for contest in found.values() for row in contest.rows)
    print("\n".join(page.lines(summary, found, ratios)), flush=True)
    if args.json:
        print(json.dumps(summary))


main()
