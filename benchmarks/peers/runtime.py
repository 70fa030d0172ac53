"""Run a network in one runtime, in an environment with only that and NumPy: `runtime.py NAME MODEL INPUTS OUTPUTS`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Read inputs from one `.npz` file and write the outputs to another, under the same names."""
    name, model, inputs, outputs = sys.argv[1:]
    opened = {"onnxruntime": open_onnxruntime, "openvino": open_openvino, "openvino-untransformed": open_untransformed}
    run = opened[name](model)
    with np.load(inputs) as batches:
        found = {name: run(batches[name]) for name in batches}
    np.savez(Path(outputs), **found)


def open_onnxruntime(model: str) -> Callable[[Any], Any]:
    """Return a function that runs the network in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    return lambda batch: session.run(None, {only.name: batch})[0]


def open_openvino(model: str, **options: Any) -> Callable[[Any], Any]:
    """Return a function that runs the network in OpenVINO."""
    import openvino

    # By default, it computes in 16 bits if the processor can.
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", **options})
    return lambda batch: compiled(batch)[0]


def open_untransformed(model: str) -> Callable[[Any], Any]:
    """Return the same without OpenVINO's transformations for 8-bit integers."""
    return open_openvino(model, LP_TRANSFORMS_MODE="NO")


if __name__ == "__main__":
    main()
