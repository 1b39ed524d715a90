"""Embedding by OpenVINO, tuned by its own hints: in f32, or in bf16, which it takes by itself where the processor has it."""

import numpy as np

import worker


def start(job):
    import openvino

    core = openvino.Core()
    compiled = {}

    def model(hint, size):
        if (hint, size) not in compiled:
            network = core.read_model(f"{job['work']}/facenet.onnx")
            network.reshape([size, 160, 160, 3])
            config = {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": job["threads"]}
            if job["precision"] == "f32":
                config["INFERENCE_PRECISION_HINT"] = "f32"
            compiled[hint, size] = core.compile_model(network, "CPU", config)
            taken = compiled[hint, size].get_property("INFERENCE_PRECISION_HINT").to_string()
            if taken != job["precision"]:
                raise RuntimeError(f"it takes {taken} on this processor, not {job['precision']}")
        return compiled[hint, size]

    def latency(batches):
        network = model("LATENCY", len(batches[0]))
        return np.concatenate([network(batch)[0].copy() for batch in batches])

    queues = {}

    def throughput(batches):
        size = len(batches[0])
        if size not in queues:
            queues[size] = openvino.AsyncInferQueue(model("THROUGHPUT", size))
        queue, results = queues[size], [None] * len(batches)

        def keep(request, at):
            results[at] = request.get_output_tensor(0).data.copy()

        queue.set_callback(keep)
        for at, batch in enumerate(batches):
            queue.start_async(batch, at)
        queue.wait_all()
        return np.concatenate(results)

    return worker.versions("openvino"), {"latency": latency, "throughput": throughput}


worker.serve(start)
