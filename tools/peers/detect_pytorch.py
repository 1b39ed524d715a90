"""Detection in PyTorch's own words, by weights under facenet-pytorch's names: MTCNN's three networks, torchvision's
resizing by areas and its non-maximum suppression. PyTorch's areas have whole pixels for their borders, OpenCV's and ours
have not, so boxes differ; it is the work that is compared.

eager  one kernel after the other
graph  P-Net captured at each level of the pyramid into a CUDA graph; the other networks' batches have no fixed size
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torchvision.ops import batched_nms

import worker

MIN_SIZE, FACTOR, THRESHOLDS = 20, 0.709, (0.6, 0.7, 0.7)


class Cascade:
    def __init__(self, folder, device, graphs):
        load = lambda name: torch.load(Path(folder) / f"{name}.pt", map_location=device, weights_only=True)
        self.p, self.r, self.o = map(load, ("pnet", "rnet", "onet"))
        self.device, self.graphs, self.captured = device, graphs, {}

    def conv(self, w, name, x, slope):
        return F.prelu(F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"]), w[f"{slope}.weight"])

    def dense(self, w, name, x):
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def pool(self, x, size):
        return F.max_pool2d(x, size, 2, ceil_mode=True)

    def pnet(self, x):
        w = self.p
        x = self.pool(self.conv(w, "conv1", x, "prelu1"), 2)
        x = self.conv(w, "conv3", self.conv(w, "conv2", x, "prelu2"), "prelu3")
        head = lambda name: F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"])
        return head("conv4_1").softmax(1)[:, 1], head("conv4_2")

    def trunk(self, w, x):
        x = self.pool(self.conv(w, "conv1", x, "prelu1"), 3)
        x = F.max_pool2d(self.conv(w, "conv2", x, "prelu2"), 3, 2)
        return self.conv(w, "conv3", x, "prelu3")

    def rnet(self, x):
        w = self.r
        # Its weights take features column by column.
        x = self.trunk(w, x).permute(0, 3, 2, 1).flatten(1)
        x = F.prelu(self.dense(w, "dense4", x), w["prelu4.weight"])
        return self.dense(w, "dense5_1", x).softmax(1)[:, 1], self.dense(w, "dense5_2", x)

    def onet(self, x):
        w = self.o
        x = self.conv(w, "conv4", self.pool(self.trunk(w, x), 2), "prelu4")
        x = F.prelu(self.dense(w, "dense5", x.permute(0, 3, 2, 1).flatten(1)), w["prelu5.weight"])
        return self.dense(w, "dense6_1", x).softmax(1)[:, 1], self.dense(w, "dense6_2", x)

    def level(self, x):
        """P-Net at one level of the pyramid."""
        if not self.graphs:
            return self.pnet(x)
        if x.shape not in self.captured:
            static, side = x.clone(), torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self.pnet(static)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                results = self.pnet(static)
            self.captured[x.shape] = graph, static, results
        graph, static, results = self.captured[x.shape]
        static.copy_(x)
        graph.replay()
        return results

    def proposals(self, image):
        """Boxes [n, 4] of all levels, and their scores."""
        _, _, height, width = image.shape
        scale, found = 12 / MIN_SIZE, []
        while min(height, width) * scale >= 12:
            size = math.ceil(height * scale), math.ceil(width * scale)
            scores, offsets = self.level((F.interpolate(image, size, mode="area") - 127.5) / 128)
            at = (scores[0] >= THRESHOLDS[0]).nonzero()
            corner = at.flip(1).float() * 2
            boxes = torch.cat([(corner + 1) / scale, (corner + 12) / scale], 1)
            chosen, score = offsets[0, :, at[:, 0], at[:, 1]].T, scores[0, at[:, 0], at[:, 1]]
            keep = batched_nms(boxes, score, torch.zeros_like(at[:, 0]), 0.5)
            found.append((boxes[keep], score[keep], chosen[keep]))
            scale *= FACTOR
        boxes, scores, offsets = (torch.cat(parts) for parts in zip(*found))
        keep = batched_nms(boxes, scores, torch.zeros_like(scores, dtype=torch.int64), 0.7)
        return self.moved(boxes[keep], offsets[keep]), scores[keep]

    def moved(self, boxes, offsets):
        """Boxes after the regression."""
        extents = (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)
        return boxes + offsets * extents

    def crops(self, image, boxes, size):
        """Squares around the boxes, what is outside of the picture black."""
        middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True)
        squares = torch.cat([middle - side / 2, middle + side / 2], 1).round()
        height, width = image.shape[2:]
        parts = []
        for x1, y1, x2, y2 in squares.int().tolist():
            inside = image[:, :, max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
            if 0 in inside.shape:
                inside = image.new_zeros(1, 3, 1, 1)
            pad = (max(-x1, 0), max(x2 - width, 0), max(-y1, 0), max(y2 - height, 0))
            parts.append(F.interpolate(F.pad(inside, pad), (size, size), mode="area"))
        return squares, (torch.cat(parts) - 127.5) / 128

    def stage(self, image, boxes, network, size, threshold):
        squares, crops = self.crops(image, boxes, size)
        scores, offsets = network(crops)
        good = scores >= threshold
        return squares[good], scores[good], offsets[good]

    def detect(self, photograph):
        image = torch.from_numpy(photograph.copy()).to(self.device).permute(2, 0, 1)[None].float()
        boxes, scores = self.proposals(image)
        if len(boxes):
            squares, scores, offsets = self.stage(image, boxes, self.rnet, 24, THRESHOLDS[1])
            keep = batched_nms(squares, scores, torch.zeros_like(scores, dtype=torch.int64), 0.7)
            boxes, scores = self.moved(squares[keep], offsets[keep]), scores[keep]
        if len(boxes):
            squares, scores, offsets = self.stage(image, boxes, self.onet, 48, THRESHOLDS[2])
            boxes = self.moved(squares, offsets)
            keep = batched_nms(boxes, scores, torch.zeros_like(scores, dtype=torch.int64), 0.7)
            boxes, scores = boxes[keep], scores[keep]
        return list(zip(boxes.tolist(), scores.tolist()))


def start(job):
    torch.set_num_threads(job["threads"])
    device = job["device"]

    def setting(graphs):
        cascade = Cascade(job["weights"], device, graphs)

        def run(photographs):
            with torch.inference_mode():
                return [cascade.detect(photograph) for photograph in photographs]

        return run

    settings = {"eager": setting(False)}
    if device == "cuda":
        settings["graph"] = setting(True)
    return worker.versions("torch", "torchvision"), settings


worker.serve(start)
