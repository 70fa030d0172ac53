"""Files with a network's variables and any other state that a resumed training needs."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.shared.files import write_atomically


def save_variables(path: Path, variables: list[Any], state: dict[str, Any] | None = None) -> None:
    """Write Keras variables and a JSON-compatible state to one file, completely or not at all."""
    arrays: dict[str, Any] = {f"v{index}": np.asarray(variable) for index, variable in enumerate(variables)}
    buffer = io.BytesIO()
    arrays["state"] = np.array(json.dumps(state or {}))
    np.savez(buffer, allow_pickle=False, **arrays)
    with write_atomically(path, "wb") as file:
        file.write(buffer.getbuffer())


def load_variables(path: Path, variables: list[Any]) -> None:
    """Set Keras variables to the values in a file of `save_variables`."""
    for variable, value in zip(variables, read_variables(path), strict=True):
        variable.assign(value)


def read_variables(path: Path) -> list[NDArray[Any]]:
    """Return the values in a file of `save_variables`, in the order of the variables."""
    # Opened here because NumPy leaves files of other formats open.
    with path.open("rb") as file, np.load(file) as arrays:
        return [arrays[f"v{index}"] for index in range(len(arrays.files) - 1)]


def read_state(path: Path) -> dict[str, Any]:
    """Return the state in a file of `save_variables`."""
    with path.open("rb") as file, np.load(file) as arrays:
        state: dict[str, Any] = json.loads(str(arrays["state"]))
    return state
