"""Writes the published networks by other frameworks' exporters:

    python export.py FACENET_PYTORCH KERAS_FACENET WEIGHTS MODEL.pt FOLDER

The first two are unpacked packages; WEIGHTS holds facenet_keras.h5, and MODEL.pt is graph_final.pb for facenet-pytorch.

torchscript.onnx  facenet-pytorch's network by PyTorch's older exporter, batch norms folded into convolutions
training.onnx     the same without folding
dynamo.onnx       by the newer exporter, weights in dynamo.onnx.data
f32.tflite        keras-facenet's network with the weights of facenet_keras.h5
f16.tflite        the same with weights in f16
tf2onnx.onnx      the same by tf2onnx
"""

import os
import runpy
import sys
import warnings
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.simplefilter("ignore")


def by_torch(model, folder):
    import torch
    from facenet_pytorch import InceptionResnetV1

    network = InceptionResnetV1(pretrained=None).eval()
    network.load_state_dict(torch.load(model, weights_only=True))
    x = torch.zeros(1, 3, 160, 160)
    torch.onnx.export(network, (x,), folder / "torchscript.onnx", dynamo=False)
    kept = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    torch.onnx.export(network, (x,), folder / "training.onnx", dynamo=False, **kept)
    torch.onnx.export(network, (x,), folder / "dynamo.onnx", dynamo=True, external_data=True, verbose=False)


def by_tensorflow(network, weights, folder):
    import tensorflow as tf
    import tf2onnx

    # The file alone: its package asks for what the network does not need.
    model = runpy.run_path(str(network))["InceptionResNetV1"]()
    model.load_weights(weights)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / "f32.tflite").write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    (folder / "f16.tflite").write_bytes(converter.convert())
    signature = (tf.TensorSpec((None, 160, 160, 3), tf.float32, name="input"),)
    path = str(folder / "tf2onnx.onnx")
    tf2onnx.convert.from_keras(model, input_signature=signature, opset=15, output_path=path)


def main(facenet_pytorch, keras_facenet, weights, model, folder):
    sys.path.append(facenet_pytorch)
    by_torch(model, Path(folder))
    network = Path(keras_facenet) / "keras_facenet/inception_resnet_v1.py"
    by_tensorflow(network, f"{weights}/facenet_keras.h5", Path(folder))


main(*sys.argv[1:])
