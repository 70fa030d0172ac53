"""An export that differs from the network is not written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.lexicon import Lexicon
from app.inference.models.configs import ModelConfigs, read_configs
from app.inference.models.model import ImageToTextModel
from training.data.dataset import LabelledImages, read_image
from training.data.layouts import read_samples
from training.data.text_prior import as_configs
from training.exporting import export
from training.exporting.export import ExportError, export_folder
from training.exporting.quantize import quantize_convolutions
from training.fitting.checkpoints import load_variables
from training.fitting.network import build_network
from training.fitting.run import RunFolder
from training.networks import architecture_names, get_architecture

VOCAB = "0123"
SIZE = {"height": 32, "width": 96}
CONVERTED: dict[int, bytes] = {}
"""tf2onnx's output for each architecture, keyed by its number of weights; `build` always gives the same values."""


@pytest.fixture(autouse=True)
def convert_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert each architecture only once: conversion takes longer than the rest of an export."""
    write_onnx = export._write_onnx

    def write(network: keras.Model, configs: ModelConfigs, metadata: dict[str, str], path: Path) -> None:
        if network.count_params() not in CONVERTED:
            write_onnx(network, configs, metadata, path)
            CONVERTED[network.count_params()] = path.read_bytes()
        path.write_bytes(CONVERTED[network.count_params()])

    monkeypatch.setattr(export, "_write_onnx", write)


@pytest.fixture
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, SIZE["height"], SIZE["width"], 1), dtype=np.uint8)


def build(name: str) -> tuple[keras.Model, ModelConfigs]:
    keras.utils.set_random_seed(0)
    architecture = get_architecture(name)
    network = architecture.build((SIZE["height"], SIZE["width"], architecture.channels), len(VOCAB) + 1)
    configs = ModelConfigs(vocab=VOCAB, blank_index=len(VOCAB), channels=architecture.channels, **SIZE)
    return network, configs


def write(
    network: keras.Model,
    configs: ModelConfigs,
    images: NDArray[np.uint8],
    destination: Path,
    *,
    labels: Sequence[str] = ("0", "0", "0"),
    held_out_prior: Lexicon | None = None,
    quantize: bool = False,
    replace: bool = False,
    other_file: str | None = None,
) -> None:
    metadata = {"data_sha256": "0" * 64}
    images = np.repeat(images, configs.channels or 1, axis=3)
    exported = export_folder(
        network,
        configs,
        metadata,
        LabelledImages(images, list(labels)),
        len(labels),
        destination,
        held_out_prior=held_out_prior,
        quantize_by=images if quantize else None,
        like=None,
        replace=replace,
    )
    with exported as (folder, reader):
        assert reader.model.configs.lexicon == as_configs(held_out_prior)["lexicon"]
        assert reader.model.configs.vocab == configs.vocab
        if other_file is not None:
            (folder / other_file).touch()


def nothing_is_left(folder: Path) -> bool:
    return list(folder.iterdir()) == []


@pytest.mark.parametrize("name", architecture_names())
def test_every_architecture_reads_the_same_in_keras_and_onnx_runtime(
    name: str, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    network, configs = build(name)
    write(network, configs, images, tmp_path / "1")
    model = ImageToTextModel(tmp_path / "1")
    batch = np.repeat(images, model.channels, axis=3)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(network(batch)))
    np.testing.assert_allclose(model.run(batch), expected, atol=1e-5)
    assert model.input_shape[0] == model.output_shape[0] == "batch"
    nodes = [node.op_type for node in onnx.load(tmp_path / "1" / "model.onnx").graph.node]
    layout = min(nodes.index(kind) for kind in ("Reshape", "Transpose") if kind in nodes)
    assert nodes[0] == "Cast"
    assert layout == 1  # pixels are scaled when the channels are outermost
    assert "Mul" in nodes[2:4]


def test_held_out_images_are_read_with_the_held_out_prior(images: NDArray[np.uint8], tmp_path: Path) -> None:
    network, configs = build("conv_ctc")
    known = Lexicon(["01", "10", "22"], 0.9)
    configs = configs.model_copy(update=as_configs(known))
    write(network, configs, images, tmp_path / "1", held_out_prior=Lexicon(["01"], 0.6))
    assert ImageToTextModel(tmp_path / "1").configs == read_configs(tmp_path / "1")
    assert read_configs(tmp_path / "1").lexicon == configs.lexicon


def corrupt(change: Callable[[onnx.ModelProto], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the file that tf2onnx wrote before it is checked."""
    write_onnx = export._write_onnx

    def write_and_corrupt(network: keras.Model, configs: ModelConfigs, metadata: dict[str, str], path: Path) -> None:
        write_onnx(network, configs, metadata, path)
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)

    monkeypatch.setattr(export, "_write_onnx", write_and_corrupt)


def scale_a_weight(factor: float) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        largest = max(
            (item for item in model.graph.initializer if item.data_type == onnx.TensorProto.FLOAT),
            key=lambda item: np.prod(item.dims),
        )
        values = onnx.numpy_helper.to_array(largest) * np.float32(factor)
        largest.CopyFrom(onnx.numpy_helper.from_array(values, largest.name))

    return change


