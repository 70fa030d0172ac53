"""Networks with input of any width: coloured bands, one step for every four columns."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from app.inference.images import Pixels
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel, ModelError

HEIGHT, WIDEST, COLUMNS_A_STEP = 8, 80, 4
COLOURS = {"b": (255, 0, 0), "g": (0, 255, 0), "r": (0, 0, 255), " ": (0, 0, 0)}
WEIGHTS = np.array([[20, -20, -20, 0], [-20, 20, -20, 0], [-20, -20, 20, 0]], np.float32) / 255
BIAS = np.array([0, 0, 0, 10], np.float32)


def save_network(path: Path, *, width: int | str, overlapping: bool = False) -> None:
    """Build a network of means over four columns, a matrix and a softmax; overlapping means are not proportional."""
    constants = {"weights": WEIGHTS, "bias": BIAS, "rows": np.array([1], np.int64)}
    pool = {"kernel_shape": [HEIGHT, COLUMNS_A_STEP + overlapping], "strides": [1, COLUMNS_A_STEP]}
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["first"], ["pooled"], **pool),
        helper.make_node("Transpose", ["pooled"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Squeeze", ["last", "rows"], ["means"]),
        helper.make_node("MatMul", ["means", "weights"], ["weighted"]),
        helper.make_node("Add", ["weighted", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", HEIGHT, width, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", "steps", 4])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def model_folder(folder: Path, width: int | str = "columns", **network: Any) -> Path:
    configs = {"vocab": "bgr", "height": HEIGHT, "width": WIDEST, "keep_proportions": True, "time_axis": "width"}
    (folder / "configs.yaml").write_text(yaml.dump(configs))
    save_network(folder / "model.onnx", width=width, **network)
    return folder


def bands(text: str, scale: int = 1) -> Pixels:
    """Draw an image with a block of four columns for each letter."""
    blocks = np.array([[COLOURS[letter] for letter in text]], np.uint8)
    return np.asarray(blocks.repeat(HEIGHT * scale, axis=0).repeat(COLUMNS_A_STEP * scale, axis=1))


@pytest.fixture
def model(tmp_path: Path) -> ImageToTextModel:
    return ImageToTextModel(model_folder(tmp_path))


def test_the_steps_are_those_of_the_widest_image(model: ImageToTextModel) -> None:
    assert (model.width, model.steps) == (WIDEST, WIDEST // COLUMNS_A_STEP)


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("text", ["bgrbgrbg", "r g b r g ", "bgrbgrbgrbgrbgrbgrbg"])
def test_the_input_width_is_proportional_to_the_image(model: ImageToTextModel, text: str, scale: int) -> None:
    image = bands(text, scale)
    assert model.prepare([image]).shape == (1, HEIGHT, len(text) * COLUMNS_A_STEP, 3)
    assert model.predict([image])[0].text == text.replace(" ", "")


def test_narrow_images_are_stretched_and_wide_ones_squeezed(model: ImageToTextModel) -> None:
    narrow, wide = bands("bg"), bands("b" * 20 + "g" * 20)
    assert model.prepare([narrow]).shape[2] == 32
    assert model.prepare([wide]).shape[2] == WIDEST
    assert [reading.text for reading in model.predict([narrow, wide])] == ["bg", "bg"]


def test_images_of_many_widths_are_read_like_alone(model: ImageToTextModel) -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("bgr "), 2 * int(rng.integers(4, 10)))) for _ in range(5 * BATCH_IMAGES)]
    images = [bands(text) for text in texts]
    together = model.predict(images)
    assert [(reading.text, reading.characters) for reading in together] == [
        (reading.text, reading.characters) for image in images for reading in model.predict([image])
    ]
    assert [decoded.text for decoded in model.read_texts(images)] == [reading.text for reading in together]


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("text", [" b   g  ", " b    r         g "])
def test_boxes_cover_their_characters(model: ImageToTextModel, text: str, scale: int) -> None:
    (reading,) = model.predict([bands(text, scale)])
    for character in reading.characters:
        assert character.box is not None
        middle = (text.index(character.character) + 0.5) * COLUMNS_A_STEP * scale
        assert character.box.left < middle < character.box.right


class TestRefused:
    def test_a_graph_of_one_width(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"configs\.yaml says any×8"):
            ImageToTextModel(model_folder(tmp_path, WIDEST))

    def test_a_graph_whose_steps_are_not_proportional_to_the_width(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="the same number of steps per column"):
            ImageToTextModel(model_folder(tmp_path, overlapping=True))
