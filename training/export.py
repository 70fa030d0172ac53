"""From a trained network to a model folder, checked against the network before anything is written."""

import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from app.inference.configs import ModelConfigs, write_configs
from app.inference.ctc import CtcCodec
from app.inference.images import Pixels
from app.inference.model import MODEL_FILE, ImageToTextModel, ModelError

OPSET = 17
INPUT, OUTPUT, BATCH_AXIS = "image", "probabilities", "batch"
CHECKED_BATCHES = (1, 2, 7)
MAX_DIFFERENCE = 1e-4
"""How far a probability of ONNX Runtime may lie from Keras's."""
VERSIONED = ("keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime")


class ExportError(Exception):
    """The exported graph does not do what the network does; nothing was written."""


def export_folder(
    network: keras.Model,
    configs: ModelConfigs,
    metadata: dict[str, str],
    images: Sequence[Pixels],
    destination: Path,
    *,
    replace: bool,
    add_files: Callable[[Path], object],
) -> None:
    """Write a model folder: whole, or not at all.

    Args:
        network: takes uint8 images and puts out logits.
        configs: what becomes configs.yaml.
        metadata: what the ONNX file carries besides vocabulary, blank, size and versions.
        images: of the validation part, upright pixels; at least one.
        destination: the folder to make.
        replace: whether an existing destination may be replaced.
        add_files: writes the folder's other files; is called with the unfinished folder.

    Raises:
        ExportError: Keras and ONNX Runtime disagree, or the graph cannot be loaded.
        FileExistsError: the destination exists and may not be replaced.
    """
    if destination.exists() and not replace:
        raise FileExistsError(f"{destination} exists already")
    with _folder_beside(destination) as folder:
        probabilities = keras.Model(network.input, keras.layers.Softmax()(network.output))
        _write_onnx(probabilities, configs, metadata, folder / MODEL_FILE)
        write_configs(configs, folder)
        _check_agreement(probabilities, folder, images)
        add_files(folder)


@contextmanager
def _folder_beside(destination: Path) -> Iterator[Path]:
    """A folder that takes the destination's name when the block ends well, and is removed otherwise."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    beside = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    replaced = destination.with_name(f".{destination.name}.{os.getpid()}.old")
    beside.mkdir()
    try:
        yield beside
        if destination.exists():
            destination.rename(replaced)
        beside.rename(destination)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def _write_onnx(network: keras.Model, configs: ModelConfigs, metadata: dict[str, str], path: Path) -> None:
    _, height, width, channels = network.input.shape
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
        "width": str(width),
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
    nodes = list(graph.node)
    layout = next(index for index, node in enumerate(nodes) if node.op_type in {"Reshape", "Transpose"})
    cast, scaling, change = nodes[0], nodes[1:layout], nodes[layout]
    users = Counter(name for node in nodes for name in node.input)
    if not scaling or any(node.op_type not in {"Mul", "Add"} or users[node.output[0]] > 1 for node in scaling):
        return
    scaled, changed = change.output[0], f"{cast.output[0]}_channels_first"
    change.input[0], scaling[0].input[0] = cast.output[0], changed
    change.output[0], scaling[-1].output[0] = changed, scaled
    del graph.node[:]
    graph.node.extend([cast, change, *scaling, *nodes[layout + 1 :]])


def _name_ports(graph: Any, steps: int) -> None:
    """Give input, output and batch axis names that mean something."""
    old_output = graph.output[0].name
    for node in graph.node:
        node.output[:] = [OUTPUT if name == old_output else name for name in node.output]
        node.input[:] = [OUTPUT if name == old_output else name for name in node.input]
    graph.output[0].name = OUTPUT
    for port in (graph.input[0], graph.output[0]):
        port.type.tensor_type.shape.dim[0].dim_param = BATCH_AXIS
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = steps
    del graph.value_info[:]


def _check_agreement(network: keras.Model, folder: Path, images: Sequence[Pixels]) -> None:
    """Fail unless ONNX Runtime and Keras read the same from the same images, in batches of several sizes."""
    try:
        model = ImageToTextModel(folder)
    except ModelError as error:
        raise ExportError(f"The exported model cannot be used: {error}") from error
    for size in CHECKED_BATCHES:
        batch = [images[index % len(images)] for index in range(size)]
        exported = model.probabilities(batch)
        trained = keras.ops.convert_to_numpy(network(model.prepare(batch), training=False))
        _compare(trained, exported, model.codec, size)


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