def test_a_graph_that_differs_is_rejected_and_nothing_is_written(
    images: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrupt(scale_a_weight(1.05), monkeypatch)
    with pytest.raises(ExportError, match=r"differ from Keras's by .* at most 1e-04"):
        write(*build("conv_ctc"), images, tmp_path / "store" / "1")
    assert nothing_is_left(tmp_path / "store")


def test_a_graph_that_cannot_be_loaded_is_rejected_and_nothing_is_written(
    images: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrupt(lambda model: model.graph.ClearField("node"), monkeypatch)
    with pytest.raises(ExportError, match="cannot be used"):
        write(*build("conv_ctc"), images, tmp_path / "store" / "1")
    assert nothing_is_left(tmp_path / "store")


def test_a_vocabulary_of_another_size_is_rejected_and_nothing_is_written(
    images: NDArray[np.uint8], tmp_path: Path
) -> None:
    network, configs = build("conv_ctc")
    wrong = configs.model_copy(update={"vocab": "01"})
    with pytest.raises(ExportError, match="vocabulary"):
        write(network, wrong, images, tmp_path / "store" / "1")
    assert nothing_is_left(tmp_path / "store")


def test_an_error_in_any_other_file_leaves_nothing(images: NDArray[np.uint8], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(*build("conv_ctc"), images, tmp_path / "store" / "1", other_file="nowhere/half")
    assert nothing_is_left(tmp_path / "store")


def test_a_folder_is_replaced_only_on_request_and_kept_if_the_new_one_fails(
    images: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, configs = build("conv_ctc")
    write(network, configs, images, tmp_path / "1", other_file="first")
    with pytest.raises(FileExistsError):
        write(network, configs, images, tmp_path / "1")
    write(network, configs, images, tmp_path / "1", replace=True, other_file="second")
    corrupt(scale_a_weight(2.0), monkeypatch)
    with pytest.raises(ExportError):
        write(network, configs, images, tmp_path / "1", replace=True)
    names = {path.name for path in (tmp_path / "1").iterdir()}
    assert names == {"model.onnx", "configs.yaml", "SHA256SUMS", "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


class TestQuantized:
    """A trained network whose convolutions compute in 8 bits."""

    def test_its_metrics_say_so_and_it_is_smaller(self, trained_run: RunFolder) -> None:
        state = trained_run.read_state()
        path = Path(state.output) / "model.onnx"
        graph = onnx.load(path)
        assert {entry.key: entry.value for entry in graph.metadata_props}["precision"] == "int8"
        assert path.stat().st_size < 250_000

    def test_only_the_first_and_the_last_convolution_use_floats(self, trained_run: RunFolder) -> None:
        graph = onnx.load(Path(trained_run.read_state().output) / "model.onnx").graph
        made_by = {output: node for node in graph.node for output in node.output}
        convolutions = [node for node in graph.node if node.op_type == "Conv"]
        weights_from = [getattr(made_by.get(node.input[1]), "op_type", None) for node in convolutions]
        assert weights_from == [None, *["DequantizeLinear"] * (len(convolutions) - 2), None]

    def test_its_probabilities_are_close_to_those_in_floats(self, trained_run: RunFolder, tmp_path: Path) -> None:
        state = trained_run.read_state()
        network = build_network(state.config, len(state.vocab) + 1)
        load_variables(trained_run.best_weights, network.variables)
        model = ImageToTextModel(Path(state.output))
        batch = model.prepare([read_image(sample.path) for sample in read_samples(trained_run.val_csv)])
        floats = keras.ops.convert_to_numpy(keras.ops.softmax(network(batch)))
        assert np.abs(model.run(batch) - floats).mean() < 0.005
        assert [one.text for one in model.codec.decode(model.run(batch))] == [
            one.text for one in model.codec.decode(floats)
        ]

    def test_floats_are_kept_if_8_bits_read_worse(
        self, images: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def corrupt_it(path: Path, _: NDArray[np.uint8], destination: Path) -> None:
            quantize_convolutions(path, images, destination)
            model = onnx.load(destination)
            scale_a_weight(-30.0)(model)
            onnx.save(model, destination)

        network, configs = build("conv_ctc")
        codec = CtcCodec(VOCAB)
        write(network, configs, images, tmp_path / "1")
        labels = [one.text for one in codec.decode(ImageToTextModel(tmp_path / "1").run(images))]
        monkeypatch.setattr(export, "quantize_convolutions", corrupt_it)
        write(network, configs, images, tmp_path / "2", labels=labels, quantize=True)
        kept = onnx.load(tmp_path / "2" / "model.onnx")
        assert "precision" not in {entry.key for entry in kept.metadata_props}
        assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in kept.graph.node}
        assert {path.name for path in (tmp_path / "2").iterdir()} == {"model.onnx", "configs.yaml", "SHA256SUMS"}
