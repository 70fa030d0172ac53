"""From a trained network to a model folder, checked against the network before anything is written."""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.prior import TextPrior
from app.inference.models.configs import Calibration, ModelConfigs, write_configs
from app.inference.models.model import MODEL_FILE, ModelError, OnnxInferenceModel
from app.inference.reader import Reader
from app.shared.errors import UserError
from app.shared.files import write_folder
from training.data.dataset import LabelledImages
from training.data.text_prior import as_configs
from training.exporting.calibration import fit_temperature
from training.exporting.golden import write_golden, write_sums
from training.exporting.out_of_distribution import GraphError, Picture, doubt_unlike
from training.exporting.quantize import quantize_convolutions

OPSET = 17
INPUT, OUTPUT = "image", "probabilities"
BATCH_AXIS, WIDTH_AXIS, STEPS_AXIS = "batch", "width", "steps"
CHECKED_BATCHES = (1, 2, 7)
MAX_DIFFERENCE = 1e-4
"""How far a probability of ONNX Runtime may lie from Keras's, before anything is quantized."""
MAX_LOST = 0.005
"""The part of the held-out words that a network in 8 bits may read worse."""
RUN_IMAGES = 64
LAYOUT_CHANGES = {"Reshape", "Transpose"}
VERSIONED = ("keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime")


class ExportError(UserError):
    """The exported graph does not do what the network does; nothing was written."""


@contextmanager
def export_folder(
    network: keras.Model,
    configs: ModelConfigs,
    metadata: dict[str, str],
    held_out: LabelledImages,
    originals: int,
    destination: Path,
    *,
    held_out_prior: TextPrior | None,
    quantize_by: NDArray[np.uint8] | None,
    like: tuple[Sequence[Picture], Sequence[Picture]] | None,
    replace: bool,
) -> Iterator[tuple[Path, Reader]]:
    """Write a model folder: whole, or not at all. The block adds the files that are not the model's own.

    Args:
        network: takes uint8 images and puts out logits.
        configs: what becomes configs.yaml; the temperature is found here.
        metadata: what the ONNX file carries besides vocabulary, blank, size and versions.
        held_out: what the network was not trained on: to compare and to calibrate.
        originals: how many of these are not copies of others.
        destination: the folder to make.
        held_out_prior: what the texts that the network was trained on suggest: stands for what configs.yaml says until
            the block is left, so that held-out images are read as any others.
        quantize_by: typical inputs (images, height, width, channels), by which the inner convolutions are put into 8
            bits if the network reads as well then; None leaves them as they are.
        like: images that it was trained on, and others of their kind: unlike ones are to be doubted; None doubts none.
            See `doubt_unlike`.
        replace: whether an existing destination may be replaced.

    Yields:
        The unfinished folder, and its model, opened as the service opens it.

    Raises:
        ExportError: Keras and ONNX Runtime disagree, or the graph cannot be loaded.
        FileExistsError: the destination exists and may not be replaced.
    """
    if not replace:
        check_free(destination)
    with write_folder(destination) as folder:
        codec, path = CtcCodec(configs.vocab, configs.blank_index, held_out_prior), folder / MODEL_FILE
        probabilities = keras.Model(network.input, keras.layers.Softmax()(network.output))
        _write_onnx(probabilities, configs, metadata, path)
        try:
            outputs = _check_agreement(probabilities, path, codec, held_out.images)
            if quantize_by is not None:
                outputs = _quantize_if_as_good(path, codec, held_out, outputs, quantize_by)
            temperature = fit_temperature(codec, outputs, held_out.labels, originals)
            configs = configs.model_copy(update={"calibration": Calibration(temperature=temperature)})
            write_configs(configs.model_copy(update=as_configs(None)), folder)
            write_golden(folder, held_out_prior)
            # Last, as augmented images and the golden one may be unlike those that it was trained on.
            if like is not None:
                doubt_unlike(path, *like)
            write_configs(configs.model_copy(update=as_configs(held_out_prior)), folder)
            reader = Reader(folder)
        except (ModelError, GraphError) as error:
            raise ExportError(f"The exported model cannot be used: {error}") from error
        yield folder, reader
        write_configs(configs, folder)
        write_sums(folder)


def check_free(destination: Path) -> None:
    """Make sure that a model folder can be made.

    Raises:
        FileExistsError: there is something already.
    """
    if destination.exists():
        raise FileExistsError(f"{destination} exists already")


