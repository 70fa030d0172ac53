"""Lower confidences for pictures unlike the training images; texts do not change.

A network trained on one kind of picture reads any other kind too, often with high confidence. A picture's distance from
the training images is the Mahalanobis distance of its features, averaged over the picture (Lee et al., "A Simple
Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", 2018). Early features capture
paper and strokes, the last ones shapes of characters.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.fitting.augment import augment

Picture = NDArray[np.uint8]
"""A picture as the network's input: (height, width, channels)."""


class Features(NamedTuple):
    """Features by which a picture is compared with the training images.

    Attributes:
        convolution: the features are its input; counted from the first (0) or the last (-1).
        strength: of augmentation that must not lower confidences; early features respond to any change of the paper.
        within: fraction of the augmented images that is within the limit.
    """

    convolution: int
    strength: float
    within: float


COMPARED = (Features(3, 0.3, 0.95), Features(-1, 1.0, 0.99))
STEEPNESS, MAX_BEYOND = 10.0, 0.4
"""The temperature is 1 + STEEPNESS × excess; the excess is (distance / limit)² − 1, limited to 0…MAX_BEYOND."""
MIN_CONVOLUTIONS = 5
COPIES = 1_000
"""Number of augmented images."""
SHRINKAGE = 0.05
"""Shrinkage of the covariance towards a multiple of the identity, as there may be fewer images than features
(Ledoit and Wolf, "A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices", 2004)."""
BATCH = 32
PLACES = (2, 3)
"""Axes of rows and columns in a convolution's input: (images, features, rows, columns)."""


class GraphError(Exception):
    """The graph is not a convolutional network for texts."""


def penalize_outliers(path: Path, trained_on: Sequence[Picture], held_out: Sequence[Picture]) -> None:
    """Divide an exported network's logits by a temperature that rises with the distance from its training images.

    Args:
        path: the ONNX file; it is replaced.
        trained_on: images from the training set.
        held_out: held-out images of the same kind, whose confidences must not fall.

    Raises:
        GraphError: the graph does not end in a convolution and a softmax, or has fewer than five convolutions.
    """
    model = onnx.load(path)
    softmax, convolutions = _find_nodes(model.graph)
    names = [convolutions[features.convolution].input[0] for features in COMPARED]
    scales = []
    for name, features in zip(names, COMPARED, strict=True):
        session = _session_of(model, name)
        known, others = (
            _mean_features(session, _augmented(images, features.strength)) for images in (trained_on, held_out)
        )
        center, scale = _fit(known)
        distances = [np.linalg.norm((means - center) @ scale, axis=1) for means in (known, others)]
        limit = max(np.quantile(of_some, features.within) for of_some in distances)
        scales.append((center, scale / limit))
    _insert_temperature(model.graph, softmax, names, scales)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _find_nodes(graph: Any) -> tuple[Any, list[Any]]:
    """Return the softmax, and all convolutions up to the one that puts out the logits."""
    makers = {output: node for node in graph.node for output in node.output}

    def before(node: Any, operator: str) -> Any:
        while node is not None and node.op_type != operator:
            node = next((makers[name] for name in node.input if name in makers), None)
        return node

    softmax = before(makers.get(graph.output[0].name), "Softmax")
    logits = before(softmax, "Conv")
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    if logits is None or logits is not convolutions[-1] or len(convolutions) < MIN_CONVOLUTIONS:
        raise GraphError("the graph does not end in a convolution and a softmax, after four other convolutions")
    return softmax, convolutions


def _session_of(model: Any, features: str) -> onnxruntime.InferenceSession:
    """Return a session that puts out features instead of probabilities, and computes nothing else."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    needed, nodes = {features}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    constants = [constant for constant in graph.initializer if constant.name in needed]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(constants)
    graph.output.append(onnx.ValueInfoProto(name=features))
    return onnxruntime.InferenceSession(changed.SerializeToString(), providers=["CPUExecutionProvider"])


def _augmented(images: Sequence[Picture], strength: float) -> list[Picture]:
    """Return the images and augmented copies of them."""
    rng = np.random.default_rng(0)
    return [*images, *(augment(images[index % len(images)], rng, strength) for index in range(COPIES))]


def _mean_features(session: onnxruntime.InferenceSession, images: Sequence[Picture]) -> NDArray[np.float64]:
    """Return each image's features, averaged over rows and columns: (images, features)."""
    by_width: defaultdict[int, list[Picture]] = defaultdict(list)
    for image in images:
        by_width[image.shape[1]].append(image)
    name = session.get_inputs()[0].name
    means = [
        session.run(None, {name: np.stack(alike[at : at + BATCH])})[0].mean(axis=PLACES, dtype=np.float64)
        for alike in by_width.values()
        for at in range(0, len(alike), BATCH)
    ]
    return np.concatenate(means)


def _fit(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of features and a matrix; |(features − mean) @ matrix| is the Mahalanobis distance."""
    covariance = np.cov(features, rowvar=False, bias=True)
    variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * variance * np.eye(len(covariance))
    return features.mean(axis=0), np.linalg.inv(np.linalg.cholesky(shrunk)).T


def _insert_temperature(
    graph: Any, softmax: Any, features: Sequence[str], scales: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> None:
    """Divide the softmax's input by a temperature of 1 or more, which rises with distances beyond their limits.

    Each node costs a microsecond, so the distances of all features are computed together.
    """
    nodes: list[Any] = []

    def constant(values: Any, dtype: Any = np.float32) -> str:
        name = f"unlike_constant_{len(graph.initializer)}"
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"unlike_{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    means = [add("ReduceMean", name, axes=PLACES, keepdims=0) for name in features]
    scale = _block_diagonal([scale for _, scale in scales])
    offset = -np.concatenate([center @ scale for center, scale in scales])
    places = add("Gemm", add("Concat", *means, axis=1), constant(scale), constant(offset))
    sums = _block_diagonal([np.ones((len(center), 1)) for center, _ in scales])
    beyond = add("Gemm", add("Mul", places, places), constant(sums), constant([-1.0] * len(scales)))
    bounded = add("Clip", beyond, constant(0), constant(MAX_BEYOND))
    rise = constant([[STEEPNESS]] * len(scales))
    temperature = add("Unsqueeze", add("Gemm", bounded, rise, constant([1])), constant([2], np.int64))
    softmax_at = list(graph.node).index(softmax)
    softmax.input[0] = add("Div", softmax.input[0], temperature)
    rest = list(graph.node)[softmax_at:]
    del graph.node[softmax_at:]
    graph.node.extend([*nodes, *rest])


def _block_diagonal(blocks: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return a block-diagonal matrix."""
    ends = np.cumsum([block.shape for block in blocks], axis=0)
    matrix = np.zeros(ends[-1])
    for block, (row, column) in zip(blocks, ends, strict=True):
        matrix[row - block.shape[0] : row, column - block.shape[1] : column] = block
    return matrix
