"""Folders of pictures for lists and names."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

Draw = Callable[[Iterable[str]], list[Path]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "set"
    made.mkdir()
    return made


@pytest.fixture
def draw(folder: Path) -> Draw:
    """Return a function that draws different pictures with these names into the folder."""

    def draw(names: Iterable[str]) -> list[Path]:
        paths = [folder / name for name in names]
        for grey, path in enumerate(paths, start=20):
            path.parent.mkdir(parents=True, exist_ok=True)
            _, png = cv2.imencode(".png", np.full((20, 60), grey, np.uint8))
            path.write_bytes(png.tobytes())
        return paths

    return draw
