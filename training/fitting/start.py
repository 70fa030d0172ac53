"""Initial weights of a training: pre-trained, or from an earlier run."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from app.shared.errors import UserError
from app.shared.suggestions import did_you_mean
from training.fitting.checkpoints import read_state, read_variables, save_variables
from training.fitting.config import NO_START, SHIPPED, shipped_start
from training.fitting.run import RunFolder
from training.networks import LOGITS


class StartError(UserError):
    """The weights cannot be used; the message says why."""


def save_start(path: Path, architecture: str, vocab: str, model: Any) -> None:
    """Write a Keras network's weights as initial weights for other trainings; its last class is the blank."""
    save_variables(path, model.variables, {"architecture": architecture, "vocab": vocab})


def load_start(source: str, architecture: str, model: Any, codec: CtcCodec) -> None:
    """Set a Keras network's initial weights.

    Outputs are matched by character. Characters unknown to the initial weights keep their random weights, as do layers
    whose shape differs because the images have another height.

    Args:
        source: "shipped", "none", a file of `save_start`, or the folder of a run.
        architecture: the network's architecture.
        model: the network, freshly built.
        codec: its vocabulary and blank.

    Raises:
        StartError: the weights do not exist or belong to another architecture.
        RunError: the folder is not that of a run.
    """
    if source == NO_START:
        return
    path = shipped_start(architecture) if source == SHIPPED else Path(source)
    arrays, known_architecture, vocab = _read_run(path) if path.is_dir() else _read_file(path)
    if known_architecture != architecture:
        raise StartError(f"{path} has weights of {known_architecture}, not of {architecture}.")
    if len(arrays) != len(model.variables):
        raise StartError(f"{path} has weights of another version of {architecture}: recreate them, or use none.")
    of_logits = {id(variable) for variable in model.get_layer(LOGITS).variables}
    for variable, array in zip(model.variables, arrays, strict=True):
        if id(variable) in of_logits:
            variable.assign(_rearranged(np.array(variable), array, vocab, codec))
        elif variable.shape == array.shape:
            variable.assign(array)


def _rearranged(
    fresh: NDArray[np.float32], known: NDArray[np.float32], vocab: str, codec: CtcCodec
) -> NDArray[np.float32]:
    """Return the output weights (…, classes) of a new vocabulary: known characters' weights among fresh ones."""
    fresh[..., codec.blank_index] = known[..., len(vocab)]
    for character in codec.vocab:
        likely = _likely_spellings(character, vocab, codec.vocab)
        if likely:
            places = [vocab.index(spelling) for spelling in likely]
            fresh[..., codec.encode(character)[0]] = known[..., places].mean(axis=-1)
    return fresh


def _likely_spellings(character: str, known: str, wanted: str) -> list[str]:
    """Return the known characters that a wanted one may look like: itself, and its other case unless both are wanted.

    Labels often ignore case where pictures do not.
    """
    spellings = {character, *(other for other in (character.lower(), character.upper()) if other not in wanted)}
    return [spelling for spelling in sorted(spellings) if len(spelling) == 1 and spelling in known]


def _read_run(folder: Path) -> tuple[list[NDArray[np.float32]], str, str]:
    run = RunFolder(folder)
    state = run.read_state()
    weights = run.best().best_weights
    if not weights.exists():
        raise StartError(f"{folder} has no weights yet: no epoch is complete.")
    arrays, _ = _arrays(weights)
    return arrays, state.config.architecture, state.vocab


def _read_file(path: Path) -> tuple[list[NDArray[np.float32]], str, str]:
    arrays, state = _arrays(path)
    if not {"architecture", "vocab"} <= state.keys():
        raise StartError(f"{path} does not name its architecture; give the folder of its run instead.")
    return arrays, state["architecture"], state["vocab"]


def _arrays(path: Path) -> tuple[list[NDArray[np.float32]], dict[str, Any]]:
    try:
        return read_variables(path), read_state(path)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StartError(f"{path} is not a file of weights to start from.{did_you_mean(path)}") from error
