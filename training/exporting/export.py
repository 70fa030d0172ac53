"""Export of a trained network to a model folder, checked against the network before anything is written."""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from training.exporting.golden import write_checksums, write_golden
from training.exporting.out_of_distribution import GraphError, Picture, penalize_outliers
from training.exporting.quantize import quantize_convolutions
from training.exporting.versions import package_versions

OPSET = 17
INPUT, OUTPUT = "image", "probabilities"
BATCH_AXIS, WIDTH_AXIS, STEPS_AXIS = "batch", "width", "steps"
CHECKED_BATCHES = (1, 2, 7)
MAX_DIFFERENCE = 1e-4
"""Maximum difference between a probability of ONNX Runtime and Keras, before quantisation."""
MAX_LOST = 0.005
"""Maximum fraction of the held-out words that quantisation may lose."""
RUN_IMAGES = 64
LAYOUT_CHANGES = {"Reshape", "Transpose"}


class ExportError(UserError):
    """The exported graph differs from the network; nothing was written."""


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
    """Write a model folder, completely or not at all. The block adds the files that are not part of the model.

    Args:
        network: takes uint8 images and puts out logits.
        configs: becomes configs.yaml; the temperature is fitted here.
        metadata: metadata of the ONNX file besides vocabulary, blank, size and versions.
        held_out: images the network was not trained on, for comparison and calibration.
        originals: number of held-out images that are not copies of others.
        destination: the folder to create.
        held_out_prior: prior of the training texts; replaces the prior of configs.yaml inside the block, so that
            held-out images are read like any others.
        quantize_by: typical inputs (images, height, width, channels) by which the inner convolutions are quantized to
            8 bits, if accuracy does not suffer; None keeps 32-bit floats.
        like: training images and held-out images; confidences in images unlike them are lowered. None lowers none.
            See `penalize_outliers`.
        replace: whether an existing destination may be replaced.

    Yields:
        The unfinished folder, and its model, opened as the service opens it.

    Raises:
        ExportError: Keras and ONNX Runtime disagree, or the graph cannot be loaded.
        FileExistsError: the destination exists and `replace` is false.
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
            # Last, as augmented images and the golden image may differ from the training images.
            if like is not None:
                penalize_outliers(path, *like)
            write_configs(configs.model_copy(update=as_configs(held_out_prior)), folder)
            reader = Reader(folder)
        except (ModelError, GraphError) as error:
            raise ExportError(f"The exported model cannot be used: {error}") from error
        yield folder, reader
        write_configs(configs, folder)
        write_checksums(folder)


def check_free(destination: Path) -> None:
    """Raise `FileExistsError` if a model folder exists already."""
    if destination.exists():
        raise FileExistsError(f"{destination} already exists")


def _write_onnx(network: keras.Model, configs: ModelConfigs, metadata: dict[str, str], path: Path) -> None:
    _, _, width, channels = network.input.shape
    height = configs.height
    signature = [keras.InputSpec(shape=(None, height, width, channels), dtype="uint8", name=INPUT)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np", FutureWarning)  # Keras uses np.object
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
        **{f"{package}_version": version for package, version in package_versions().items()},
        **metadata,
    }
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _scale_channels_first(graph: Any) -> None:
    """Move the scaling of pixels behind the transposition from (…, channels) to (channels, …).

    ONNX Runtime applies a scalar along the innermost axis. With a single channel innermost, it goes pixel by pixel and
    takes longer than the whole network.
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
    """Name input, output and their dynamic axes; `steps` is None if the width is dynamic."""
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
    """Fail unless ONNX Runtime and Keras read the same texts from the images, in batches of several sizes.

    Returns:
        ONNX Runtime's probabilities of all images.
    """
    model = OnnxInferenceModel(path)
    for size in CHECKED_BATCHES:
        batch = np.resize(images, (size, *images.shape[1:]))
        trained, exported = keras.ops.convert_to_numpy(network(batch, training=False)), model.run(batch)
        difference = float(np.abs(trained - exported).max())
        if difference > MAX_DIFFERENCE:
            raise ExportError(
                f"In batches of {size}, ONNX Runtime's probabilities differ from Keras's by {difference:.1e}; "
                f"at most {MAX_DIFFERENCE:.0e} is allowed."
            )
        texts = [[decoded.text for decoded in codec.decode(output)] for output in (trained, exported)]
        if texts[0] != texts[1]:
            raise ExportError(f"In batches of {size}, ONNX Runtime and Keras read different texts.")
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
    """Replace a network by its 8-bit version, unless that reads noticeably fewer words right.

    Returns:
        The probabilities of the network that is kept.
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
