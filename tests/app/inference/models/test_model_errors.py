"""Unusable folders are refused on loading, with a message for the operator."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from app.inference.models.folders import MAX_FILE_BYTES
from app.inference.models.model import ImageToTextModel, ModelError, OnnxInferenceModel

WIDTH, HEIGHT, STEPS = 40, 8, 5
NHWC = ("batch", HEIGHT, WIDTH, 3)


def tensor(name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def save_graph(
    folder: Path,
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    **constants: Any,
) -> None:
    initialisers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")


def save_constant(
    folder: Path,
    row: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    image: ValueInfoProto | None = None,
    cast: int = TensorProto.FLOAT,
) -> None:
    """Build a network that returns the same classes at each step of each image."""
    nodes = [
        helper.make_node("Shape", ["image"], ["batch_of"], start=0, end=1),
        helper.make_node("Concat", ["batch_of", "rest"], ["shape"], axis=0),
        helper.make_node("Expand", ["row", "shape"], ["expanded"]),
        helper.make_node("Cast", ["expanded"], ["probabilities"], to=cast),
    ]
    save_graph(
        folder,
        nodes,
        [image or tensor("image", NHWC)],
        [tensor("probabilities", ("batch", STEPS, len(row)), cast)],
        row=np.array(row, np.float32),
        rest=np.array([STEPS, len(row)]),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder without its network."""
    write_configs(tmp_path)
    return tmp_path


def write_configs(folder: Path, **changes: Any) -> None:
    values = {"vocab": "bgr", "height": HEIGHT, "width": WIDTH, **changes}
    (folder / "configs.yaml").write_text(yaml.dump(values))


