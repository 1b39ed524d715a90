"""Detection by facenet-pytorch's MTCNN, one photograph at a time and in batches of one size."""

import worker

BATCH = 32


def start(job):
    import numpy as np
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(job["threads"])
    network = MTCNN(min_face_size=20, thresholds=[0.6, 0.7, 0.7], factor=0.709, keep_all=True, device=job.get("device", "cpu"))

    def faces(boxes, scores):
        return [] if boxes is None else [(box.tolist(), float(score)) for box, score in zip(boxes, scores)]

    def one(photographs):
        return [faces(*network.detect(photograph)) for photograph in photographs]

    def batched(photographs):
        by_size = {}
        for at, photograph in enumerate(photographs):
            by_size.setdefault(photograph.shape, []).append(at)
        found = [None] * len(photographs)
        for same in by_size.values():
            for begin in range(0, len(same), BATCH):
                part = same[begin : begin + BATCH]
                boxes, scores = network.detect(np.stack([photographs[at] for at in part]))
                for at, *result in zip(part, boxes, scores):
                    found[at] = faces(*result)
        return found

    return worker.versions("facenet-pytorch", "torch", "torchvision"), {"one at a time": one, "batched": batched}


worker.serve(start)
