"""A folder of images to label, and the objects of a labelling session."""

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.labelling.decisions import Decisions
from training.labelling.images import ImageFolder, find_images
from training.labelling.session import Session

NAMES = ["a.png", "b, c.jpg", "sub/d é.webp", "sub/sub/e.PNG"]


def write_image(path: Path, grey: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 60), grey, np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of four images, two of them in subfolders."""
    for grey, name in enumerate(NAMES):
        write_image(tmp_path / "images" / unicodedata.normalize("NFC", name), grey)
    return tmp_path / "images"


@pytest.fixture
def images(folder: Path) -> ImageFolder:
    return find_images(folder)


@pytest.fixture
def open_decisions(folder: Path) -> Callable[[], Decisions]:
    """Return a function that opens the decisions about the images like the command does."""
    return lambda: Decisions(folder / "labels.csv", find_images(folder))


@pytest.fixture
def session(images: ImageFolder, open_decisions: Callable[[], Decisions]) -> Iterator[Session]:
    session = Session(images, open_decisions())
    yield session
    session.close()
