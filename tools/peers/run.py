"""warpface beside its peers, in one run and by turns: what `cargo xtask peers` starts.

Every peer is a process of its own (worker.py), started once; in each round each setting of each peer works for some
seconds while the others wait. The median round counts, and of a peer's settings the best. A setting whose embeddings are
not ours is left out; a peer with no other is no peer, and is listed as missing with the reason.
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

from worker import photograph

HERE = Path(__file__).parent
EMBED = ["onnxruntime", "openvino", "tensorflow", "pytorch"]
DETECT = ["original", "facenet_pytorch"]
TRAIN = ["pytorch"]
BATCHES = [32, 1]
# Training: photographs of a batch, their side, and people that the classifier tells apart.
TRAIN_BATCH, TRAIN_SIZE, CLASSES = 16, 160, 1000
# The least cosine at which two embeddings of one crop are the same.
SAME = 0.9999
# Between two turns: threads that wait busily for more work give up meanwhile.
REST = 0.3


def say(text):
    print(text, file=sys.stderr, flush=True)


class Missing(Exception):
    """Why a peer takes no part."""


class Peer:
    """A peer in its own process."""

    def __init__(self, task, name, job, log):
        self.task, self.name = task, name
        threads = str(job["threads"])
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / f"{task}_{name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(log, "w"),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )
        self.log = log
        ready = self.ask(job)
        if "missing" in ready:
            raise Missing(ready["missing"])
        self.versions, self.settings = ready["versions"], ready["settings"]

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            lines = [line for line in Path(self.log).read_text().splitlines() if line.strip()]
            raise Missing(lines[-1] if lines else "it ended without a word")
        return json.loads(line)

    def save(self, setting, batch, path):
        self.ask({"setting": setting, "batch": batch, "save": str(path)})

    def rate(self, setting, batch, seconds):
        return self.ask({"setting": setting, "batch": batch, "seconds": seconds})["rate"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Warpface:
    """Our own binary; every turn is a process, which warms up before it measures."""

    def __init__(self, args):
        self.args = args

    def run(self, *command):
        flags = ["--device", self.args.device, "--threads", str(self.args.threads), "--weights", str(self.args.weights)]
        line = [str(self.args.binary), *flags, "--model", str(self.args.weights / "graph_final.pb"), *map(str, command)]
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # 3: done, but for some photographs.
        if done.returncode not in (0, 3):
            sys.exit(f"{' '.join(line)} failed:\n{done.stderr}")
        return done.stdout

    def rate(self, task, batch, seconds, photographs):
        if task == "train":
            flags = ["--batch", batch, "--size", TRAIN_SIZE, "--classes", CLASSES]
        else:
            flags = [photographs, *(["--batch", batch] if task == "embed" else [])]
        line = json.loads(self.run("--json", "bench", task, *flags, "--seconds", seconds))
        return line["faces_per_second" if task == "embed" else "photographs_per_second"]


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


class Contest:
    """One task: who takes part, and how they did."""

    def __init__(self, task, names, batches):
        self.task, self.names, self.batches = task, names, batches
        self.peers, self.missing, self.agreement, self.versions = {}, {}, {}, {}
        self.rounds, self.rows = {}, []

    def start(self, job, work, check):
        """Starts the peers and compares what they compute with ours."""
        for name in self.names:
            say(f"  {name}")
            peer = None
            try:
                peer = Peer(self.task, name, job, work / f"{self.task}_{name}.log")
                self.agreement[name] = check(peer)
                self.peers[name] = peer
                self.versions.update(peer.versions)
            except Missing as reason:
                say(f"    missing: {reason}")
                self.missing[name] = str(reason)
                if peer:
                    peer.stop()

    def run(self, args, warpface, photographs):
        """The rounds; everybody in turn."""
        for turn in range(args.rounds):
            say(f"  round {turn + 1} of {args.rounds}")
            for batch in self.batches:
                rate = warpface.rate(self.task, batch, args.seconds, photographs)
                self.keep("warpface", "default", batch, rate)
                for name, peer in self.peers.items():
                    for setting in peer.settings:
                        time.sleep(REST)
                        self.keep(name, setting, batch, peer.rate(setting, batch, args.seconds))
                time.sleep(REST)
        for peer in self.peers.values():
            peer.stop()

    def keep(self, name, setting, batch, rate):
        self.rows.append([self.task, batch, name, setting, rate])
        self.rounds.setdefault(batch, {}).setdefault(name, {}).setdefault(setting, []).append(rate)

    def best(self, batch, name):
        """The best setting's median rate, and the setting."""
        settings = self.rounds.get(batch, {}).get(name)
        if not settings:
            return None, None
        return max((statistics.median(rates), setting) for setting, rates in settings.items())

    def ratio(self, batch, names):
        """Our rate to that of the fastest of some peers; None if one of them is missing."""
        rates = [self.best(batch, name)[0] for name in names]
        return None if None in rates else self.best(batch, "warpface")[0] / max(rates)

    def rates(self, batch):
        return {name: self.best(batch, name)[0] for name in ["warpface", *self.names]}

    def settings(self, batch):
        return {name: self.best(batch, name)[1] for name in self.names}


