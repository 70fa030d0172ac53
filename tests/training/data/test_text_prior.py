"""The prior of labels: a lexicon for repeated texts, shapes for repeated shapes, otherwise none."""

import itertools
import re

import numpy as np
import pytest

from app.inference.decoding.lexicon import Lexicon
from app.inference.decoding.shapes import Shapes
from app.inference.models.configs import MAX_KNOWN, MAX_SHAPES, ModelConfigs
from training.data.text_prior import as_configs, likely_text, text_prior_of

TWENTY_NUMBERS = [str(number) for number in range(20)]


def test_repeated_labels_give_a_lexicon() -> None:
    prior = text_prior_of(["metro", "napa", "metro", "napa", "metro", "rex"])
    assert isinstance(prior, Lexicon)
    assert prior.texts == ("metro", "napa", "rex")
    assert prior.probability == pytest.approx(1 - 2 / 8)  # one of six labels occurs once: (1 + 1) / (6 + 2)


def test_without_a_lexicon_the_same_labels_give_shapes() -> None:
    prior = text_prior_of(["0012", "0013", "0012", "0013", "0012"] * 4, lexicon=False)
    assert as_configs(prior)["lexicon"] is None
    assert list(as_configs(prior)["shapes"]) == ["0000"]


def test_it_is_never_certain_that_a_text_is_known() -> None:
    prior = text_prior_of(["on", "off"] * 1_000)
    assert isinstance(prior, Lexicon)
    assert 0.99 < prior.probability < 1


def test_labels_of_few_shapes_give_shapes() -> None:
    prior = text_prior_of([f"{number:04}.5" for number in range(15)] + [f"A-{number}x" for number in range(4)])
    assert isinstance(prior, Shapes)
    assert prior.probabilities == {"0000.0": pytest.approx(20 / 21 * 15 / 19), "A-0a": pytest.approx(20 / 21 * 4 / 19)}


def test_mixed_letters_and_digits_give_coarse_shapes() -> None:
    mixed = ["".join(letters) for letters in itertools.product("ab12", repeat=4)]
    prior = text_prior_of(mixed)
    assert isinstance(prior, Shapes)
    assert list(prior.probabilities) == ["xxxx"]


@pytest.mark.parametrize(
    ("labels", "pattern"),
    [
        ([f"{number:04}.5" for number in range(20)], r"\d{4}\.\d"),
        (["".join(letters) for letters in itertools.product("ab12", repeat=4)], "[ab12345.]{4}"),
        (["ab", "ba", "ж"] * 9, "ab|ba"),
        (["жж", "ж"] * 9, ""),
        (["-", "--", "---", "----"], ""),
    ],
    ids=["shapes", "coarse shapes", "lexicon", "other letters", "neither"],
)
def test_a_likely_text_consists_of_the_given_letters(labels: list[str], pattern: str) -> None:
    rng = np.random.default_rng(0)
    assert re.fullmatch(pattern, likely_text(text_prior_of(labels), "ab12345.", rng))


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["only"],
        ["12", "345", "6789", "12345", "123456"],
        ["", "", "on", "on"],
        ["2" * length for length in range(1, MAX_SHAPES)] * 3,
        [f"{'.' * number}{number}" for number in range(MAX_KNOWN // 50)] * 2,
    ],
    ids=["none", "one", "all lengths", "too few to tell", "too many lengths", "too many shapes"],
)
def test_other_labels_give_no_prior(labels: list[str]) -> None:
    assert text_prior_of(labels) is None


@pytest.mark.parametrize("labels", [TWENTY_NUMBERS, TWENTY_NUMBERS * 2, []], ids=["shapes", "lexicon", "neither"])
def test_configurations_can_hold_both_kinds(labels: list[str]) -> None:
    prior = text_prior_of(labels)
    configs = ModelConfigs(vocab="0123456789", height=50, width=200, **as_configs(prior))
    assert configs.shapes == (prior.probabilities if isinstance(prior, Shapes) else None)
    assert (configs.lexicon.texts if configs.lexicon else None) == (
        list(prior.texts) if isinstance(prior, Lexicon) else None
    )
