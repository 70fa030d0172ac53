"""Pictures without labels, labelled by a network."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.inference.decoding.ctc import CtcCodec
from tests.drawn import draw_plain
from training.data.dataset import InputSize, LabelledImages
from training.fitting.checkpoints import load_variables
from training.fitting.network import build_network
from training.fitting.run import RunFolder
from training.pipeline.pseudo_labels import load_unlabelled, pseudo_label

SIZE = InputSize(200, 50, 1)


@pytest.fixture(scope="module")
def teacher(trained_run: RunFolder) -> Any:
    """A network that reads drawn digits."""
    network = build_network(trained_run.read_state().config, classes=11)
    load_variables(trained_run.best_weights, network.variables)
    return network


@pytest.fixture
def unlabelled(tmp_path: Path) -> LabelledImages:
    """Pictures of 1234 and 777, one of noise, and a file that is no picture."""
    (tmp_path / "deeper").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (50, 200), np.uint8)
    for name, image in (("a", draw_plain("1234", 3)), ("deeper/b", draw_plain("777", 3)), ("c", noise)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    (tmp_path / "d.png").write_text("not a picture")
    return load_unlabelled(tmp_path, SIZE)


def test_pictures_of_a_folder_and_those_within_it_are_loaded_but_not_what_is_unreadable(
    unlabelled: LabelledImages,
) -> None:
    assert unlabelled.images.shape == (3, 50, 200, 1)
    assert unlabelled.labels == ["", "", ""]


def test_what_is_read_surely_is_labelled_so(teacher: Any, unlabelled: LabelledImages) -> None:
    labelled = pseudo_label(teacher, CtcCodec("0123456789"), unlabelled, ["123", "12345"])
    assert labelled.labels[:1] == ["1234"]
    assert set(labelled.labels) <= {"1234", "777"}
    np.testing.assert_array_equal(labelled.images[0], unlabelled.images[0])


def test_no_text_is_longer_or_shorter_than_all_labels(teacher: Any, unlabelled: LabelledImages) -> None:
    assert pseudo_label(teacher, CtcCodec("0123456789"), unlabelled, ["1234", "5678"]).labels == ["1234"]
    assert pseudo_label(teacher, CtcCodec("0123456789"), unlabelled, ["12345678"]).labels == []


def test_without_pictures_there_is_nothing_to_learn(teacher: Any, tmp_path: Path) -> None:
    nothing = load_unlabelled(tmp_path, SIZE)
    assert pseudo_label(teacher, CtcCodec("0123456789"), nothing, ["1234"]).labels == []
