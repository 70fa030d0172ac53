"""Doubt about pictures unlike those that a network was trained on: their confidences fall, their texts stay.

A network that has learnt one kind of picture reads any other one too, and is often sure of it. How unlike a picture is
tells the Mahalanobis distance of its features, averaged over the picture, from those of the training images (Lee et
al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", 2018). Early
features see paper and strokes, the last ones shapes of characters.
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
"""As the network is given it: (height, width, channels)."""


class Features(NamedTuple):
    """Where a picture is compared with those that the network knows.

    Attributes:
        convolution: whose input the features are, counted from the first (0) or the last (-1).
        strength: of the augmentation that is no reason to doubt; early features see any change of the paper.
        within: the part of the augmented images that is within the limit.
        steepness: by how much the temperature rises as the distance grows by a limit.
    """

    convolution: int
    strength: float
    within: float
    steepness: float


EARLY, LATE = Features(3, 0.3, 0.95, 10.0), Features(-1, 1.0, 0.99, 20.0)
MAX_TEMPERATURE = 10.0
COPIES = 1_000
"""Augmented images."""
SHRINKAGE = 0.05
"""Of a covariance towards a multiple of the identity, as there may be fewer images than features (Ledoit and Wolf,
"A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices", 2004)."""
BATCH = 32
PLACES = (2, 3)
"""The axes of rows and columns of what goes into a convolution: (images, features, rows, columns)."""


class GraphError(Exception):
    """The graph is not that of a convolutional network for texts."""


def doubt_unlike(path: Path, trained_on: Sequence[Picture], held_back: Sequence[Picture]) -> None:
    """Divide the logits of an exported network by a temperature that rises with the distance from its training images.

    Args:
        path: the ONNX file; it is replaced.
        trained_on: images that it was trained on.
        held_back: others of their kind, whose distance is no reason to doubt.

    Raises:
        GraphError: the graph does not end in a convolution and a softmax, or has fewer than five convolutions.
    """
    model = onnx.load(path)
    softmax, convolutions = _find_nodes(model.graph)
    temperature = _Temperature(softmax.input[0])
    for features in (EARLY, LATE):
        name = convolutions[features.convolution].input[0]
        session = _session_of(model, name)
        known, others = (
            _mean_features(session, _augmented(images, features.strength)) for images in (trained_on, held_back)
        )
        center, scale = _fit(known)
        limit = max(
            np.quantile(np.linalg.norm((one - center) @ scale, axis=1), features.within) for one in (known, others)
        )
        temperature.rise_beyond(name, center, scale / limit, features.steepness)
    temperature.insert_before(softmax, model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _find_nodes(graph: Any) -> tuple[Any, list[Any]]:
    """Return the softmax, and the convolutions from the first to the one that puts out the logits."""
    makers = {output: node for node in graph.node for output in node.output}

    def before(node: Any, operator: str) -> Any:
        while node is not None and node.op_type != operator:
            node = next((makers[name] for name in node.input if name in makers), None)
        return node

    softmax = before(makers.get(graph.output[0].name), "Softmax")
    logits = before(softmax, "Conv")
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    if logits is None or logits is not convolutions[-1] or len(convolutions) <= EARLY.convolution + 1:
        raise GraphError("the graph does not end in a convolution and a softmax, after four other convolutions")
    return softmax, convolutions


def _session_of(model: Any, features: str) -> onnxruntime.InferenceSession:
    """Return a session that puts out features instead of the probabilities."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.append(onnx.ValueInfoProto(name=features))
    return onnxruntime.InferenceSession(changed.SerializeToString(), providers=["CPUExecutionProvider"])


def _augmented(images: Sequence[Picture], strength: float) -> list[Picture]:
    """Return the images and augmented copies of them."""
    rng = np.random.default_rng(0)
    return [*images, *(augment(images[index % len(images)], rng, strength) for index in range(COPIES))]


def _mean_features(session: onnxruntime.InferenceSession, images: Sequence[Picture]) -> NDArray[np.float64]:
    """Return the features of each image, averaged over its places: (images, features)."""
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
    """Return the centre of features, and the matrix by which the Mahalanobis distance from it becomes a length."""
    covariance = np.cov(features, rowvar=False, bias=True)
    variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * variance * np.eye(len(covariance))
    return features.mean(axis=0), np.linalg.inv(np.linalg.cholesky(shrunk)).T


class _Temperature:
    """The nodes of a graph that divide its logits by a temperature of 1 and more."""

    def __init__(self, logits: str) -> None:
        self._logits = logits
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._value = self._constant(np.float32(1))

    def rise_beyond(
        self, features: str, center: NDArray[np.float64], to_limits: NDArray[np.float64], steepness: float
    ) -> None:
        """Let it rise where features (images, features, rows, columns) are farther from a centre than the limit."""
        mean = self._add("ReduceMean", features, axes=PLACES, keepdims=0)
        place = self._add("Sub", mean, self._constant(center.astype(np.float32)))
        inside = self._add("MatMul", place, self._constant(to_limits.astype(np.float32)))
        distance = self._add("ReduceL2", inside, axes=[1], keepdims=1)
        beyond = self._add("Relu", self._add("Sub", distance, self._constant(np.float32(1))))
        rise = self._add("Mul", beyond, self._constant(np.float32(steepness)))
        self._value = self._add("Add", rise, self._value)

    def insert_before(self, softmax: Any, graph: Any) -> None:
        """Let the softmax take the divided logits."""
        bounded = self._add("Min", self._value, self._constant(np.float32(MAX_TEMPERATURE)))
        temperature = self._add("Unsqueeze", bounded, self._constant(np.array([2])))
        divided = self._add("Div", self._logits, temperature)
        place = list(graph.node).index(softmax)
        softmax.input[0] = divided
        rest = list(graph.node)[place:]
        del graph.node[place:]
        graph.node.extend([*self._nodes, *rest])
        graph.initializer.extend(self._constants)

    def _constant(self, value: Any) -> str:
        name = f"temperature_constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"temperature_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name