def embed_contest(args, warpface, photographs):
    say("embedding: the same crops, the same weights")
    crops_folder = args.work / "crops"
    warpface.run("align", photographs, crops_folder)
    files, crops = read_crops(crops_folder)
    np.save(args.work / "crops.npy", crops)
    warpface.run("embed", crops_folder, "--aligned", "-o", args.work / "ours")
    ours = np.load(args.work / "ours/embeddings.npy")
    paths = (args.work / "ours/paths.txt").read_text().splitlines()
    assert [Path(path).resolve() for path in paths] == [path.resolve() for path in files]

    def least_cosine(peer, setting, batch):
        path = args.work / "theirs.npy"
        peer.save(setting, batch, path)
        theirs = np.load(path)
        cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        return float(cosines.min())

    def check(peer):
        least = {setting: min(least_cosine(peer, setting, batch) for batch in BATCHES) for setting in peer.settings}
        wrong = {setting: cosine for setting, cosine in least.items() if not cosine >= SAME}
        for setting, cosine in wrong.items():
            say(f"    {setting}: left out, it computes something else (least cosine with ours {cosine:.6f})")
        peer.settings = [setting for setting in peer.settings if setting not in wrong]
        if not peer.settings:
            raise Missing(f"it computes something else: the least cosine with our embeddings is {max(least.values()):.6f}")
        return {"crops": len(ours), "least_cosine": min(least[name] for name in peer.settings), "wrong_settings": wrong}

    contest = Contest("embed", EMBED, BATCHES)
    job = {"threads": args.threads, "work": str(args.work), "crops": str(args.work / "crops.npy"), "batches": BATCHES}
    contest.start(job, args.work, check)
    contest.run(args, warpface, crops_folder)
    return contest, len(crops)


def detect_contest(args, warpface, photographs, paths):
    say("detection: the same photographs, decoded first")
    lines = [json.loads(line) for line in warpface.run("--json", "detect", photographs).splitlines()]
    ours = {Path(line["image"]).name: [face["box"] for face in line["faces"]] for line in lines}
    paths = [path for path in paths if path.name in ours]

    def check(peer):
        path = args.work / "theirs.json"
        peer.save(peer.settings[0], 1, path)
        theirs = [[box for box, _ in faces] for faces in json.loads(path.read_text())]
        return compare_boxes([ours[path.name] for path in paths], theirs)

    contest = Contest("detect", DETECT, [1])
    job = {"threads": args.threads, "work": str(args.work), "photographs": [str(path) for path in paths]}
    contest.start(job, args.work, check)
    contest.run(args, warpface, photographs)
    return contest


def train_contest(args, warpface):
    say("training: the same network, sizes and optimizer, made-up photographs")
    contest = Contest("train", TRAIN, [TRAIN_BATCH])
    job = {"threads": args.threads, "work": str(args.work), "batches": [TRAIN_BATCH], "size": TRAIN_SIZE, "classes": CLASSES}
    contest.start(job, args.work, lambda peer: {})
    contest.run(args, warpface, None)
    return contest


def cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(summary):
    """The summary for people."""
    yield f"{summary['cpu']}, {summary['threads']} threads, {summary['date']}, commit {summary['commit']}"
    yield ""
    yield f"{'faces/s':<18}" + "".join(f"{'batch ' + batch:>26}" for batch in summary["embed"]) + f"{'least cosine':>16}"
    for name in ["warpface", *EMBED]:
        cells = []
        for batch, rates in summary["embed"].items():
            setting = summary["embed_settings"][batch].get(name)
            cells.append(f"{rates[name]:.1f}" + (f" ({setting})" if setting else "") if rates[name] else "-")
        cosine = summary["embed_agreement"].get(name, {}).get("least_cosine")
        yield f"{name:<18}" + "".join(f"{cell:>26}" for cell in cells) + (f"{cosine:>16.6f}" if cosine else "")
    yield ""
    yield f"{'photographs/s':<18}{'':>26}{'same count':>14}{'within 1 px':>14}{'median IoU':>12}"
    for name in ["warpface", *DETECT]:
        rate, setting = summary["detect"][name], summary["detect_settings"].get(name)
        cell = f"{rate:.1f}" + (f" ({setting})" if setting else "") if rate else "-"
        line = f"{name:<18}{cell:>26}"
        if found := summary["detect_agreement"].get(name):
            same = f"{found['same_count']}/{found['photographs']}"
            close = f"{found['within_1px']}/{found['our_boxes']}"
            iou = "-" if found["median_iou"] is None else f"{found['median_iou']:.4f}"
            line += f"{same:>14}{close:>14}{iou:>12}"
        yield line
    yield ""
    yield f"{'training, batch ' + str(TRAIN_BATCH):<18}"
    for name in ["warpface", *TRAIN]:
        rate, setting = summary["train"][name], summary["train_settings"].get(name)
        yield f"{name:<18}{(f'{rate:.2f}' + (f' ({setting})' if setting else '')) if rate else '-':>26}"
    yield ""
    for name, reason in summary["missing"].items():
        yield f"missing: {name}: {reason}"
    for key in summary:
        if "_ratio_" in key:
            yield f"{key:<36}" + ("-" if summary[key] is None else f"{summary[key]:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True, help="the warpface binary")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for what is made on the way")
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--count", type=int, required=True, help="photographs to take, at most")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of each turn")
    parser.add_argument("--commit", required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=Path, help="a CSV file of every turn's rate")
    args = parser.parse_args()

    warpface = Warpface(args)
    photographs = args.work / "photographs"
    paths = choose(args.photos, args.count, photographs)
    say("the published graph in the peers' forms")
    prepare = [sys.executable, str(HERE / "prepare.py"), str(args.weights / "graph_final.pb"), str(args.work)]
    with open(args.work / "prepare.log", "w") as log:
        if subprocess.run(prepare, stdout=log, stderr=log).returncode != 0:
            say(f"  failed, see {args.work / 'prepare.log'}: peers that need a missing form will be missing")

    embed, crops = embed_contest(args, warpface, photographs)
    detect = detect_contest(args, warpface, photographs, paths)
    train = train_contest(args, warpface)
    headline = BATCHES[0]
    summary = {
        "date": datetime.date.today().isoformat(),
        "commit": args.commit,
        "device": args.device,
        "cpu": cpu_name(),
        "threads": args.threads,
        "rounds": args.rounds,
        "seconds": args.seconds,
        "photographs": len(paths),
        "crops": crops,
        "versions": {"python": platform.python_version(), **embed.versions, **detect.versions, **train.versions},
        "embed": {str(batch): embed.rates(batch) for batch in BATCHES},
        "embed_settings": {str(batch): embed.settings(batch) for batch in BATCHES},
        "embed_agreement": embed.agreement,
        "detect": detect.rates(1),
        "detect_settings": detect.settings(1),
        "detect_agreement": detect.agreement,
        "train": train.rates(TRAIN_BATCH),
        "train_settings": train.settings(TRAIN_BATCH),
        "missing": {**embed.missing, **detect.missing, **{f"train {name}": why for name, why in train.missing.items()}},
        "all_rates": {
            "embed": {str(batch): rates for batch, rates in embed.rounds.items()},
            "detect": detect.rounds.get(1),
            "train": train.rounds.get(TRAIN_BATCH),
        },
        "embed_ratio_to_fastest_peer": embed.ratio(headline, EMBED),
        "embed_ratio_to_onnxruntime": embed.ratio(headline, ["onnxruntime"]),
        "embed_batch_1_ratio_to_fastest_peer": embed.ratio(1, EMBED),
        "embed_batch_1_ratio_to_onnxruntime": embed.ratio(1, ["onnxruntime"]),
        "detect_ratio_to_original": detect.ratio(1, ["original"]),
        "detect_ratio_to_facenet_pytorch": detect.ratio(1, ["facenet_pytorch"]),
        "train_ratio_to_pytorch": train.ratio(TRAIN_BATCH, TRAIN),
    }
    if args.rows:
        with open(args.rows, "w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["task", "batch", "who", "setting", "per_second"])
            rows.writerows(row for contest in (embed, detect, train) for row in contest.rows)
    print(json.dumps(summary) if args.json else "\n".join(table(summary)))


main()
