"""Pictures unlike the training images get lower confidences but the same texts."""

import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from app.inference.models.configs import ModelConfigs
from app.inference.models.model import OnnxInferenceModel
from training.exporting.export import _write_onnx
from training.exporting.out_of_distribution import GraphError, penalize_outliers
from training.networks import get_architecture

HEIGHT, WIDTH = 32, 96
Picture = NDArray[np.uint8]


def like(count: int, seed: int, channels: int) -> list[Picture]:
    """Draw soft dark spots on light paper."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        paper = np.full((HEIGHT, WIDTH), 230, np.uint8)
        for _spot in range(5):
            cv2.circle(paper, rng.integers(0, (WIDTH, HEIGHT)).tolist(), 4, int(rng.integers(20, 60)), -1)
        grey = cv2.GaussianBlur(paper, (5, 5), 0)
        pictures.append(np.repeat(grey[..., np.newaxis], channels, axis=2))
    return pictures


def unlike(channels: int) -> Picture:
    """Draw stripes of black and white."""
    stripes = np.zeros((HEIGHT, WIDTH, channels), np.uint8)
    stripes[:, ::4] = 255
    return stripes


@pytest.fixture(scope="module", params=["conv_ctc", "residual_ctc"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return the ONNX file of an untrained convolutional network, and its number of channels."""
    keras.utils.set_random_seed(0)
    architecture = get_architecture(request.param)
    network = architecture.build((HEIGHT, WIDTH, architecture.channels), 5)
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    sharp = keras.Model(network.input, keras.layers.Softmax()(50 * network.output))
    _write_onnx(sharp, ModelConfigs(vocab="0123", height=HEIGHT, width=WIDTH), {}, path)
    return path, architecture.channels


def test_only_unlike_pictures_get_lower_confidences_and_texts_stay(
    exported: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.exporting.out_of_distribution.COPIES", 1_000)
    path, channels = exported
    doubting = Path(shutil.copy(path, tmp_path))
    penalize_outliers(doubting, like(30, 1, channels), like(5, 2, channels))
    pictures = np.stack([*like(20, 3, channels), unlike(channels)])
    before, after = (OnnxInferenceModel(file).run(pictures) for file in (path, doubting))
    np.testing.assert_allclose(after[:-1], before[:-1], atol=1e-5)
    np.testing.assert_array_equal(after[-1].argmax(axis=-1), before[-1].argmax(axis=-1))
    assert (after[-1].max(axis=-1) < before[-1].max(axis=-1)).all()


def test_the_same_pictures_give_the_same_file(exported: tuple[Path, int], tmp_path: Path) -> None:
    path, channels = exported
    files = [Path(shutil.copy(path, tmp_path / name)) for name in ("a.onnx", "b.onnx")]
    for file in files:
        penalize_outliers(file, like(10, 1, channels), like(5, 2, channels))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_kind_of_graph_is_rejected_and_unchanged(tmp_path: Path) -> None:
    port = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2, 3]) for name in ("in", "out")]
    node = onnx.helper.make_node("Softmax", ["in"], ["out"])
    path = tmp_path / "model.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", port[:1], port[1:])), path)
    content = path.read_bytes()
    with pytest.raises(GraphError, match="convolution and a softmax"):
        penalize_outliers(path, like(2, 1, 1), like(2, 2, 1))
    assert path.read_bytes() == content
