#!/usr/bin/env python3
"""Proves warpface on this machine in a few minutes, and measures it beside PyTorch:

    ./check [--minutes N] [--out DIR]
    ./check --visit 2 --weights DIR [--minutes N] [--out DIR]

The first visit needs no file of ours but this folder: networks and pictures are drawn by a seed. The second takes
published weights and photographs: accuracy on LFW, WGSL through Vulkan, compute-sanitizer.

Steps run in order, what matters most first, each in a process of its own with a time of its own. When the minutes are
over, what is left is named and the check ends. report.md, results.jsonl and log.txt are written as it goes; it ends with 1
if a step failed, and with 3 if there is no device to prove anything on. Needs Python alone; PyTorch for the comparison.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PRECISIONS = ["f32", "f16", "bf16", "tf32"]
# Rates: what is fastest first.
RATED = ["f16", "f32", "bf16", "tf32"]
# Ops of a process: few enough that one that hangs or poisons the device costs little.
GROUP = 12
# The costly ops, the costliest last; all others come before them.
COSTLY = ["pairwise_distance", "mine_triplets", "nearest_rows", "local_conv2d", "dense", "conv2d"]
# What proving may take of the first visit; the rest is for rates.
PROOF = 0.6
# What compute-sanitizer looks at: one op of each kind, small ones.
SANITIZED = ["relu", "softmax", "max_pool2d", "batch_moments", "dense", "conv2d"]
# What it says where it cannot work at all.
REFUSALS = ["Device not supported", "Failed to initialize", "LibraryNotLoaded", "Unable to find injection library"]


class Report:
    """The report, written line by line: a visit that is cut off leaves what it has."""

    def __init__(self, out):
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.counts = out, {"PASS": 0, "FAIL": 0, "SKIPPED": 0}
        self.files = {name: open(out / name, "w") for name in ("report.md", "results.jsonl", "log.txt")}

    def write(self, name, text):
        self.files[name].write(text)
        self.files[name].flush()

    def line(self, text=""):
        self.write("report.md", text + "\n")

    def note(self, result, name, remark, **values):
        self.counts[result] += 1
        remark = " ".join(remark.split())[:400]
        self.line(f"- {result} {name}: {remark}")
        print(f"{result:<7} {name:<34} {remark[:160]}", flush=True)
        self.write("results.jsonl", json.dumps({"result": result, "step": name, "remark": remark, **values}) + "\n")

    def heading(self, text):
        self.line(f"\n## {text}\n")


class Done:
    """What came of a process."""

    def __init__(self, code, text, seconds, late):
        self.code, self.text, self.seconds, self.late = code, text, seconds, late

    def why(self):
        """What a log says of a failure: a test's panic, an error, else its last line."""
        if self.late:
            return f"not done after {self.seconds:.0f} s"
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        telling = ("error:", "Error:", "========= Invalid", "========= Error", "========= Race", "is required, but")
        for i, line in enumerate(lines):
            if "panicked at" in line:
                return " ".join(lines[i : i + 2])
            if any(word in line for word in telling):
                return line
        return lines[-1] if lines else f"ended with {self.code} and no word"

    def tests(self):
        """What a test executable counted."""
        lines = [line for line in self.text.splitlines() if line.startswith("test result:")]
        skips = self.text.count("SKIPPED:")
        return ", ".join(line.removeprefix("test result: ").split("; 0 measured")[0] for line in lines) + (
            f"; {skips} skipped parts" if skips else ""
        )

    def passed(self):
        return sum(int(line.split(" passed")[0].split()[-1]) for line in self.text.splitlines() if " passed; " in line)

    def measured(self):
        return [line.split("MEASURED: ", 1)[1] for line in self.text.splitlines() if "MEASURED: " in line]


