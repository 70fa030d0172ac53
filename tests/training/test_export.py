"""An export that does not do what the network does is not written."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from app.inference.configs import ModelConfigs
from app.inference.images import Pixels
from app.inference.model import ImageToTextModel
from training import export
from training.architectures import architecture_names, get_architecture
from training.export import ExportError, export_folder

VOCAB = "0123"
SIZE = {"height": 32, "width": 96}


@pytest.fixture
def images() -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 120), dtype=np.uint8) for _ in range(3)]


def build(name: str) -> tuple[keras.Model, ModelConfigs]:
    keras.utils.set_random_seed(0)
    architecture = get_architecture(name)
    network = architecture.build((SIZE["height"], SIZE["width"], architecture.channels), len(VOCAB) + 1)
    configs = ModelConfigs(vocab=VOCAB, blank_index=len(VOCAB), channels=architecture.channels, **SIZE)
    return network, configs


def write(
    network: keras.Model,
    configs: ModelConfigs,
    images: list[Pixels],
    destination: Path,
    *,
    replace: bool = False,
    add_files: Callable[[Path], object] = lambda _: None,
) -> None:
    metadata = {"data_sha256": "0" * 64}
    export_folder(network, configs, metadata, images, destination, replace=replace, add_files=add_files)


def nothing_is_left(folder: Path) -> bool:
    return list(folder.iterdir()) == []


@pytest.mark.parametrize("name", architecture_names())
def test_every_architecture_reads_the_same_in_keras_and_onnx_runtime(
    name: str, images: list[Pixels], tmp_path: Path
) -> None:
    network, configs = build(name)
    write(network, configs, images, tmp_path / "1")
    model = ImageToTextModel(tmp_path / "1")
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(network(model.prepare(images))))
    np.testing.assert_allclose(model.probabilities(images), expected, atol=1e-5)
    assert model.input_shape[0] == model.output_shape[0] == "batch"


def spoil(change: Callable[[onnx.ModelProto], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the file that tf2onnx wrote changed before it is checked."""
    write_onnx = export._write_onnx

    def write_and_spoil(network: keras.Model, configs: ModelConfigs, metadata: dict[str, str], path: Path) -> None:
        write_onnx(network, configs, metadata, path)
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)

    monkeypatch.setattr(export, "_write_onnx", write_and_spoil)


def scale_a_weight(factor: float) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        largest = max(
            (item for item in model.graph.initializer if item.data_type == onnx.TensorProto.FLOAT),
            key=lambda item: np.prod(item.dims),
        )
        values = onnx.numpy_helper.to_array(largest) * np.float32(factor)
        largest.CopyFrom(onnx.numpy_helper.from_array(values, largest.name))

    return change


@pytest.mark.parametrize("name", architecture_names())
def test_pixels_are_scaled_when_the_channels_are_outermost(name: str, images: list[Pixels], tmp_path: Path) -> None:
    write(*build(name), images, tmp_path / "1")
    nodes = [node.op_type for node in onnx.load(tmp_path / "1" / "model.onnx").graph.node]
    layout = min(nodes.index(kind) for kind in ("Reshape", "Transpose") if kind in nodes)
    assert nodes[0] == "Cast"
    assert layout == 1
    assert "Mul" in nodes[2:4]


def test_a_graph_that_differs_is_refused_and_nothing_is_written(
    images: list[Pixels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(scale_a_weight(1.05), monkeypatch)
    with pytest.raises(ExportError, match=r"differ from Keras's by .* at most 1e-04"):
        write(*build("conv_ctc"), images, tmp_path / "store" / "1")
    assert nothing_is_left(tmp_path / "store")


def test_a_graph_that_cannot_be_loaded_is_refused_and_nothing_is_written(
    images: list[Pixels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(lambda model: model.graph.ClearField("node"), monkeypatch)
    with pytest.raises(ExportError, match="cannot be used"):
        write(*build("conv_ctc"), images, tmp_path / "store" / "1")
    assert nothing_is_left(tmp_path / "store")


def test_a_vocabulary_that_does_not_fit_is_refused_and_nothing_is_written(images: list[Pixels], tmp_path: Path) -> None:
    network, configs = build("conv_ctc")
    wrong = configs.model_copy(update={"vocab": "01"})
    with pytest.raises(ExportError, match="vocabulary"):
        write(network, wrong, images, tmp_path / "store" / "1")
    assert nothing_is_left(tmp_path / "store")


def test_a_failure_in_any_other_file_leaves_nothing(images: list[Pixels], tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("…")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write(*build("conv_ctc"), images, tmp_path / "store" / "1", add_files=fail)
    assert nothing_is_left(tmp_path / "store")


def test_a_folder_is_replaced_only_where_that_is_meant_and_kept_when_the_new_one_fails(
    images: list[Pixels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, configs = build("conv_ctc")
    write(network, configs, images, tmp_path / "1", add_files=lambda folder: (folder / "first").touch())
    with pytest.raises(FileExistsError):
        write(network, configs, images, tmp_path / "1")
    write(network, configs, images, tmp_path / "1", replace=True, add_files=lambda folder: (folder / "second").touch())
    spoil(scale_a_weight(2.0), monkeypatch)
    with pytest.raises(ExportError):
        write(network, configs, images, tmp_path / "1", replace=True)
    assert {path.name for path in (tmp_path / "1").iterdir()} == {"model.onnx", "configs.yaml", "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
