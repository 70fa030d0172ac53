"""The values of a network's variables in a file, and what else a resumed training needs."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from training.files import write_atomically


def save_variables(path: Path, variables: list[Any], state: dict[str, Any] | None = None) -> None:
    """Write Keras variables, and a state that JSON can hold, to one file, whole or not at all."""
    arrays: dict[str, Any] = {f"v{index}": np.asarray(variable) for index, variable in enumerate(variables)}
    buffer = io.BytesIO()
    arrays["state"] = np.array(json.dumps(state or {}))
    np.savez(buffer, allow_pickle=False, **arrays)
    with write_atomically(path, "wb") as file:
        file.write(buffer.getbuffer())


def load_variables(path: Path, variables: list[Any]) -> None:
    """Set Keras variables to what `save_variables` wrote."""
    with np.load(path) as arrays:
        for index, variable in enumerate(variables):
            variable.assign(arrays[f"v{index}"])


def read_state(path: Path) -> dict[str, Any]:
    """The state that `save_variables` wrote."""
    with np.load(path) as arrays:
        state: dict[str, Any] = json.loads(str(arrays["state"]))
    return state