class Check:
    def __init__(self, args, work):
        self.args, self.work, self.begin = args, work, time.monotonic()
        self.report = Report(args.out)
        self.warpface, self.tests = HERE / "warpface", HERE / "tests"
        self.seeded = work / "seeded"
        # What the driver compiles is compiled once, and forgotten afterwards.
        cache = {"CUDA_CACHE_PATH": str(work / "cuda-cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment = {**os.environ, **cache, "WARPFACE_SEEDED": str(self.seeded)}
        self.fault = None
        # Seconds that proving leaves to the rates.
        self.floor = (1 - PROOF) * 60 * args.minutes if args.visit == 1 else 0

    def left(self):
        return 60 * self.args.minutes - (time.monotonic() - self.begin)

    def run(self, name, seconds, command, **environment):
        """Runs a command within a time; None if the minutes are over."""
        seconds = min(seconds, self.left() - 2)
        if seconds < 3:
            self.report.note("SKIPPED", name, "the minutes are over")
            return None
        begin, late = time.monotonic(), False
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environment, **environment},
                cwd=self.work,
                # What it starts itself ends with it.
                start_new_session=True,
            )
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                late = True
                os.killpg(process.pid, signal.SIGKILL)
                self.bury(process)
            log.seek(0)
            text = log.read()
        done = Done(process.returncode, text, time.monotonic() - begin, late)
        self.report.write("log.txt", f"==== {name}: {' '.join(map(str, command))} ({done.seconds:.1f} s, {done.code})\n{text}\n")
        return done

    @staticmethod
    def bury(process):
        """Waits for a killed process, but not for one that a hanging driver holds."""
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass

    def judge(self, name, done, remark=None):
        """Notes what came of a step."""
        if done is None:
            return False
        good = done.code == 0
        text = (done.tests() or "done") if remark is None else remark
        self.report.note("PASS" if good else "FAIL", name, f"{text if good else done.why()} ({done.seconds:.1f} s)")
        for line in done.measured():
            self.report.line(f"  - {line}")
        return good

    # ---- the machine ---------------------------------------------------------------------------------------------

    def machine(self):
        line = self.report.line
        line(f"# warpface on {platform.node()}, {time.strftime('%F %T')}, visit {self.args.visit}, {self.args.minutes:g} minutes\n")
        line(f"- {platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}")
        for text in (HERE / "VERSION").read_text().splitlines() if (HERE / "VERSION").exists() else []:
            line(f"- bundle: {text}")
        if shutil.which("nvidia-smi"):
            query = "name,driver_version,compute_cap,memory.total,clocks.max.sm,clocks.max.mem,power.limit"
            done = self.run("nvidia-smi", 20, ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"])
            line(f"- nvidia-smi: {done.text.strip() if done else 'no answer'}")
        self.report.heading("Devices")

    def whole(self):
        """Whether the files are those that were packed."""
        lines = [line.split(maxsplit=1) for line in (HERE / "SHA256SUMS").read_text().splitlines()]
        wrong = [name for digest, name in lines if not self.is_whole(HERE / name, digest)]
        self.report.note("FAIL" if wrong else "PASS", "files are whole", ", ".join(wrong) or f"{len(lines)} files")

    @staticmethod
    def is_whole(path, digest):
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest() == digest
        except OSError:
            return False

    def devices(self):
        """The devices by kind, each with why there is none if so."""
        done = self.run("devices", 60, [self.warpface, "devices"])
        self.judge("devices", done, "as below")
        found, missing = {}, {}
        for text in done.text.splitlines() if done else []:
            self.report.line(f"      {text}")
            for kind in ("cuda", "wgpu", "cpu"):
                if text.startswith(f"{kind}: "):
                    found[kind] = text
                elif f"device {kind}: " in text:
                    missing[kind] = text.split(f"device {kind}: ", 1)[1]
        return found, missing

    # ---- the first visit: drawn by a seed ------------------------------------------------------------------------

    def draw(self):
        """Weights and pictures for the program and for PyTorch."""
        names = ["seeded::written_files_are_read_as_they_were", "--exact", "--nocapture"]
        return self.judge("weights and pictures by a seed", self.run("draw", 60, [self.tests, *names]))

    def ops(self, device):
        """The suite's tests of every op on a device, in groups, the cheapest first."""
        done = self.run("list", 30, [self.tests, "--list"])
        names = [line.removesuffix(": test") for line in done.text.splitlines() if line.endswith(f"::{device}: test")] if done else []
        names = [name for name in names if not name.startswith("seeded::")]
        rank = lambda name: next((i + 1 for i, costly in enumerate(COSTLY) if name.startswith(costly)), 0)
        names.sort(key=lambda name: (rank(name), name))
        return [names[at : at + GROUP] for at in range(0, len(names), GROUP)]

    def suite(self, name, seconds, names, **environment):
        """Tests by their names in one process; after a failure each in its own, so that the culprits are named."""
        arguments = [*names, "--exact", "--nocapture", "--test-threads", "4"]
        done = self.run(name, seconds, [self.tests, *arguments], **environment)
        if done is None:
            return False
        if done.code == 0 and done.passed() != len(names):
            self.report.note("FAIL", name, f"{done.passed()} of {len(names)} tests ran")
            return False
        if self.judge(name, done) or len(names) == 1:
            return done.code == 0
        for one in names:
            if self.left() > self.floor:
                self.suite(f"{name}, {one}", 20, [one], **environment)
        return False

    def prove(self, device):
        """The ops and the networks on a device, precision after precision."""
        groups = self.ops(device)
        required = {"WARPFACE_REQUIRE": device, "RUST_BACKTRACE": "0"}
        for precision in PRECISIONS if device == "cuda" else ["f32"]:
            self.report.heading(f"On {device} beside the CPU, {precision}")
            environment = {**required, "WARPFACE_PRECISIONS": precision}
            steps = [(f"ops {precision} {i + 1}/{len(groups)}", names) for i, names in enumerate(groups)]
            if precision == "f32":
                steps.append(("cascade f32", [f"seeded::cascade::{device}"]))
            steps.append((f"whole network {precision}", [f"seeded::network::{device}"]))
            for name, names in steps:
                if self.left() < self.floor:
                    self.report.note("SKIPPED", name, "its time is over; what is left is for the rates")
                    continue
                self.suite(name, min(60, self.left() - self.floor + 3), names, **environment)

    def rates(self, device):
        """What is measured, PyTorch by turns with warpface; each task and precision in a process of its own."""
        self.report.heading("Rates")
        on = "cuda" if device == "cuda" else "cpu"
        small = device != "cuda"
        peers = [sys.executable, HERE / "peers/gpu.py", "--binary", self.warpface, "--model", self.seeded / "facenet.npz"]
        peers += ["--weights", self.seeded, "--seeded", "--device", on, "--rounds", "1", "--settings", "eager,graph"]
        peers += ["--train-settings", "eager,graph", "--seconds", "0.4", "--ours", device, "--compile-limit", "40"]
        batches = "1,2" if small else "32,1,256,1024"
        train = ["--train-batch", "2" if small else "90"]
        rated = ["f32"] if small else RATED
        # Each starts PyTorch anew, which costs seconds: of every kind one first.
        plan = [("embed", rated[0], 50, None), ("train", rated[0], 40, None), ("detect", "f32", 40, ("250x250", "small"))]
        plan += [("embed", precision, 45, None) for precision in rated[1:]]
        plan += [("detect", "f32", 40, ("1080p", "large"))]
        plan += [("train", precision, 35, None) for precision in rated[1:] if precision != "tf32"]
        for task, precision, seconds, pictures in plan:
            label, folder = pictures or ("", None)
            name = f"{task} {precision} {label}".strip()
            command = [*peers, "--tasks", task, "--precisions", precision, "--batches", batches, *train]
            command += ["--photos", self.seeded / folder, "--label", label] if folder else []
            done = self.run(name, seconds, [*command, "--limit", f"{seconds - 10}"])
            if done:
                self.keep_rates(name, done)

    def keep_rates(self, name, done):
        """The lines that a process printed before it ended, or was ended."""
        ours, missing, rows = False, [], []
        number = lambda value, form: format(value, form) if value is not None else "-"
        for text in done.text.splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if not isinstance(line, dict) or "task" not in line:
                continue
            self.report.write("results.jsonl", json.dumps({"rates": line}) + "\n")
            if "missing" in line:
                missing.append(f"{line.get('setting', line['task'])} {line.get('batch', '')}: {line['missing']}")
            if line.get("rate") is None:
                continue
            ours = ours or line["setting"] == "warpface"
            cells = [line["task"], line.get("precision", "f32"), str(line.get("batch", line.get("label", "-"))), line["setting"]]
            cells += [number(line["rate"], ".1f"), number(line.get("device_rate"), ".1f")]
            cells += [number(line.get("ratio_host"), ".2f"), number(line.get("ratio_events"), ".2f")]
            rows.append("| " + " | ".join(cells) + " |")
        if rows:
            head = "| task | precision | batch | who | per second | on the device | ours to it | on the device |"
            self.report.line("\n".join(["", head, "|---|---|--:|---|--:|--:|--:|--:|", *rows, ""]))
        remark = "; ".join(["measured" if ours else done.why(), *missing])
        self.report.note("PASS" if ours else "FAIL", f"rates {name}", f"{remark} ({done.seconds:.1f} s)")

    # ---- the second visit: published weights and photographs -----------------------------------------------------

    def lfw(self, device):
        self.report.heading("LFW, development folds")
        model, photographs = self.args.weights / "facenet_f16.npz", HERE / "lfw"
        for path in (model, photographs / "pairs.txt"):
            if not path.exists():
                return self.report.note("SKIPPED", "LFW", f"{path} is not there; see README")
        base = None
        for precision in PRECISIONS if device == "cuda" else ["f32"]:
            command = [self.warpface, "--device", device, "--weights", self.args.weights, "--model", model, "--standardize"]
            command += ["prewhiten", "--precision", precision, "--json", "lfw", photographs / "images"]
            done = self.run(f"LFW {precision}", 120, [*command, "--pairs", photographs / "pairs.txt"])
            if done is None:
                continue
            accuracy = next((self.accuracy(text) for text in done.text.splitlines() if text.startswith("{")), None)
            if done.code not in (0, 3) or accuracy is None:
                self.report.note("FAIL", f"LFW {precision}", done.why())
                continue
            base = accuracy if precision == "f32" else base
            # A thousandth is one pair of these 1,200.
            good = accuracy >= 0.9 and base is not None and abs(accuracy - base) <= 0.002
            remark = f"accuracy {accuracy:.5f}, f32 has {base} ({done.seconds:.1f} s)"
            self.report.note("PASS" if good else "FAIL", f"LFW {precision}", remark, accuracy=accuracy)

    @staticmethod
    def accuracy(text):
        try:
            return json.loads(text)["accuracy"]["mean"]
        except (ValueError, KeyError, TypeError):
            return None

    def vulkan(self, found, missing):
        self.report.heading("WGSL through Vulkan")
        if "wgpu" not in found:
            hint = "a Vulkan loader (libvulkan1) and the driver's own library are needed; VK_DRIVER_FILES names its .json"
            return self.report.note("SKIPPED", "WGSL", f"{missing.get('wgpu', 'no device is listed')}; {hint}")
        self.prove("wgpu")

    def sanitizer(self):
        self.report.heading("compute-sanitizer")
        places = ["compute-sanitizer", "/usr/local/cuda/bin/compute-sanitizer"]
        tool = next((path for path in map(shutil.which, places) if path), None)
        if not tool:
            return self.report.note("SKIPPED", "sanitizer", "compute-sanitizer is not installed")
        for kind in ("memcheck", "racecheck", "initcheck", "synccheck"):
            for op in SANITIZED:
                command = [tool, "--tool", kind, "--error-exitcode", "9", "--print-limit", "5", self.tests]
                arguments = [f"{op}::cuda", "--exact", "--nocapture", "--test-threads", "1"]
                environment = {"WARPFACE_REQUIRE": "cuda", "WARPFACE_PRECISIONS": "f16" if op in SANITIZED[-2:] else "f32"}
                name = f"{kind} {op}"
                done = self.run(name, 60, [*command, *arguments], **environment)
                if done and done.code != 0 and any(word in done.text for word in REFUSALS):
                    why = next(line for line in done.text.splitlines() if any(word in line for word in REFUSALS))
                    return self.report.note("SKIPPED", "sanitizer", f"it refuses this machine: {why.strip('= ')}")
                self.judge(name, done)

    # ---- all of it -----------------------------------------------------------------------------------------------

    def everything(self):
        self.machine()
        self.whole()
        found, missing = self.devices()
        device = self.args.device
        if device not in found:
            self.fault = f"no {device.upper() if device == 'cuda' else device} device: {missing.get(device, 'warpface lists none')}"
            self.report.line(f"\n{self.fault}")
            return
        if self.args.visit == 1:
            if self.draw():
                self.prove(device)
                self.rates(device)
        else:
            self.lfw(device)
            self.vulkan(found, missing)
            if device == "cuda":
                self.sanitizer()

    def finish(self):
        counts = self.report.counts
        text = f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIPPED']} skipped, {time.monotonic() - self.begin:.0f} s"
        self.report.line(f"\n{text}")
        print(f"{text}: {self.args.out / 'report.md'}")
        if self.fault:
            print(self.fault)
            return 3
        return 1 if counts["FAIL"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4, help="when they are over, it ends")
    parser.add_argument("--visit", type=int, choices=[1, 2], default=1)
    parser.add_argument("--weights", type=Path, default=Path(tempfile.gettempdir()) / "warpface-weights")
    parser.add_argument("--out", type=Path, help="where the report goes [default: a new folder]")
    parser.add_argument("--device", default="cuda", choices=["cuda", "wgpu"], help="wgpu is for trying this file out")
    args = parser.parse_args()
    args.out = (args.out or Path(tempfile.mkdtemp(prefix="warpface-check-"))).resolve()
    with tempfile.TemporaryDirectory(prefix="warpface-") as work:
        check = Check(args, Path(work))
        try:
            check.everything()
        finally:
            code = check.finish()
    sys.exit(code)


if __name__ == "__main__":
    main()
