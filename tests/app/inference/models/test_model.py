"""Reading with small networks whose output is known, and the shipped model's samples at the end.

The network for coloured bands sees an image of 40×8 pixels in ten columns of blocks. A blue block is the
letter b, green is g, red is r; black and white are the blank.
"""

import hashlib
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.inference.decoding.beam import Search
from app.inference.decoding.constraints import make_constraint
from app.inference.images import Pixels, decode_image
from app.inference.models.model import MAX_UNSURE, ImageToTextModel, OnnxInferenceModel
from app.inference.models.reading import Reading

WIDTH, HEIGHT, STEPS = 40, 8, 10
COLOURS = {"b": (255, 0, 0), "g": (0, 255, 0), "r": (0, 0, 255), " ": (0, 0, 0), "-": (255, 255, 255)}

# Logits of b, g, r and the blank from a block's mean blue, green and red, 0…1.
BAND_WEIGHTS = np.array([[20, -20, -20, 0], [-20, 20, -20, 0], [-20, -20, 20, 0]], np.float32)
BAND_BIAS = np.array([0, 0, 0, 10], np.float32)
# Logits of d, l and the blank from a block's mean grey: dark, light, neither.
GREY_WEIGHTS = np.array([[-80, 80, 0]], np.float32)
GREY_BIAS = np.array([20, -60, 0], np.float32)


