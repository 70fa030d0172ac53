"""Quantisation of exported networks to 8 bits."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 8


class _Batches(CalibrationDataReader):
    """Images that determine the range of each activation."""

    def __init__(self, input_name: str, images: NDArray[np.uint8]) -> None:
        self._batches = iter([{input_name: images[at : at + BATCH]} for at in range(0, len(images), BATCH)])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._batches, None)


def quantize_convolutions(path: Path, images: NDArray[np.uint8], destination: Path) -> None:
    """Write a network whose convolutions compute in integers (Jacob et al., arXiv:1712.05877).

    The first and last convolutions stay in floats. The first has one input channel, for which ONNX Runtime's integer
    kernel is slower. The last puts out the logits, where steps of 8 bits would be visible in the confidences. Weights
    have 7 bits, since processors without VNNI add up pairs of products in 16 bits.

    Args:
        path: an ONNX file with a float32 network.
        images: typical network inputs (images, height, width, channels).
        destination: the file to write; it keeps the metadata.
    """
    with TemporaryDirectory() as folder, _hints_silenced():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        quantize_static(
            str(prepared),
            str(destination),
            _Batches(graph.input[0].name, images),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_quantize=_inner_convolutions(graph),
        )
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    quantized = onnx.load(destination)
    onnx.helper.set_model_props(quantized, properties | {"precision": "int8"})
    onnx.save(quantized, destination)


def _inner_convolutions(graph: Any) -> list[str]:
    """Return the names of all convolutions between the first and the last, and of their ReLUs."""
    convolutions = [node for node in graph.node if node.op_type == "Conv"][1:-1]
    outputs = {node.output[0] for node in convolutions}
    rectifiers = [node for node in graph.node if node.op_type == "Relu" and node.input[0] in outputs]
    return [node.name for node in [*convolutions, *rectifiers]]


@contextmanager
def _hints_silenced() -> Iterator[None]:
    """Suppress the hints that the library logs on the root logger."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.root.setLevel(level)