def _write_onnx(network: keras.Model, configs: ModelConfigs, metadata: dict[str, str], path: Path) -> None:
    _, _, width, channels = network.input.shape
    height = configs.height
    signature = [keras.InputSpec(shape=(None, height, width, channels), dtype="uint8", name=INPUT)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np", FutureWarning)  # Keras asks for np.object
        network.export(path, format="onnx", verbose=False, input_signature=signature, opset_version=OPSET)
    model = onnx.load(path)
    _scale_channels_first(model.graph)
    _name_ports(model.graph, steps=network.output.shape[1])
    properties = {
        "vocab": configs.vocab,
        "blank_index": str(configs.blank_index),
        "width": str(configs.width),
        "height": str(height),
        "channels": str(channels),
        **{f"{package}_version": version(package) for package in VERSIONED},
        **metadata,
    }
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _scale_channels_first(graph: Any) -> None:
    """Move the scaling of pixels behind the change from (…, channels) to (channels, …).

    ONNX Runtime applies a scalar along the innermost axis. Where that is a single channel, it goes pixel by pixel,
    and takes longer than the whole network.
    """
    users: defaultdict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    path: list[Any] = []
    name = graph.input[0].name
    while len(users[name]) == 1 and not (path and path[-1].op_type in LAYOUT_CHANGES):
        path.append(users[name][0])
        name = path[-1].output[0]
    kinds = [node.op_type for node in path]
    if len(path) < 3 or kinds[0] != "Cast" or kinds[-1] not in LAYOUT_CHANGES or not {"Mul", "Add"} >= set(kinds[1:-1]):
        return
    cast, *scaling, change = path
    scaled, changed = change.output[0], f"{cast.output[0]}_channels_first"
    change.input[0], scaling[0].input[0] = cast.output[0], changed
    change.output[0], scaling[-1].output[0] = changed, scaled
    others = [node for node in graph.node if node not in path]
    del graph.node[:]
    graph.node.extend([cast, change, *scaling, *others])


def _name_ports(graph: Any, steps: int | None) -> None:
    """Give input, output and their open axes names that mean something; steps are None where the width is open."""
    old_output = graph.output[0].name
    for node in graph.node:
        node.output[:] = [OUTPUT if name == old_output else name for name in node.output]
        node.input[:] = [OUTPUT if name == old_output else name for name in node.input]
    graph.output[0].name = OUTPUT
    for port in (graph.input[0], graph.output[0]):
        port.type.tensor_type.shape.dim[0].dim_param = BATCH_AXIS
    if steps is None:
        graph.input[0].type.tensor_type.shape.dim[2].dim_param = WIDTH_AXIS
        graph.output[0].type.tensor_type.shape.dim[1].dim_param = STEPS_AXIS
    else:
        graph.output[0].type.tensor_type.shape.dim[1].dim_value = steps
    del graph.value_info[:]


def _check_agreement(
    network: keras.Model, path: Path, codec: CtcCodec, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Fail unless ONNX Runtime and Keras read the same from the same images, in batches of several sizes.

    Returns:
        The probabilities that ONNX Runtime computes for all images.
    """
    model = OnnxInferenceModel(path)
    for size in CHECKED_BATCHES:
        batch = np.resize(images, (size, *images.shape[1:]))
        _compare(keras.ops.convert_to_numpy(network(batch, training=False)), model.run(batch), codec, size)
    return _run(model, images)


def _run(model: OnnxInferenceModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([model.run(images[at : at + RUN_IMAGES]) for at in range(0, len(images), RUN_IMAGES)])


def _quantize_if_as_good(
    path: Path,
    codec: CtcCodec,
    held_out: LabelledImages,
    outputs: NDArray[np.float32],
    typical: NDArray[np.uint8],
) -> NDArray[np.float32]:
    """Replace a network by one in 8 bits, unless that reads noticeably fewer words right.

    Returns:
        The probabilities that the one that is kept computes.
    """
    quantized = path.with_name("quantized.onnx")
    quantize_convolutions(path, typical, quantized)
    in_8_bits = _run(OnnxInferenceModel(quantized), held_out.images)
    before, after = (_words_right(codec, probabilities, held_out.labels) for probabilities in (outputs, in_8_bits))
    if before - after > MAX_LOST * len(held_out.labels):
        quantized.unlink()
        return outputs
    quantized.replace(path)
    return in_8_bits


def _words_right(codec: CtcCodec, outputs: NDArray[np.float32], labels: Sequence[str]) -> int:
    return sum(decoded.text == label for decoded, label in zip(codec.decode(outputs), labels, strict=True))


def _compare(trained: NDArray[np.float32], exported: NDArray[np.float32], codec: CtcCodec, size: int) -> None:
    difference = float(np.abs(trained - exported).max())
    if difference > MAX_DIFFERENCE:
        raise ExportError(
            f"In batches of {size}, ONNX Runtime's probabilities differ from Keras's by {difference:.1e}; "
            f"at most {MAX_DIFFERENCE:.0e} is accepted."
        )
    texts = [[decoded.text for decoded in codec.decode(output)] for output in (trained, exported)]
    if texts[0] != texts[1]:
        raise ExportError(f"In batches of {size}, ONNX Runtime reads other texts than Keras.")
