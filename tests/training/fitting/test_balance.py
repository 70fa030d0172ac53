"""Correction of characters that are rare or frequent in few labels by chance."""

import keras
import numpy as np
import pytest

from app.inference.decoding.ctc import CtcCodec
from training.fitting.balance import STRENGTH, balance
from training.fitting.config import resolve_config
from training.fitting.network import build_network, predict

CODEC = CtcCodec("123x")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 96, 1), np.uint8)


@pytest.fixture
def network() -> keras.Model:
    options = {"architecture": "conv_ctc", "width": 96, "height": 32, "init": "none"}
    return build_network(resolve_config(9, options), CODEC.classes)


def test_a_rare_character_becomes_more_probable_and_a_frequent_one_less(network: keras.Model) -> None:
    before = np.log(predict(network, IMAGES))
    balance(network, CODEC, ["1233", "23xx"])  # 1, 2, 3 and twice x: by chance, 2 of each digit are expected
    change = np.log(predict(network, IMAGES)) - before
    change -= change[..., -1:]  # relative to the blank
    expected = STRENGTH * np.log([2 / 1, 2 / 2, 2 / 3, 1, 1])
    np.testing.assert_allclose(change, np.broadcast_to(expected, change.shape), atol=1e-4)


@pytest.mark.parametrize("labels", [[""], ["12", "3x"], ["1" * 1000 + "2" * 300]])
def test_other_frequencies_change_hardly_anything(network: keras.Model, labels: list[str]) -> None:
    before = predict(network, IMAGES)
    balance(network, CODEC, labels)
    np.testing.assert_allclose(predict(network, IMAGES), before, atol=0.03)
