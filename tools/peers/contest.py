"""Who takes part, and how they did: peers in processes of their own, builds of warpface, and a contest between them."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
# Between two turns: threads that wait busily for more work give up meanwhile.
REST = 0.3


def say(text):
    print(text, file=sys.stderr, flush=True)


class Missing(Exception):
    """Why somebody takes no part."""


class Peer:
    """A peer in its own process (worker.py), which is started once."""

    def __init__(self, name, task, job, log):
        self.log = log
        threads = str(job["threads"])
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / f"{task}_{name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(log, "w"),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )
        ready = self.ask(job)
        if "missing" in ready:
            self.stop()
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


class Build:
    """A build of warpface, by its binary, with its own instruction set or held to a lower one."""

    def __init__(self, binary, weights, device, threads, isa=None):
        self.line = [str(binary), "--device", device, "--threads", str(threads), "--weights", str(weights)]
        self.line += ["--model", str(weights / "graph_final.pb")]
        self.isa = isa

    def start(self, *command):
        env = {**os.environ, **({"WARPFACE_ISA": self.isa} if self.isa else {})}
        line = [*self.line, *map(str, command)]
        return subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def run(self, *command):
        done = self.start(*command)
        # 3: done, but for some photographs.
        if done.returncode not in (0, 3):
            lines = done.stderr.strip().splitlines()
            raise Missing(lines[-1] if lines else f"{command[0]} ended with {done.returncode}")
        return done.stdout

    def kernels(self):
        """What it calls its instruction set."""
        lines = [json.loads(line) for line in self.run("--json", "devices").splitlines()]
        return next((line["driver"] for line in lines if line["kind"] == "cpu" and "driver" in line), "?")

    def convolutions(self):
        """Its settings for convolutions: flags by name."""
        if self.start("--conv", "direct", "devices").returncode != 0:
            return {"default": []}
        return {name: ["--conv", name] for name in ("direct", "auto")}


class Contestant:
    """A build in a contest: every turn is a process, which warms up before it measures."""

    versions = {}

    def __init__(self, build, settings, bench, save):
        self.build, self.flags, self.settings, self.bench, self.keep = build, settings, list(settings), bench, save

    def save(self, setting, batch, path):
        shutil.copy(self.keep(self.build, self.flags[setting]), path)

    def rate(self, setting, batch, seconds):
        line = self.build.run("--json", *self.flags[setting], "bench", *self.bench(batch), "--seconds", seconds)
        found = json.loads(line)
        return found.get("faces_per_second") or found["photographs_per_second"]

    def stop(self):
        pass


class Contest:
    """One task in one precision, and the rates of those who take part."""

    def __init__(self, task, precision, batches):
        self.task, self.precision, self.batches = task, precision, batches
        self.members, self.missing, self.agreement, self.versions = {}, {}, {}, {}
        self.rounds, self.rows = {}, []

    def enter(self, name, make, check):
        """Starts a member and compares what it computes; it stays out if that is something else."""
        say(f"  {name}")
        member = None
        try:
            member = make()
            self.agreement[name] = check(member)
            self.members[name] = member
            self.versions.update(member.versions)
        except Missing as reason:
            say(f"    missing: {reason}")
            self.missing[name] = str(reason)
            if member:
                member.stop()

    def run(self, rounds, seconds):
        """The rounds; everybody in turn."""
        for turn in range(rounds):
            say(f"  round {turn + 1} of {rounds}")
            for batch in self.batches:
                for name, member in self.members.items():
                    for setting in member.settings:
                        time.sleep(REST)
                        rate = member.rate(setting, batch, seconds)
                        self.rows.append([self.task, self.precision, batch, name, setting, rate])
                        self.rounds.setdefault((batch, name, setting), []).append(rate)
        for member in self.members.values():
            member.stop()

    def median(self, batch, name, setting):
        return statistics.median(self.rounds[batch, name, setting])

    def rates(self):
        """Medians: by batch, member and setting."""
        return {
            str(batch): {name: {setting: self.median(batch, name, setting) for setting in member.settings}
                         for name, member in self.members.items()}
            for batch in self.batches
        }

    def best(self, batch, names):
        """The greatest median of some members' settings: rate, member, setting; None if none of them is here."""
        here = [(name, setting) for name in names if name in self.members for setting in self.members[name].settings]
        return max(((self.median(batch, *which), *which) for which in here), default=None)
