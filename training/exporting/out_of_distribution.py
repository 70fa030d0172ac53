"""Doubt about pictures unlike those that a network was trained on: their confidences fall, their texts stay.

A network that has learnt one kind of picture reads any other one too, and is often sure of it. How unlike a picture is
tells the Mahalanobis distance of its features, those that the logits are made from, averaged over the picture (Lee et
al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", 2018).
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.fitting.augment import augment

COPIES = 1_000
"""Augmented images that tell what the network has learnt: as far as those may drift, so may pictures."""
SHRINKAGE = 0.05
"""Of the covariance towards a multiple of the identity (Ledoit and Wolf, 2004): there may be fewer images than
features."""
ACCEPTED = 0.99
"""Part of the augmented images that are within the limit."""
STEEPNESS = 20.0
"""By how much the temperature rises as the distance grows by one limit: at 1.2 limits, logits are a fifth."""
HIGHEST_TEMPERATURE = 10.0
BATCH = 32
PLACES = (2, 3)
"""The axes of rows and columns."""


Picture = NDArray[np.uint8]
"""As the network is given it: (height, width, channels)."""


class GraphError(Exception):
    """The graph does not end as networks for texts do; the message says how that is."""


def doubt_unlike(path: Path, trained_on: Sequence[Picture], held_back: Sequence[Picture]) -> None:
    """Divide the logits of an exported network by a temperature that rises with the distance from its training images.

    Args:
        path: the ONNX file; it is replaced.
        trained_on: of these, those that it was trained on.
        held_back: and others of their kind, whose distance is no reason to doubt.

    Raises:
        GraphError: the graph has no features that could be found.
    """
    model = onnx.load(path)
    graph = model.graph
    softmax, features = _find_features(graph)
    session = _session_of(model, features)
    known = _mean_features(session, _augmented(trained_on))
    center, whitening = _fit(known)
    others = _mean_features(session, _augmented(held_back))
    limit = max(np.quantile(np.linalg.norm((one - center) @ whitening, axis=1), ACCEPTED) for one in (known, others))
    _insert_temperature(graph, softmax, features, center, (whitening / limit).astype(np.float32))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _find_features(graph: Any) -> tuple[Any, str]:
    """Return the softmax, and the name of what the logits are made from: (images, features, rows, columns)."""
    makers = {output: node for node in graph.node for output in node.output}

    def before(node: Any, operators: set[str]) -> Any:
        while node is not None and node.op_type not in operators:
            node = next((makers[name] for name in node.input if name in makers), None)
        return node

    softmax = before(makers.get(graph.output[0].name), {"Softmax"})
    node = before(softmax, {"Conv"})
    if node is None:
        raise GraphError("the graph does not end in a convolution and a softmax")
    return softmax, node.input[0]


def _session_of(model: Any, features: str) -> onnxruntime.InferenceSession:
    """Return a session that puts out the features instead of the probabilities."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.append(onnx.ValueInfoProto(name=features))
    return onnxruntime.InferenceSession(changed.SerializeToString(), providers=["CPUExecutionProvider"])


def _augmented(images: Sequence[Picture]) -> list[Picture]:
    """Return the images, and copies of them that are augmented as those that the network was trained on."""
    rng = np.random.default_rng(0)
    return [*images, *(augment(images[index % len(images)], rng) for index in range(COPIES))]


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
    """Return the centre of features, and the matrix by which the Mahalanobis distance becomes a length."""
    center = features.mean(axis=0)
    covariance = np.cov(features, rowvar=False, bias=True)
    size = np.trace(covariance) / len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * max(size, 1e-12) * np.eye(len(covariance))
    return center, np.linalg.inv(np.linalg.cholesky(shrunk)).T


def _insert_temperature(
    graph: Any,
    softmax: Any,
    features: str,
    center: NDArray[np.float64],
    to_limits: NDArray[np.float32],
) -> None:
    """Put what lowers the confidences before the softmax."""

    def constant(name: str, values: Any, dtype: Any = np.float32) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype), f"unlike_{name}"))
        return f"unlike_{name}"

    logits, nodes = softmax.input[0], []

    def add(operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [f"unlike_{name}"], f"unlike_{name}", **attributes))
        return f"unlike_{name}"

    mean = add("ReduceMean", "mean", features, axes=PLACES, keepdims=0)
    centered = add("Sub", "centered", mean, constant("center", center))
    distance = add(
        "ReduceL2", "distance", add("MatMul", "limits", centered, constant("scale", to_limits)), axes=[1], keepdims=1
    )
    beyond = add("Relu", "beyond", add("Sub", "difference", distance, constant("limit", 1)))
    rise = add("Mul", "rise", beyond, constant("steepness", STEEPNESS))
    bounded = add("Min", "bounded", rise, constant("highest", HIGHEST_TEMPERATURE - 1))
    temperature = add(
        "Unsqueeze", "temperature", add("Add", "raised", bounded, constant("one", 1)), constant("steps", [2], np.int64)
    )
    softmax.input[0] = add("Div", "logits", logits, temperature)
    place = list(graph.node).index(softmax)
    rest = list(graph.node)[place:]
    del graph.node[place:]
    graph.node.extend([*nodes, *rest])
