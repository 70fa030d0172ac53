"""Values of sums, and their probabilities over all texts of an image."""

import re
import warnings
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.automaton import any_text
from app.inference.decoding.beam import BEAM_WIDTH, Search, search_texts
from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.sums import LARGEST, MAX_CHARACTERS, SIGNS, Sum, most_probable_sum, value_of
from tests.app.inference.decoding.arithmetic import DIGITS, SPELLINGS, value_by_python
from tests.app.inference.decoding.brute_force import texts_by_brute_force
from tests.properties import examples

SPACES = st.sampled_from(["", "", "", " "])
NUMBERS = st.text(DIGITS, min_size=1, max_size=3)


def spelt(sign: str) -> st.SearchStrategy[str]:
    return st.sampled_from(SPELLINGS[sign])


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*(part for one in parts for part in (SPACES, one))).map("".join)


def longer(shorter: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operation = st.sampled_from("+-*/").flatmap(spelt)
    return joined(shorter, operation, shorter) | joined(
        spelt("("), st.sampled_from(["", "", "-", "+"]), shorter, spelt(")")
    )


SUMS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "-", "+"]),
    st.recursive(NUMBERS, longer, max_leaves=6),
    st.sampled_from(["", "=", "?", "=?", " = ?", "= "]),
)
NEARLY_SUMS = st.text("0123+-*/×÷x() =?", max_size=10)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10-2=", 8),
        ("5x6=", 30),
        ("5X6", 30),
        ("5×6=?", 30),
        ("5*6?", 30),
        ("12÷4 = ?", 3),
        ("12/4=", 3),
        ("12:4=", 3),
        ("3−5=", -2),
        ("２＋２＝？", 4),
        ("(3 + 4) × 5 =", 35),
        ("3+4x5", 23),
        ("10-2-3", 5),
        ("24÷4÷2", 3),
        ("7/2x2=", 7),
        ("1/3+1/6+1/2", 1),
        ("-3+5", 2),
        ("-(2+3)x2", -10),
        ("٦÷٢", 3),
        ("१२-५=", 7),
        ("007+1", 8),
    ],
)
def test_a_sum_has_its_value(text: str, value: int) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "=", "?", "8", "8=", "-8=", "(8)", "b5wn6", "10-2=8", "=10-2", "10-2=="),
        *("10-", "+", "()", "(1+2", "1+2)", "2(3+4)", "(2)(3)", "1 0-2", "2--3", "2x-3", "2**3", "1.5+1", "1,5+1"),
        *("7/2=", "8:0=", "1/(2-2)", "1²+1", "①+①"),
    ],
)
def test_a_text_without_an_integer_value_has_none(text: str) -> None:
    assert value_of(text) is None


def test_values_are_exact_in_json() -> None:
    assert value_of(f"{LARGEST}+0") == -value_of(f"0-{LARGEST}") == LARGEST  # type: ignore[operator]
    assert value_of(f"{LARGEST}+1") is None
    assert value_of(f"-{LARGEST}-1") is None
    assert value_of("99999999999*99999999999/99999999999") == 99999999999


def test_long_sums_are_refused() -> None:
    longest = "1+" * (MAX_CHARACTERS // 2 - 1) + "11"
    assert value_of(longest) == MAX_CHARACTERS // 2 + 10
    assert value_of(longest + "=") is None
    deepest = (MAX_CHARACTERS - 3) // 2
    assert value_of("(" * deepest + "1+1" + ")" * deepest) == 2


def test_each_sign_of_the_reference_is_known() -> None:
    for sign, spellings in SPELLINGS.items():
        assert set(spellings) <= set(SIGNS[sign])


@examples(500)
@given(SUMS | NEARLY_SUMS)
def test_values_agree_with_pythons_own_parser(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # about 2(3), which looks like a call
        expected = value_by_python(text)
    assert value_of(text) == (expected if len(text) <= MAX_CHARACTERS else None)


@given(st.text(max_size=2 * MAX_CHARACTERS) | st.text("1(+-*/)=? ", max_size=MAX_CHARACTERS))
def test_no_text_raises(text: str) -> None:
    value = value_of(text)
    assert value is None or abs(value) <= LARGEST


class TestMostProbable:
    def test_probabilities_of_texts_with_equal_values_are_added(self) -> None:
        texts = [("8-4=", 0.3), ("10-7=", 0.2), ("107=", 0.2), ("1O-7=", 0.1), ("16-13", 0.15)]
        found = most_probable_sum(texts)
        assert found.value == 3
        assert found.confidence == pytest.approx(0.35)

    @pytest.mark.parametrize("texts", [[], [("", 1.0)], [("107=", 0.9), ("7/2", 0.1)]])
    def test_without_a_sum_there_is_no_value(self, texts: list[tuple[str, float]]) -> None:
        assert most_probable_sum(texts) == (None, 0.0)

    def test_a_probability_is_at_most_1(self) -> None:
        assert most_probable_sum([("1+1", 0.7), ("1+1=", 0.3 + 1e-12)]) == (2, 1.0)


STEPS = 3
"""Return so few texts that all fit into the beam."""


@st.composite
def images(draw: st.DrawFn) -> tuple[CtcCodec, np.ndarray]:
    codec = CtcCodec("".join(draw(st.permutations("12+"))), draw(st.integers(0, 3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return codec, random.dirichlet(np.full(codec.classes, 0.5), size=(1, STEPS))


@examples(100)
@given(images())
def test_a_search_adds_the_probabilities_of_equal_values(image: tuple[CtcCodec, np.ndarray]) -> None:
    codec, probabilities = image
    assert sum(3**length for length in range(STEPS + 1)) <= BEAM_WIDTH
    values: defaultdict[int, float] = defaultdict(float)
    for text, probability in texts_by_brute_force(probabilities[0], codec).items():
        if re.fullmatch(r"\d\+\d", text):
            values[int(text[0]) + int(text[2])] += probability
    best = max(values, key=values.__getitem__)
    (found,) = search_texts(codec, probabilities, 1.0, Search(any_text(3), 0, "sum"))
    assert found.sum is not None
    assert values[found.sum.value] == pytest.approx(values[best])  # type: ignore[index]
    assert found.sum.confidence == pytest.approx(values[best])
    assert found.alternatives == ()


def test_only_a_search_with_evaluate_has_a_value() -> None:
    codec = CtcCodec("1+2")
    probabilities = np.eye(4)[[0, 1, 2]][np.newaxis]
    (plain,) = search_texts(codec, probabilities, 1.0, Search(any_text(3), 0))
    (evaluated,) = search_texts(codec, probabilities, 1.0, Search(any_text(3), 0, "sum"))
    assert plain.sum is None
    assert evaluated.sum == Sum(3, 1.0)
    assert (evaluated.text, evaluated.confidence, evaluated.spans) == (plain.text, plain.confidence, plain.spans)
