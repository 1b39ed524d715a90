"""PyTorch's Inception-ResNet-v1 on a GPU, in a process of its own that answers JSON lines; needs PyTorch alone.

Settings, all of them channels-last, inference mode, batch norm folded into the filters:

eager     one kernel after the other, as `network(x)` does
graph     the same, captured once into a CUDA graph and replayed
compiled  `torch.compile(mode="max-autotune")`, which has CUDA graphs of its own

Two times are taken of each: on the device, by events around runs of an input that is there already; and from host to
host, batches of f32 brought in from pinned memory while the batch before runs, embeddings brought back.
"""

import copy
import json
import os
import statistics
import sys
import time

import torch

import npz
from inception import Network

STORED = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
SIZE = 160
# A group of runs between two events takes this long at least; so many groups are taken.
GROUP = 0.02
GROUPS = 15


class Cuda:
    """A GPU's clock and copies."""

    name = "cuda"

    def describe(self):
        properties = torch.cuda.get_device_properties(0)
        capability = f"{properties.major}.{properties.minor}"
        return {"gpu": properties.name, "capability": capability, "cuda": torch.version.cuda}

    def synchronize(self):
        torch.cuda.synchronize()

    def seconds(self, run, times):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(times):
            run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3 / times

    def pinned(self, tensor):
        return tensor.pin_memory()

    def stream(self, run, host, seconds):
        """Batches a second from host to host; two of them are under way at a time."""
        copies, main = torch.cuda.Stream(), torch.cuda.current_stream()
        slots = []
        for _ in range(2):
            staged = torch.empty_like(host, device="cuda")
            out = self.pinned(run(staged).float().cpu())
            slots.append((staged, out, torch.cuda.Event(), torch.cuda.Event()))
        self.synchronize()
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds or done < 4:
            staged, out, uploaded, finished = slots[done % 2]
            finished.synchronize()
            with torch.cuda.stream(copies):
                staged.copy_(host, non_blocking=True)
                uploaded.record(copies)
            main.wait_event(uploaded)
            out.copy_(run(staged).float(), non_blocking=True)
            finished.record(main)
            done += 1
        self.synchronize()
        return done / (time.perf_counter() - begin)


class Cpu:
    """The same on the processor: to try this file out where there is no GPU."""

    name = "cpu"

    def describe(self):
        return {"gpu": None}

    def synchronize(self):
        pass

    def seconds(self, run, times):
        begin = time.perf_counter()
        for _ in range(times):
            run()
        return (time.perf_counter() - begin) / times

    def pinned(self, tensor):
        return tensor

    def stream(self, run, host, seconds):
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds or done < 1:
            run(host)
            done += 1
        return done / (time.perf_counter() - begin)


class Worker:
    def __init__(self, job):
        self.device = Cuda() if job["device"] == "cuda" else Cpu()
        if self.device.name == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no CUDA device here")
        self.network = Network(npz.layers(job["weights"])).eval().requires_grad_(False)
        self.prepared = {}

    def prepare(self, precision, batch, setting):
        """Makes a setting ready; what is compiled or captured is so before it is measured."""
        tf32 = precision != "f32"
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
        dtype, device = STORED[precision], self.device.name
        network = copy.deepcopy(self.network).to(device=device, dtype=dtype, memory_format=torch.channels_last)

        def forward(x):
            # NHWC memory under NCHW extents is what channels last means.
            return network(x.permute(0, 3, 1, 2).to(dtype))

        # Random, never zeros: what a multiplier draws depends on what it multiplies.
        host = self.device.pinned(torch.rand(batch, SIZE, SIZE, 3) * 2 - 1)
        x = host.to(device)
        if setting == "eager":
            run = forward
        elif setting == "compiled":
            compiled = torch.compile(forward, mode="max-autotune", dynamic=False)

            def run(x):
                torch.compiler.cudagraph_mark_step_begin()
                return compiled(x)

        elif setting == "graph":
            run = self.captured(forward, x)
        else:
            raise ValueError(f"there is no setting {setting}")
        with torch.inference_mode():
            for _ in range(4):
                run(x)
            self.device.synchronize()
        self.prepared[setting] = (run, x, host, batch)
        return {}

    def captured(self, forward, x):
        if self.device.name != "cuda":
            raise RuntimeError("only a GPU has CUDA graphs")
        static = x.clone()
        with torch.inference_mode():
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(4):
                    forward(static)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                y = forward(static)

        def run(x):
            static.copy_(x)
            graph.replay()
            return y

        return run

    def measure(self, setting, seconds):
        run, x, host, batch = self.prepared[setting]
        with torch.inference_mode():
            once = max(self.device.seconds(lambda: run(x), 2), 1e-6)
            times = max(1, round(GROUP / once))
            groups = max(3, min(GROUPS, round(seconds / (once * times))))
            found = [self.device.seconds(lambda: run(x), times) for _ in range(groups)]
            rate = self.device.stream(run, host, seconds)
        middle = statistics.median(found)
        return {"device_ms": middle * 1e3, "device_rate": batch / middle, "rate": rate * batch}

    def embed(self, setting, pixels):
        """Embeddings of raw RGB bytes, [n, 160, 160, 3], by batches of the setting."""
        run, _, _, batch = self.prepared[setting]
        with open(pixels, "rb") as file:
            crops = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8).reshape(-1, SIZE, SIZE, 3)
        crops = (crops.float() - 127.5) / 128
        rows = []
        with torch.inference_mode():
            for begin in range(0, len(crops), batch):
                part = crops[begin : begin + batch]
                whole = part.repeat(-(-batch // len(part)), 1, 1, 1)[:batch]
                rows += run(whole.to(self.device.name))[: len(part)].float().cpu().tolist()
        return {"embeddings": rows}

    def release(self):
        """Forgets what was prepared, and its memory."""
        self.prepared.clear()
        torch.compiler.reset()
        if self.device.name == "cuda":
            torch.cuda.empty_cache()
        return {}

    def gemm(self, precision, n):
        """Operations a second of the library's own matrix product: the ceiling as PyTorch reaches it."""
        torch.backends.cuda.matmul.allow_tf32 = precision != "f32"
        a, b = (torch.randn(n, n, device=self.device.name).to(STORED[precision]) for _ in range(2))
        with torch.inference_mode():
            a @ b
            found = [self.device.seconds(lambda: a @ b, 5) for _ in range(5)]
        return {"tflops": 2 * n**3 / statistics.median(found) / 1e12}


def main():
    # Libraries print what they like: only answers go to the true standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    def attempt(work):
        try:
            return work()
        except Exception as error:
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            return {"missing": text[:300]}

    worker = attempt(lambda: Worker(json.loads(sys.stdin.readline())))
    if isinstance(worker, dict):
        return answer(worker)
    answer({"torch": torch.__version__, **worker.device.describe()})
    for line in sys.stdin:
        request = json.loads(line)
        answer(attempt(lambda: getattr(worker, request.pop("do"))(**request)))


main()