def save_network(
    path: Path,
    *,
    weights: NDArray[np.float32] = BAND_WEIGHTS,
    bias: NDArray[np.float32] = BAND_BIAS,
    channels_first: bool = False,
    dtype: int = TensorProto.FLOAT,
    free_axes: bool = False,
) -> None:
    """Build a network of block means, a matrix and a softmax."""
    channels, classes = weights.shape
    shape: list[int | str] = [channels, HEIGHT, WIDTH] if channels_first else [HEIGHT, WIDTH, channels]
    if free_axes:
        shape = ["a", "b", "c"]
    constants = {
        "weights": weights / 255,
        "bias": bias,
        "blocks": np.array([0, STEPS, WIDTH // STEPS, channels], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["last"], perm=[0, 2, 3, 1] if channels_first else [0, 1, 2, 3]),
        helper.make_node("ReduceMean", ["last"], ["columns"], axes=[1], keepdims=0),
        helper.make_node("Reshape", ["columns", "blocks"], ["blocked"]),
        helper.make_node("ReduceMean", ["blocked"], ["means"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["weighted"]),
        helper.make_node("Add", ["weighted", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info("image", dtype, ["batch", *shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", STEPS, classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def model_folder(folder: Path, configs: dict[str, Any] | None = None, **network: Any) -> Path:
    folder.mkdir(exist_ok=True)
    values = {"vocab": "bgr", "height": HEIGHT, "width": WIDTH} | (configs or {})
    (folder / "configs.yaml").write_text(yaml.dump(values))
    save_network(folder / "model.onnx", **network)
    return folder


def as_the_tutorial_writes_it(folder: Path) -> Path:
    return model_folder(
        folder,
        {
            "model_path": r"Models\02_captcha_to_text\202212211205",
            "max_text_length": 5,
            "batch_size": 64,
            "learning_rate": 0.001,
            "train_epochs": 1000,
            "train_workers": 20,
        },
    )


def bands(text: str, scale: int = 1) -> Pixels:
    """Draw an image of ten blocks, coloured by a text of ten letters."""
    blocks = np.array([[COLOURS[letter] for letter in text.ljust(STEPS)]], np.uint8)
    return np.asarray(blocks.repeat(HEIGHT * scale, axis=0).repeat(WIDTH // STEPS * scale, axis=1))


@pytest.fixture
def model(tmp_path: Path) -> ImageToTextModel:
    return ImageToTextModel(as_the_tutorial_writes_it(tmp_path))


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        (" b g r", "bgr"),
        ("rgb", "rgb"),
        ("r r r  g", "rrrg"),
        ("bbb-bbb-gg", "bbg"),
        ("          ", ""),
        ("----------", ""),
        ("rgbrgbrgbr", "rgbrgbrgbr"),
    ],
)
def test_a_folder_of_the_tutorial_reads_with_its_channel_order(
    model: ImageToTextModel, picture: str, text: str
) -> None:
    (reading,) = model.predict([bands(picture)])
    assert reading.text == text
    assert reading.confidence > 0.99
    assert "".join(character.character for character in reading.characters) == text
    assert all(character.confidence > 0.99 for character in reading.characters)


def test_pixels_reach_the_network_unchanged(model: ImageToTextModel) -> None:
    image = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    means = image.reshape(HEIGHT, STEPS, WIDTH // STEPS, 3).mean(axis=(0, 2)) / 255
    powers = np.exp(means @ BAND_WEIGHTS + BAND_BIAS)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.probabilities([image])[0], expected, rtol=1e-4)


@pytest.mark.parametrize("size", [(80, 16), (400, 80), (37, 31), (20, 4), (1200, 9), (41, 300)])
def test_images_of_other_sizes_are_read(model: ImageToTextModel, size: tuple[int, int]) -> None:
    resized = cv2.resize(bands(" b  g  r "), size, interpolation=cv2.INTER_NEAREST)
    assert model.predict([resized])[0].text == "bgr"


def test_grey_images_are_read_by_a_network_for_colours(model: ImageToTextModel) -> None:
    assert model.predict([np.full((HEIGHT, WIDTH), 255, np.uint8)])[0].text == ""
    assert model.prepare([np.full((5, 5), 9, np.uint8)]).shape == (1, HEIGHT, WIDTH, 3)


def test_characters_have_no_boxes_without_a_time_axis(model: ImageToTextModel) -> None:
    assert [character.box for character in model.predict([bands("b g r")])[0].characters] == [None] * 3


@pytest.mark.parametrize("scale", [1, 3])
def test_boxes_are_at_their_bands(tmp_path: Path, scale: int) -> None:
    model = ImageToTextModel(model_folder(tmp_path, {"time_axis": "width"}))
    (reading,) = model.predict([bands(" b  g  r", scale)])
    assert reading.text == "bgr"
    boxes = [character.box for character in reading.characters]
    for box, block in zip(boxes, (1, 4, 7), strict=True):
        assert box is not None
        assert (box.top, box.bottom) == (0, HEIGHT * scale)
        assert box.left <= 4 * scale * block
        assert box.right >= 4 * scale * (block + 1)
        assert (box.left + box.right) / 2 == pytest.approx(4 * scale * (block + 0.5), abs=1)


def test_right_to_left_text_is_returned_in_logical_order(tmp_path: Path) -> None:
    configs = {"vocab": "\u05d0\u05d11", "time_axis": "width", "direction": "rtl"}
    model = ImageToTextModel(model_folder(tmp_path, configs))
    search = Search(make_constraint(model.codec, model.steps, length=3, charset=None, pattern=None), 1)
    for asked in (None, search):
        (reading,) = model.predict([bands(" r g b")], asked)
        assert reading.text == "\u05d0\u05d11"  # alef, bet, one; the image shows one, bet, alef from left to right
        assert [character.character for character in reading.characters] == list(reading.text)
        boxes = [character.box for character in reading.characters if character.box is not None]
        assert [box.left for box in boxes] == sorted((box.left for box in boxes), reverse=True)
        assert [other.text for other in reading.alternatives] == [reading.text] * (asked is not None)
    assert [decoded.text for decoded in model.read_texts([bands(" r g b")])] == ["\u05d0\u05d11"]


@pytest.mark.parametrize("blank_index", [0, 1, 2, 3])
def test_the_blank_may_be_any_class(tmp_path: Path, blank_index: int) -> None:
    order = [0, 1, 2]
    order.insert(blank_index, 3)
    folder = model_folder(tmp_path, {"blank_index": blank_index}, weights=BAND_WEIGHTS[:, order], bias=BAND_BIAS[order])
    assert ImageToTextModel(folder).predict([bands("r bb  g")])[0].text == "rbg"


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.UINT8])
@pytest.mark.parametrize("channels_first", [False, True])
def test_layout_and_type_of_the_input_come_from_the_graph(tmp_path: Path, channels_first: bool, dtype: int) -> None:
    model = ImageToTextModel(model_folder(tmp_path, channels_first=channels_first, dtype=dtype))
    batch = model.prepare([bands("bgr")])
    assert batch.shape == ((1, 3, HEIGHT, WIDTH) if channels_first else (1, HEIGHT, WIDTH, 3))
    assert batch.dtype == (np.uint8 if dtype == TensorProto.UINT8 else np.float32)
    assert model.predict([bands("bgr"), bands("r g b")])[0].text == "bgr"


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_grey_network_reads_grey_and_coloured_images(tmp_path: Path, channels_first: bool) -> None:
    folder = model_folder(
        tmp_path, {"vocab": "dl"}, weights=GREY_WEIGHTS, bias=GREY_BIAS, channels_first=channels_first
    )
    model = ImageToTextModel(folder)
    assert model.channels == 1
    grey = np.array([[0, 128, 255, 128, 255, 128, 128, 0, 0, 0]], np.uint8).repeat(HEIGHT, axis=0).repeat(4, axis=1)
    colour = np.dstack([grey] * 3)
    assert [reading.text for reading in model.predict([grey, colour])] == ["dlld", "dlld"]


def test_free_axes_mean_channels_last_with_the_channels_of_the_configs(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, {"channels": 3}, free_axes=True)
    model = ImageToTextModel(folder)
    assert (model.channels_first, model.channels) == (False, 3)
    assert model.predict([bands("rgb")])[0].text == "rgb"


def test_temperature_lowers_confidences_and_keeps_the_text(tmp_path: Path) -> None:
    dim = (bands("r g b") * 0.9).astype(np.uint8)
    plain = ImageToTextModel(model_folder(tmp_path)).predict([dim])[0]
    calibrated = ImageToTextModel(model_folder(tmp_path, {"calibration": {"temperature": 2.0}})).predict([dim])[0]
    assert calibrated.text == plain.text != ""
    assert MAX_UNSURE < calibrated.confidence < plain.confidence  # each image is read once
    for cooler, character in zip(calibrated.characters, plain.characters, strict=True):
        assert cooler.confidence < character.confidence


def test_boxes_are_in_the_pixels_of_their_own_image_in_a_batch(tmp_path: Path) -> None:
    model = ImageToTextModel(model_folder(tmp_path, {"time_axis": "width"}))
    images = [bands(" b  g  r", scale) for scale in (5, 1, 2)]
    for reading, image in zip(model.predict(images), images, strict=True):
        assert reading == model.predict([image])[0]
        boxes = [character.box for character in reading.characters if character.box]
        assert [box.bottom for box in boxes] == [image.shape[0]] * 3
        assert image.shape[1] * 0.7 < boxes[-1].right <= image.shape[1]


def random_bands(count: int) -> list[Pixels]:
    generator = np.random.default_rng(11)
    texts = ["".join(generator.choice(list("bgr "), STEPS)) for _ in range(count)]
    return [bands(text, int(scale)) for text, scale in zip(texts, generator.integers(1, 4, count), strict=True)]


def assert_same(readings: Sequence[Reading], others: Sequence[Reading]) -> None:
    """Compare readings up to the rounding of float32, which depends on the batch."""
    assert [reading.text for reading in readings] == [other.text for other in others]
    assert [r.confidence for r in readings] == pytest.approx([o.confidence for o in others], rel=1e-4)


def test_a_batch_reads_like_its_images_alone(model: ImageToTextModel) -> None:
    images = random_bands(30)
    assert_same(model.predict(images), [model.predict([image])[0] for image in images])


def test_no_images_have_no_readings(model: ImageToTextModel) -> None:
    assert model.predict([]) == []


def test_images_are_freed_once_the_input_of_the_network_exists(model: ImageToTextModel) -> None:
    seen: list[weakref.ref[Pixels]] = []

    def images() -> Iterator[Pixels]:
        for _ in range(5):
            assert sum(reference() is not None for reference in seen) <= 1
            image = bands("bgr", scale=4)
            seen.append(weakref.ref(image))
            yield image
            del image

    assert len(model.predict(images())) == len(seen) == 5


def test_threads_share_a_model_without_mixing_their_images(model: ImageToTextModel) -> None:
    images = random_bands(200)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: model.predict([image])[0], images))
    assert_same(together, [model.predict([image])[0] for image in images])


def test_a_model_has_its_properties(model: ImageToTextModel, tmp_path: Path) -> None:
    assert (model.input_name, model.output_name) == ("image", "probabilities")
    assert model.input_shape == ["batch", HEIGHT, WIDTH, 3]
    assert model.output_shape == ["batch", STEPS, 4]
    assert model.input_dtype is np.float32
    assert model.sha256 == hashlib.sha256((tmp_path / "model.onnx").read_bytes()).hexdigest()
    assert "CPUExecutionProvider" in model.providers
    assert (model.width, model.height, model.channels, model.steps) == (WIDTH, HEIGHT, 3, STEPS)
    assert model.configs.vocab == model.codec.vocab == "bgr"


def test_any_graph_with_one_input_and_output_runs_without_configs(tmp_path: Path) -> None:
    save_network(tmp_path / "network.onnx")
    network = OnnxInferenceModel(tmp_path / "network.onnx")
    output = network.run(np.zeros((5, HEIGHT, WIDTH, 3), np.float32))
    assert output.shape == (5, STEPS, 4)
    np.testing.assert_allclose(output.sum(axis=2), 1, rtol=1e-5)


@pytest.fixture(scope="module")
def shipped(shipped_model: Path) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


def assert_reads(model: ImageToTextModel, image: Pixels, label: str, confidence: float) -> None:
    (reading,) = model.predict([image])
    assert reading.text == label
    assert reading.confidence > confidence
    boxes = [character.box for character in reading.characters]
    assert len(boxes) == len(label)
    height, width = image.shape[:2]
    for box in boxes:
        assert box is not None
        assert 0 <= box.left < box.right <= width
        assert (box.top, box.bottom) == (0, height)
    for box, following in pairwise(boxes):
        assert box is not None
        assert following is not None
        assert box.left < following.left


def test_the_shipped_model_reads_every_sample_with_confidence(
    shipped: ImageToTextModel, samples: dict[str, bytes]
) -> None:
    assert samples
    for label, data in samples.items():
        assert_reads(shipped, decode_image(data), label, confidence=0.9)


def test_the_shipped_model_reads_enlarged_samples(shipped: ImageToTextModel, samples: dict[str, bytes]) -> None:
    for label, data in samples.items():
        image = decode_image(data)
        assert_reads(shipped, cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), label, 0.5)


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
def test_the_shipped_model_reads_samples_in_lossy_formats(
    shipped: ImageToTextModel, samples: dict[str, bytes], extension: str
) -> None:
    for label, data in samples.items():
        _, encoded = cv2.imencode(extension, decode_image(data))
        assert_reads(shipped, decode_image(encoded.tobytes()), label, 0.5)
