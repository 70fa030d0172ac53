"""Lower bounds for the network: its layers as bare matrix products."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.inference.models.model import MODEL_FILE, ImageToTextModel, OnnxInferenceModel
from benchmarks.common import Setup
from benchmarks.figures import Figure, Row, Section, Table, figure, ratio, scaled
from benchmarks.peers.timer import time_steps

NETWORK, CALL = "the network", "an empty call"
TOGETHER = "all layers, without the calls"
MAX_WEIGHT = 63  # 7 bits, as in the network


@dataclass(frozen=True)
class Layer:
    """A convolution as a matrix product: (rows, inner) by (inner, columns)."""

    name: str
    rows: int
    inner: int
    columns: int
    in_integers: bool

    @property
    def size(self) -> str:
        """The size, for people."""
        return f"{self.rows}×{self.inner}×{self.columns}"

    @property
    def products(self) -> int:
        """Number of multiplications, each with an addition."""
        return self.rows * self.inner * self.columns


def measure(setup: Setup) -> Section:
    """Time the network, each layer's product, and an empty call in turn, each on one thread."""
    model = ImageToTextModel(setup.model)
    blank = model.prepare([np.full((model.height, model.width), 255, np.uint8)])
    layers = layers_of(setup.model / MODEL_FILE)
    steps: dict[str, Callable[[], object]] = {
        NETWORK: lambda: model.run(blank),
        CALL: product_of(Layer(CALL, 1, 4, 4, in_integers=True), setup.folder),
        **{layer.name: product_of(layer, setup.folder) for layer in layers},
    }
    seconds = 0.02 if setup.quick else 0.15
    rounds = [time_steps(steps, seconds) for _ in range(setup.rounds)]
    return report(layers, {name: figure([1000 * one[name] for one in rounds]) for name in steps})


def report(layers: Sequence[Layer], microseconds: Mapping[str, Figure]) -> Section:
    """Return the section, from the microseconds of the network, of a call, and of each product including its call."""
    calls = scaled(microseconds[CALL], len(layers))
    together = figure(
        [
            sum(products) - call
            for *products, call in zip(
                *(microseconds[layer.name]["rounds"] for layer in layers), calls["rounds"], strict=True
            )
        ]
    )
    products = sum(layer.products for layer in layers)
    rows = [
        *(_row(layer.name, layer.size, layer.products, microseconds[layer.name]) for layer in layers),
        _row(TOGETHER, "", products, together),
        _row(NETWORK, "", products, microseconds[NETWORK]),
        _row(CALL, "", 0, microseconds[CALL]),
    ]
    share = ratio(together, microseconds[NETWORK])
    columns = {
        "layer": "",
        "size": "rows × inner × columns",
        "products": "products, million",
        "time": "µs",
        "rate": "billion products/s",
    }
    title = f"The layers as products of matrices, {share['median']:.0%} of the network"
    return Section(tables={"layers": Table(title=title, columns=columns, rows=rows)}, checks=[], notes=[])


def layers_of(path: Path) -> list[Layer]:
    """Return the convolutions of a network, first to last."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in [*graph.value_info, *graph.output]
    }
    makers = {name: node for node in graph.node for name in node.output}
    constants = {constant.name: list(constant.dims) for constant in graph.initializer}
    layers = []
    for number, node in enumerate((node for node in graph.node if node.op_type == "Conv"), start=1):
        weights = node.input[1]
        in_integers = weights not in constants
        columns, *inner = constants[makers[weights].input[0] if in_integers else weights]
        rows = math.prod(shapes[node.output[0]][2:])
        layers.append(Layer(f"convolution {number}", rows, math.prod(inner), columns, in_integers))
    return layers


def product_of(layer: Layer, folder: Path) -> Callable[[], object]:
    """Return a function that multiplies random matrices of a layer's size and type (8-bit integers or floats)."""
    rng = np.random.default_rng(0)
    shape = (layer.inner, layer.columns)
    if layer.in_integers:
        weights = rng.integers(-MAX_WEIGHT, MAX_WEIGHT, shape).astype(np.int8)
        left: Any = rng.integers(0, 256, (layer.rows, layer.inner)).astype(np.uint8)
        scale, zero, zeros = np.float32(0.01), np.uint8(0), np.zeros(layer.columns, np.int8)
        constants = {
            "x_scale": scale,
            "x_zero": zero,
            "weights": weights,
            "scales": np.full(layer.columns, scale),
            "zeros": zeros,
            "y_scale": np.float32(1),
            "y_zero": zero,
        }
        node = helper.make_node("QLinearMatMul", ["left", *constants], ["product"])
        kind = TensorProto.UINT8
    else:
        constants = {"weights": rng.normal(size=shape).astype(np.float32)}
        left = rng.normal(size=(layer.rows, layer.inner)).astype(np.float32)
        node = helper.make_node("MatMul", ["left", "weights"], ["product"])
        kind = TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("left", kind, left.shape)],
        [helper.make_tensor_value_info("product", kind, (layer.rows, layer.columns))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    path = folder / f"{layer.size}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    model = OnnxInferenceModel(path)
    return lambda: model.run(left)


def _row(name: str, size: str, products: int, microseconds: Figure) -> Row:
    rate = figure([products / value / 1000 for value in microseconds["rounds"]])
    return {"layer": name, "size": size, "products": f"{products / 1e6:.2f}", "time": microseconds, "rate": rate}