def message(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        ImageToTextModel(folder)
    said = str(caught.value)
    assert str(folder) not in said
    assert str(folder.parent) not in said
    return said


def test_the_unchanged_network_of_these_tests_loads(folder: Path) -> None:
    save_constant(folder)
    assert ImageToTextModel(folder).steps == STEPS


def test_missing_configs_are_named(tmp_path: Path) -> None:
    save_constant(tmp_path)
    assert message(tmp_path) == "configs.yaml cannot be read: No such file or directory"


def test_wrong_configs_are_explained(folder: Path) -> None:
    save_constant(folder)
    write_configs(folder, vocab=123)
    assert message(folder) == "configs.yaml: vocab must be a string; put digits in quotes"


def test_a_missing_network_is_named(folder: Path) -> None:
    assert message(folder) == "model.onnx cannot be read: No such file or directory"


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x09" * 500, b"PK\x03\x04"])
def test_a_file_that_is_not_a_network_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.onnx").write_bytes(content)
    assert message(folder) == "model.onnx is not an ONNX model that ONNX Runtime can load"


def test_half_a_network_is_refused(folder: Path) -> None:
    save_constant(folder)
    network = folder / "model.onnx"
    network.write_bytes(network.read_bytes()[: network.stat().st_size // 2])
    assert message(folder) == "model.onnx is not an ONNX model that ONNX Runtime can load"


def test_a_network_of_unknown_operators_is_refused(folder: Path) -> None:
    node = helper.make_node("ReadCaptcha", ["image"], ["probabilities"])
    save_graph(folder, [node], [tensor("image", NHWC)], [tensor("probabilities", ("batch", STEPS, 4))])
    assert message(folder) == "model.onnx is not an ONNX model that ONNX Runtime can load"


def test_two_inputs_are_refused(folder: Path) -> None:
    save_graph(
        folder,
        [helper.make_node("Add", ["image", "mask"], ["probabilities"])],
        [tensor("image", NHWC), tensor("mask", NHWC)],
        [tensor("probabilities", NHWC)],
    )
    assert message(folder) == "model.onnx has 2 inputs and 1 outputs, not one of each"


def test_two_outputs_are_refused(folder: Path) -> None:
    save_graph(
        folder,
        [helper.make_node("Neg", ["image"], ["one"]), helper.make_node("Abs", ["image"], ["other"])],
        [tensor("image", NHWC)],
        [tensor("one", NHWC), tensor("other", NHWC)],
    )
    assert message(folder) == "model.onnx has 1 inputs and 2 outputs, not one of each"


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(TensorProto.INT64, "int64"), (TensorProto.DOUBLE, "double"), (TensorProto.STRING, "string")],
)
def test_other_input_types_are_refused_with_the_supported_ones(folder: Path, dtype: int, name: str) -> None:
    save_constant(folder, image=tensor("image", NHWC, dtype))
    assert message(folder) == f"model.onnx takes tensor({name}); it must take tensor(uint8) or tensor(float)"


def test_a_size_that_differs_from_the_configs_is_refused_with_both(folder: Path) -> None:
    save_constant(folder, image=tensor("image", ("batch", 50, 200, 3)))
    assert message(folder) == "configs.yaml says 40×8, but model.onnx takes any×50×200×3"


def test_channels_that_differ_from_the_configs_are_refused_with_both(folder: Path) -> None:
    save_constant(folder)
    write_configs(folder, channels=1)
    assert message(folder) == "configs.yaml says 40×8 with 1 channels, but model.onnx takes any×8×40×3"


@pytest.mark.parametrize("channels", [2, 4, "c"])
def test_channels_that_are_neither_one_nor_three_are_refused(folder: Path, channels: int | str) -> None:
    save_constant(folder, image=tensor("image", ("batch", HEIGHT, WIDTH, channels)))
    assert "configs.yaml says 40×8, but model.onnx takes any×8×40×" in message(folder)


@pytest.mark.parametrize("shape", [("batch",), ("batch", HEIGHT, WIDTH), ("batch", HEIGHT, WIDTH, 3, 1)])
def test_an_input_without_the_axes_of_an_image_is_refused(folder: Path, shape: tuple[int | str, ...]) -> None:
    save_constant(folder, image=tensor("image", shape))
    assert f"model.onnx takes {len(shape)} axes" in message(folder)


@pytest.mark.parametrize("vocab", ["bg", "bgra", "0123456789"])
def test_a_vocabulary_of_another_length_than_the_classes_is_refused_with_both(folder: Path, vocab: str) -> None:
    save_constant(folder)
    write_configs(folder, vocab=vocab)
    said = message(folder)
    assert f"the vocabulary has {len(vocab)} characters" in said
    assert f"{len(vocab) + 1} classes per step" in said
    assert f"[2, {STEPS}, 4]" in said


def test_an_output_without_steps_is_refused(folder: Path) -> None:
    save_graph(
        folder,
        [helper.make_node("ReduceMean", ["image"], ["out"], axes=[1, 2], keepdims=0)],
        [tensor("image", NHWC)],
        [tensor("out", ("batch", 3))],
    )
    assert "returns [2, 3]" in message(folder)


@pytest.mark.parametrize(
    "row",
    [(3.0, -2.0, 0.5, 1.0), (0.9, 0.9, 0.9, 0.9), (1.5, -0.5, 0.0, 0.0), (float("nan"),) * 4, (0.0, 0.0, 0.0, 0.0)],
)
def test_an_output_without_probabilities_is_refused(folder: Path, row: tuple[float, ...]) -> None:
    save_constant(folder, row)
    assert message(folder) == "model.onnx must return probabilities: end the network with a softmax"


def test_a_network_that_fails_when_it_runs_is_refused(folder: Path) -> None:
    save_graph(
        folder,
        [helper.make_node("Reshape", ["image", "shape"], ["out"])],
        [tensor("image", NHWC)],
        [tensor("out", ("batch", STEPS, 4))],
        shape=np.array([-1, STEPS, 7]),
    )
    assert message(folder) == "model.onnx fails on a batch of 40×8 images"


def test_a_network_of_fixed_batch_size_is_refused(folder: Path) -> None:
    save_constant(folder, image=tensor("image", (1, HEIGHT, WIDTH, 3)))
    assert message(folder) == "model.onnx fails on a batch of 40×8 images"


def test_a_network_that_returns_another_number_of_images_is_refused(folder: Path) -> None:
    save_graph(
        folder,
        [
            helper.make_node("ReduceMax", ["image"], ["brightest"], keepdims=1),
            helper.make_node("Mul", ["brightest", "nothing"], ["zero"]),
            helper.make_node("Reshape", ["zero", "scalar"], ["flat"]),
            helper.make_node("Add", ["flat", "even"], ["probabilities"]),
        ],
        [tensor("image", NHWC)],
        [tensor("probabilities", (1, STEPS, 4))],
        nothing=np.float32(0),
        scalar=np.array([1]),
        even=np.full((1, STEPS, 4), 0.25, np.float32),
    )
    assert f"returns [1, {STEPS}, 4]" in message(folder)


def test_a_network_without_steps_is_refused(folder: Path) -> None:
    save_graph(
        folder,
        [
            helper.make_node("Shape", ["image"], ["batch_of"], start=0, end=1),
            helper.make_node("Concat", ["batch_of", "rest"], ["shape"], axis=0),
            helper.make_node("ConstantOfShape", ["shape"], ["probabilities"]),
        ],
        [tensor("image", NHWC)],
        [tensor("probabilities", ("batch", 0, 4))],
        rest=np.array([0, 4]),
    )
    assert "at least one, but returns [2, 0, 4] for two images and [1, 0, 4] for one" in message(folder)


def test_a_network_whose_steps_depend_on_the_number_of_images_is_refused(folder: Path) -> None:
    save_graph(
        folder,
        [
            helper.make_node("Shape", ["image"], ["batch_of"], start=0, end=1),
            helper.make_node("Concat", ["batch_of", "batch_of", "classes"], ["shape"], axis=0),
            helper.make_node("Expand", ["row", "shape"], ["probabilities"]),
        ],
        [tensor("image", NHWC)],
        [tensor("probabilities", ("batch", "batch", 4))],
        row=np.full(4, 0.25, np.float32),
        classes=np.array([4]),
    )
    assert "the same number of steps for each image" in message(folder)


def test_an_output_of_whole_numbers_is_refused(folder: Path) -> None:
    save_constant(folder, (1, 0, 0, 0), cast=TensorProto.INT32)
    assert message(folder) == "model.onnx must return floats, but returns int32"


def test_errors_name_the_file_of_a_network_without_configs(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^detector\.onnx cannot be read: No such file or directory$"):
        OnnxInferenceModel(tmp_path / "detector.onnx")


def test_a_network_that_is_too_large_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / "model.onnx").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert message(folder) == "model.onnx is over 536,870,912 bytes"


@pytest.mark.parametrize(
    ("make", "reason"), [(os.mkfifo, "is not a regular file"), (os.mkdir, "cannot be read: Is a directory")]
)
def test_a_pipe_is_refused_without_blocking(folder: Path, make: Any, reason: str) -> None:
    make(folder / "model.onnx")
    assert message(folder) == f"model.onnx {reason}"


def save_with_data_outside(folder: Path, location: str, *, in_node: bool = False) -> None:
    """Build a network with a tensor in another file."""
    outside = TensorProto(name="row", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        outside.external_data.add(key=key, value=value)
    save_constant(folder)
    model = onnx.load(folder / "model.onnx")
    kept = [constant for constant in model.graph.initializer if constant.name != "row"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept if in_node else [*kept, outside])
    if in_node:
        model.graph.node.insert(0, helper.make_node("Constant", [], ["row"], value=outside))
    (folder / "model.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("in_node", [False, True])
@pytest.mark.parametrize("location", ["row.bin", "../row.bin", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"])
def test_weights_outside_the_file_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, location: str, in_node: bool
) -> None:
    (folder / "row.bin").write_bytes(np.full(4, 0.25, np.float32).tobytes())
    monkeypatch.chdir(folder)  # where ONNX Runtime searches for them
    save_with_data_outside(folder, location, in_node=in_node)
    assert message(folder) == ("model.onnx has external data; save it with all weights inside")


def test_external_data_are_found_in_any_encoding_of_their_key(folder: Path) -> None:
    save_with_data_outside(folder, "row.bin")
    network = folder / "model.onnx"
    found = network.read_bytes().count(b"\x08location")
    assert found == 1
    # Protocol buffers may encode the length 8 in two bytes. The enclosing lengths are now wrong, which does not matter.
    network.write_bytes(network.read_bytes().replace(b"\x08location", b"\x88\x00location"))
    assert "external data" in message(folder)


def test_names_that_only_resemble_that_key_are_accepted(folder: Path) -> None:
    save_constant(folder)
    model = onnx.load(folder / "model.onnx")
    model.graph.node[0].name = "allocation/location of rows"
    onnx.save(model, folder / "model.onnx")
    assert ImageToTextModel(folder).steps == STEPS
