"""Runs a network in one runtime, in an environment that has that and NumPy: `runtime.py NAME MODEL INPUTS OUTPUTS`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Write to an `.npz` the outputs for the inputs of another, under the same names."""
    name, model, inputs, outputs = sys.argv[1:]
    opened = {"onnxruntime": open_onnxruntime, "openvino": open_openvino, "openvino-untransformed": open_untransformed}
    run = opened[name](model)
    with np.load(inputs) as batches:
        found = {name: run(batches[name]) for name in batches}
    np.savez(Path(outputs), **found)


def open_onnxruntime(model: str) -> Callable[[Any], Any]:
    """Return what runs the network in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    return lambda batch: session.run(None, {only.name: batch})[0]


def open_openvino(model: str, **options: Any) -> Callable[[Any], Any]:
    """Return what runs the network in OpenVINO."""
    import openvino

    # Left to itself, it computes in 16 bits where the processor can.
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", **options})
    return lambda batch: compiled(batch)[0]


def open_untransformed(model: str) -> Callable[[Any], Any]:
    """Return the same without OpenVINO's own way of computing with 8-bit integers."""
    return open_openvino(model, LP_TRANSFORMS_MODE="NO")


if __name__ == "__main__":
    main()
