"""PyTorch's training of Inception-ResNet-v1 on a GPU, in a process of its own that answers JSON lines; needs PyTorch alone.

A step is what `warpface bench train` makes: batch norms of the batch, a classifier, Adagrad with weight decay, from pixels
in the host's memory to the loss. f16 and bf16 are automatic mixed precision, f16 with a gradient scaler.

eager     channels last, one kernel after the other
compiled  the same through `torch.compile`
graph     the network's forward and backward pass captured into CUDA graphs; the optimizer runs beside them
"""

import json
import os
import sys
import time

import torch
import torch.nn.functional as F

import npz
from trained import Trained

SIZE = 160
HALF = {"f16": torch.float16, "bf16": torch.bfloat16}


def layers(path):
    """The published network's extents, as `Trained` takes them."""
    found = {}
    for key, w in npz.load(path).items():
        scope, _, kind = key.removeprefix("InceptionResnetV1/").rpartition("/")
        if kind == "weights" and (w.ndim == 4 or scope == "Bottleneck"):
            found[scope] = (w.float(), torch.zeros(w.shape[-1]))
    return found


class Worker:
    def __init__(self, job):
        self.device, self.layers = job["device"], layers(job["weights"])
        self.step = None

    def describe(self):
        return {"gpu": torch.cuda.get_device_name(0) if self.device == "cuda" else None}

    def prepare(self, precision, batch, setting, classes):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "f32"
        torch.backends.cudnn.benchmark = True
        network = Trained(self.layers, classes).train().to(self.device, memory_format=torch.channels_last)
        optimizer = torch.optim.Adagrad(network.parameters(), lr=0.01, weight_decay=5e-4, initial_accumulator_value=0.1)
        scaler = torch.amp.GradScaler(self.device, enabled=precision == "f16")
        half = HALF.get(precision)
        # Captured passes may not share casts with what is outside of them.
        autocast = lambda: torch.autocast(
            self.device, dtype=half or torch.float32, enabled=half is not None, cache_enabled=setting != "graph"
        )
        forward = torch.compile(network) if setting == "compiled" else network
        if setting == "graph":
            if self.device != "cuda":
                raise RuntimeError("only a GPU has CUDA graphs")
            sample = torch.rand(batch, SIZE, SIZE, 3, device=self.device).permute(0, 3, 1, 2)
            with autocast():
                forward = torch.cuda.make_graphed_callables(network, (sample,))
        pixels = torch.rand(batch, SIZE, SIZE, 3) * 2 - 1
        pixels = pixels.pin_memory() if self.device == "cuda" else pixels
        labels = (torch.arange(batch) % classes).to(self.device)

        def step():
            x = pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
            optimizer.zero_grad(set_to_none=True)
            with autocast():
                loss = F.cross_entropy(forward(x).float(), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss.item()

        for _ in range(3):
            step()
        self.step = (step, batch)
        return {}

    def measure(self, seconds):
        step, batch = self.step
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds or done < 2:
            step()
            done += 1
        return {"rate": done * batch / (time.perf_counter() - begin)}

    def release(self):
        self.step = None
        torch.compiler.reset()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        return {}


def main():
    # Libraries print what they like: only answers go to the true standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(work):
        try:
            value = work()
        except Exception as error:
            value = {"missing": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    worker = Worker(json.loads(sys.stdin.readline()))
    answer(worker.describe)
    for line in sys.stdin:
        request = json.loads(line)
        answer(lambda: getattr(worker, request.pop("do"))(**request))


main()
