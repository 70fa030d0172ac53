"""Whether held-out images confirm a lexicon."""

from typing import Any

import numpy as np
import pytest

from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.lexicon import Lexicon
from training.data.dataset import LabelledImages
from training.data.text_prior import text_prior_of
from training.pipeline.lexicon import lexicon_is_useful


class Network:
    """A network whose readings of images, logits (images, steps, classes), are known."""

    def __init__(self, codec: CtcCodec, texts: list[str], mistaken_for: list[str]) -> None:
        self.logits = np.full((len(texts), 2 * len(texts[0]), codec.classes), -9.0, np.float32)
        for logits, text, other in zip(self.logits, texts, mistaken_for, strict=True):
            for place, (character, wrong) in enumerate(zip(codec.encode(text), codec.encode(other), strict=True)):
                logits[2 * place, character] = 2.0
                logits[2 * place, wrong] = 2.5
                logits[2 * place + 1, codec.blank_index] = 9.0

    def predict(self, images: Any, **_: Any) -> np.ndarray:
        return self.logits


def usefulness(known: list[str], held_out: list[str], mistaken_for: list[str]) -> bool:
    codec = CtcCodec("".join(sorted(set().union(*known, *held_out, *mistaken_for))), prior=text_prior_of(known))
    images = LabelledImages(np.zeros((len(held_out), 8, 8, 1), np.uint8), held_out)
    return lexicon_is_useful(Network(codec, held_out, mistaken_for), codec, images)


def test_repeated_names_make_it_useful() -> None:
    names = ["anna", "otto", "ines", "timo"]
    assert usefulness(names * 5, names, ["amna", "ottu", "imes", "tino"])


def test_numbers_between_known_ones_make_it_harmful() -> None:
    known = [f"{number:04}" for number in range(0, 60, 3)]
    held_out = [f"{number:04}" for number in range(1, 60, 3)]
    assert not usefulness(known * 5, held_out, known)


@pytest.mark.parametrize("known", [["1234", "5678", "9012", "3456"] * 3, ["12.5", "a", "b4", ""]])
def test_other_priors_are_left_alone(known: list[str]) -> None:
    prior = text_prior_of(known, lexicon=False)
    assert not isinstance(prior, Lexicon)
    codec = CtcCodec("0123456789", prior=prior)
    assert lexicon_is_useful(
        Network(codec, ["11"], ["12"]), codec, LabelledImages(np.zeros((1, 8, 8, 1), np.uint8), ["11"])
    )
