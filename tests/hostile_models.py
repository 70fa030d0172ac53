"""Models by mistake or malice: small graphs that take long, much memory, or end the process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

HEIGHT, WIDTH, STEPS, CLASSES = 10, 20, 5, 4
CONFIGS = f"vocab: abc\nheight: {HEIGHT}\nwidth: {WIDTH}\n"
BLANK = np.tile(np.array([0.05, 0.05, 0.05, 0.85], np.float32), (1, STEPS, 1))


def write_good(folder: Path) -> None:
    """A model that reads nothing in any image."""
    _write(folder, [])


def write_without_steps(folder: Path) -> None:
    """A model of no output steps."""
    _write(folder, [], blank=BLANK[:, :0])


def write_with_many_steps(folder: Path) -> None:
    """A model of 10,000 output steps."""
    _write(folder, [], blank=np.tile(BLANK, (1, 2000, 1)))


def write_looping(folder: Path, times: int = 10**9) -> None:
    """A model that counts first, by default to 10⁹."""
    scalars = {"goes_on": TensorProto.BOOL, "count": TensorProto.FLOAT}
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["goes_on_out"]),
            helper.make_node("Add", ["count", "one"], ["count_out"]),
        ],
        "body",
        [helper.make_tensor_value_info(name, dtype, []) for name, dtype in {"n": TensorProto.INT64, **scalars}.items()],
        [helper.make_tensor_value_info(f"{name}_out", dtype, []) for name, dtype in scalars.items()],
        [numpy_helper.from_array(np.float32(1), "one")],
    )
    nodes = [
        helper.make_node("Loop", ["times", "always", "nothing"], ["counted"], body=body),
        helper.make_node("Mul", ["counted", "nothing"], ["none"]),
    ]
    _write(folder, nodes, times=np.int64(times), always=np.bool_(1))


def write_allocating(folder: Path, gigabytes: float) -> None:
    """A model that fills so much memory for each image."""
    nodes = [
        helper.make_node("Shape", ["image"], ["images"], start=0, end=1),
        helper.make_node("Concat", ["images", "many"], ["large"], axis=0),
        helper.make_node("ConstantOfShape", ["large"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["none"], keepdims=0),
    ]
    _write(folder, nodes, many=np.array([int(gigabytes * (1 << 28))]))


def _write(folder: Path, nodes: Sequence[NodeProto], **constants: Any) -> None:
    """A model that puts out `blank` for each image, and what the nodes make of `none`, which must be zero."""
    computed = {name for node in nodes for name in node.output}
    given = {"blank": BLANK, "nothing": np.float32(0), "an_image": np.array([-1, 1, 1]), "none": np.float32(0)}
    constants = {name: value for name, value in given.items() if name not in computed} | constants
    graph = helper.make_graph(
        [
            *nodes,
            helper.make_node("ReduceMean", ["image"], ["brightness"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["brightness", "nothing"], ["zeros_an_image"]),
            helper.make_node("Add", ["zeros_an_image", "none"], ["still_zeros"]),
            helper.make_node("Reshape", ["still_zeros", "an_image"], ["to_add"]),
            helper.make_node("Add", ["to_add", "blank"], ["out"]),
        ],
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("n", HEIGHT, WIDTH, 1))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ("n", "steps", CLASSES))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    folder.mkdir(parents=True)
    (folder / "configs.yaml").write_text(CONFIGS)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
