"""The search compared with all texts, path by path; alignments compared with their definition."""

import itertools
import math
import re
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding import ctc
from app.inference.decoding.automaton import MAX_STATES, Automaton, ConstraintError, any_text, union
from app.inference.decoding.beam import BEAM_WIDTH, Search, _Step, most_probable_texts, search_texts
from app.inference.decoding.constraints import CACHE_SIZE, make_constraint
from app.inference.decoding.ctc import CtcCodec, LabelError, Span
from tests.app.inference.decoding.brute_force import Probabilities, collapsed, texts_by_brute_force
from tests.app.inference.decoding.slow_search import slow_search
from tests.properties import examples

EVERY_PREFIX = 200
"""At least the number of texts of at most 4 out of 3 characters."""


class Asked(NamedTuple):
    length: int | None = None
    charset: str | None = None
    pattern: str | None = None

    def allows(self, text: str) -> bool:
        return (
            (self.length is None or len(text) == self.length)
            and (self.charset is None or set(text) <= set(self.charset))
            and (self.pattern is None or re.fullmatch(self.pattern, text) is not None)
        )


PATTERNS = [
    "a*",
    "[^a]*",
    "a.*|b+c?",
    "(ab)*c?",
    ".{2}",
    "(?:a|aa)b?",
    r"\w+",
    "c?c?b",
    "(.)(.)(.)",
    "x|b*",
    "aa|bb|cc",
]
LENGTHS = st.none() | st.integers(1, 4)
ASKED = st.builds(
    Asked, LENGTHS, st.none() | st.sampled_from(["a", "ab", "cb", "xyzc"]), st.none() | st.sampled_from(PATTERNS)
)


@st.composite
def images(draw: st.DrawFn, max_steps: int = 4) -> tuple[CtcCodec, Probabilities]:
    """A vocabulary of up to three letters, the blank anywhere, and the probabilities of an image, some of them 0."""
    vocab = draw(st.sampled_from(["abc", "ba", "c"]))
    codec = CtcCodec(vocab, draw(st.integers(0, len(vocab))))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    probabilities = random.dirichlet(np.full(codec.classes, 0.5), size=draw(st.integers(1, max_steps)))
    if draw(st.booleans()):
        impossible = random.random(probabilities.shape) < 0.4
        impossible[np.arange(len(probabilities)), random.integers(codec.classes, size=len(probabilities))] = False
        probabilities = np.where(impossible, 0.0, probabilities + 0.01)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return codec, probabilities


def constraint_for(codec: CtcCodec, steps: int, asked: Asked) -> Automaton | None:
    """Return the constraint; None if it is refused because no text satisfies it."""
    try:
        return make_constraint(codec, steps, **asked._asdict())
    except ConstraintError:
        return None


def assert_best_first(found: list[Any], expected: dict[str, float]) -> None:
    """Return all expected texts with their probabilities, best first."""
    assert {text.text: text.confidence for text in found} == pytest.approx(expected, rel=1e-9)
    confidences = [text.confidence for text in found]
    assert confidences == sorted(confidences, reverse=True)


@examples(60)
@given(images())
def test_an_unlimited_beam_finds_every_text_with_its_probability(image: tuple[CtcCodec, Probabilities]) -> None:
    codec, probabilities = image
    found = most_probable_texts(codec, probabilities, any_text(len(codec.vocab)), width=EVERY_PREFIX)
    possible = {text: sum_ for text, sum_ in texts_by_brute_force(probabilities, codec).items() if sum_}
    assert_best_first(found, possible)


@examples(150)
@given(images(), ASKED)
def test_a_constraint_keeps_the_probabilities_of_the_allowed_texts(
    image: tuple[CtcCodec, Probabilities], asked: Asked
) -> None:
    codec, probabilities = image
    constraint = constraint_for(codec, len(probabilities), asked)
    every = {text: sum_ for text, sum_ in texts_by_brute_force(probabilities, codec).items() if asked.allows(text)}
    if constraint is None:
        # The empty text would satisfy any charset, but such a charset is refused.
        assert not every or not set(asked.charset or codec.vocab) & set(codec.vocab)
        return
    found = most_probable_texts(codec, probabilities, constraint, width=EVERY_PREFIX)
    possible = {text: sum_ for text, sum_ in every.items() if sum_}
    if possible:
        assert_best_first(found, possible)
    else:
        assert found
        assert {text.text for text in found} <= set(every)


@examples(150)
@given(images(max_steps=6), ASKED, st.integers(1, 3))
def test_the_narrowest_beam_finds_a_text_and_a_possible_one_if_any(
    image: tuple[CtcCodec, Probabilities], asked: Asked, width: int
) -> None:
    codec, probabilities = image
    constraint = constraint_for(codec, len(probabilities), asked)
    if constraint is None:
        return
    every = {text: sum_ for text, sum_ in texts_by_brute_force(probabilities, codec).items() if asked.allows(text)}
    found = most_probable_texts(codec, probabilities, constraint, width=width)
    assert 1 <= len(found) <= width
    assert all(asked.allows(text.text) for text in found)
    assert found[0].confidence == pytest.approx(every[found[0].text])
    assert found[0].confidence > 0 or not any(every.values())


LARGE = "".join(map(chr, range(0x4E00, 0x4E00 + 90)))
PATTERNS_OF_LARGE = [
    None,
    ".{3}",
    ".{0,9}",
    "[\u4e00-\u4e2f]*[\u4e30-\u4e59]",
    "(?:[\u4e00-\u4e0f]+[\u4e10-\u4e59])*",
    "[\u4e00-\u4e1d]?[\u4e1e-\u4e3b]?[\u4e3c-\u4e59]?",
    "(?:.*\u4e00){2}.*",
]


@examples(150, deadline=None)
@given(
    st.sampled_from(PATTERNS_OF_LARGE),
    st.integers(0, len(LARGE)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.sampled_from([0.02, 0.2, 1.0]),
    st.integers(1, 6),
)
def test_only_irrelevant_classes_are_skipped(
    pattern: str | None, blank: int, seed: int, steps: int, evenness: float, width: int
) -> None:
    codec = CtcCodec(LARGE, blank)
    constraint = constraint_for(codec, steps, Asked(pattern=pattern))
    if constraint is None:
        return
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(codec.classes, evenness), size=steps)
    probabilities += 1e-9 * random.uniform(1, 2, probabilities.shape)  # all different and positive
    found = most_probable_texts(codec, probabilities, constraint, width=width)
    expected = slow_search(probabilities, constraint, blank, width)
    assert {tuple(codec.encode(text.text)) for text in found} == expected


class TestWork:
    """The work of a search grows neither with the vocabulary nor with the automaton of a pattern."""

    @pytest.fixture
    def tried(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Return the numbers of classes tried for each prefix at each step."""
        counts: list[int] = []
        scores = _Step._scores

        def count(step: _Step, classes: int) -> Any:
            counts.append(classes)
            return scores(step, classes)

        monkeypatch.setattr(_Step, "_scores", count)
        return counts

    @pytest.mark.parametrize("characters", [20, 500, 5000])
    @pytest.mark.parametrize("pattern", [None, ".{5}", ".{0,199}", r"\w+\w"])
    def test_few_classes_are_tried(self, characters: int, pattern: str | None, tried: list[int]) -> None:
        codec = CtcCodec("".join(map(chr, range(0x4E00, 0x4E00 + characters))))
        logits = np.random.default_rng(1).normal(size=(50, codec.classes))
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        constraint = make_constraint(codec, 50, length=None, charset=None, pattern=pattern)
        assert len(most_probable_texts(codec, probabilities, constraint, width=BEAM_WIDTH)) == BEAM_WIDTH
        assert len(tried) <= 2 * 50
        assert max(tried) <= 2 * BEAM_WIDTH + 2

    def test_classes_of_each_group_of_a_pattern_are_tried_equally(self, tried: list[int]) -> None:
        codec = CtcCodec("".join(map(chr, range(0x4E00, 0x4E00 + 5000))))
        probabilities = np.full((50, codec.classes), 1 / codec.classes)
        pattern = "(?:[\u4e00-\u57ff]|[\u5800-\u5fff])+"
        constraint = make_constraint(codec, 50, length=None, charset=None, pattern=pattern)
        most_probable_texts(codec, probabilities, constraint, width=BEAM_WIDTH)
        assert max(tried) <= 2 * (2 * BEAM_WIDTH + 2)

    @pytest.mark.parametrize("asked", [Asked(pattern="(?:.?){199}"), Asked(pattern="(?:.*a){5}.*", length=20)])
    def test_few_classes_are_tried_with_the_largest_constraints(self, asked: Asked, tried: list[int]) -> None:
        codec = CtcCodec("".join(map(chr, range(97, 161))))
        probabilities = np.random.default_rng(2).dirichlet(np.full(codec.classes, 0.1), size=50)
        constraint = make_constraint(codec, 50, **asked._asdict())
        assert len(constraint.reads) <= MAX_STATES
        found = most_probable_texts(codec, probabilities, constraint, width=BEAM_WIDTH)
        assert all(asked.allows(text.text) for text in found)
        assert len(tried) <= 2 * 50
        assert max(tried) <= len(codec.vocab)

    def test_constraints_are_cached(self) -> None:
        codec, again = CtcCodec("abc"), CtcCodec("abc", 0)
        asked = Asked(length=3, charset="ab", pattern="a+b*")
        made = make_constraint(codec, 20, **asked._asdict())
        assert make_constraint(again, 20, **asked._asdict()) is made
        assert make_constraint(codec, 21, **asked._asdict()) is not made

    def test_the_cache_of_constraints_is_limited(self) -> None:
        codec = CtcCodec("abc")
        first = make_constraint(codec, 200, length=None, charset=None, pattern="a{1}b")
        for count in range(CACHE_SIZE):
            make_constraint(codec, 200, length=count + 1, charset=None, pattern=None)
        assert make_constraint(codec, 200, length=None, charset=None, pattern="a{1}b") is not first


def test_paths_to_impossible_texts_do_not_displace_possible_ones() -> None:
    codec = CtcCodec("abc")
    # A text that starts with a or b must continue with a blank, which leaves no step for a second character.
    probabilities = np.array([[0.49, 0.5, 0.01, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert constraint_for(codec, 2, Asked(pattern="aa|c")) is not None
    constraint = make_constraint(codec, 2, length=None, charset=None, pattern="ac|bc|c")
    (found,) = most_probable_texts(codec, probabilities, constraint, width=1)
    assert found.text == "c"
    assert found.confidence == pytest.approx(0.01)


def test_underflow_does_not_stop_the_search() -> None:
    codec = CtcCodec("ab")
    sure = np.zeros((300, 3))
    sure[:, 2] = 1.0
    constraint = make_constraint(codec, 300, length=100, charset=None, pattern="(?:ab)*")
    (decoded,) = search_texts(codec, sure[np.newaxis], 1.0, Search(constraint, 3))
    assert decoded.text == "ab" * 50
    assert decoded.confidence == 0.0
    assert len(decoded.spans) == 100
    unlikely = np.full((1, 300, 3), (1e-40, 1e-30, 1.0), np.float32)
    (decoded,) = search_texts(codec, unlikely, 0.2, Search(constraint, 3))
    assert decoded.text == "ab" * 50


@examples(40)
@given(images(), ASKED, st.floats(0.3, 5), st.integers(0, 4))
def test_a_search_returns_the_best_text_and_alternatives_with_calibrated_probabilities(
    image: tuple[CtcCodec, Probabilities], asked: Asked, temperature: float, alternatives: int
) -> None:
    codec, probabilities = image
    constraint = constraint_for(codec, len(probabilities), asked)
    if constraint is None:
        return
    calibrated = probabilities ** (1 / temperature)
    calibrated /= calibrated.sum(axis=1, keepdims=True)
    expected = sorted(
        (sum_ for text, sum_ in texts_by_brute_force(calibrated, codec).items() if asked.allows(text)), reverse=True
    )
    batch = np.stack([probabilities, probabilities]).astype(np.float64)
    decoded, again = search_texts(codec, batch, temperature, Search(constraint, alternatives))
    assert decoded == again
    assert decoded.confidence == pytest.approx(expected[0])
    assert "".join(span.character for span in decoded.spans) == decoded.text
    named = [text.confidence for text in decoded.alternatives]
    assert named == pytest.approx(expected[: len(named)])
    assert len(named) == min(alternatives, sum(sum_ > 0 for sum_ in expected) or len(named))
    if alternatives:
        assert decoded.alternatives[0].text == decoded.text


def test_the_most_probable_text_may_differ_from_that_of_the_best_path() -> None:
    codec = CtcCodec("a")
    probabilities = np.array([[[0.4, 0.6], [0.4, 0.6]]])
    (decoded,) = search_texts(codec, probabilities, 1.0, Search(any_text(1), 5))
    assert codec.decode(probabilities)[0].text == ""
    assert [text.text for text in decoded.alternatives] == ["a", ""]
    assert decoded.confidence == pytest.approx(0.64)


@examples(100)
@given(images(max_steps=5), st.data())
def test_an_alignment_is_the_most_probable_path_of_the_text(
    image: tuple[CtcCodec, Probabilities], data: st.DataObject
) -> None:
    codec, probabilities = image
    steps = len(probabilities)
    text = data.draw(st.text(st.sampled_from(codec.vocab), max_size=steps))
    if codec.steps_needed(text) > steps:
        with pytest.raises(LabelError, match="steps"):
            codec.align(probabilities[np.newaxis], [text])
        return
    (spans,) = codec.align(probabilities[np.newaxis], [text])
    assert "".join(span.character for span in spans) == text
    path = path_of(spans, codec, steps)
    assert collapsed(path, codec) == text
    paths = (path for path in itertools.product(range(codec.classes), repeat=steps) if collapsed(path, codec) == text)
    best = max(math.prod(probabilities[np.arange(steps), path]) for path in paths)
    assert math.prod(probabilities[np.arange(steps), path]) == pytest.approx(best)


def path_of(spans: tuple[Span, ...], codec: CtcCodec, steps: int) -> list[int]:
    """Return the class of each step; the runs must be in order."""
    path: list[int] = []
    for span in spans:
        assert len(path) <= span.first_step <= span.last_step < steps
        path += [codec.blank_index] * (span.first_step - len(path))
        path += codec.encode(span.character) * (span.last_step + 1 - span.first_step)
    return path + [codec.blank_index] * (steps - len(path))


@examples(40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_the_alignment_of_the_greedy_text_is_the_greedy_one(seed: int, steps: int) -> None:
    codec = CtcCodec("abcd", 2)
    probabilities = np.random.default_rng(seed).dirichlet(np.full(5, 0.3), size=steps)
    decoded = codec.decode(probabilities[np.newaxis])[0]
    assert codec.align(probabilities[np.newaxis], [decoded.text]) == [decoded.spans]


def test_several_images_are_aligned_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, texts = CtcCodec("abcd"), ["abba", "", "dd", "c"]
    probabilities = np.random.default_rng(0).dirichlet(np.full(5, 0.3), size=(4, 9))
    alone = [codec.align(image[np.newaxis], [text])[0] for image, text in zip(probabilities, texts, strict=True)]
    assert codec.align(probabilities, texts) == alone
    monkeypatch.setattr(ctc, "MAX_PROBABILITIES", 1)
    assert codec.align(probabilities, texts) == alone


def test_an_alignment_through_zeros_is_found() -> None:
    codec = CtcCodec("ab")
    (spans,) = codec.align(np.array([[[0.0, 0.0, 1.0]] * 6]), ["aab"])
    assert [span.character for span in spans] == ["a", "a", "b"]
    assert [span.confidence for span in spans] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(length=26), "at most 25 characters"),
        (Asked(length=10**9), "at most 25 characters"),
        (Asked(charset="xyz"), "none of its characters"),
        (Asked(pattern="x"), "vocabulary lacks 'x'"),
        (Asked(pattern="a{14}"), "between equal neighbours"),
        (Asked(length=14, charset="a"), "between equal neighbours"),
        (Asked(length=3, pattern="(?:ab)+"), "No text of 3 characters"),
        (Asked(charset="b", pattern="a+"), "both the charset and the pattern"),
    ],
)
def test_constraints_that_no_text_satisfies_are_refused(asked: Asked, words: str) -> None:
    with pytest.raises(ConstraintError, match=words):
        make_constraint(CtcCodec("abc"), 25, **asked._asdict())


def test_a_constraint_for_more_steps_than_there_are_finds_nothing() -> None:
    constraint = make_constraint(CtcCodec("abc"), 25, length=20, charset=None, pattern=None)
    assert most_probable_texts(CtcCodec("abc"), np.full((19, 4), 0.25), constraint, width=BEAM_WIDTH) == []


@pytest.mark.parametrize("asked", [Asked(length=25), Asked(pattern="a{13}"), Asked(length=13, charset="a?")])
def test_a_text_may_need_every_step(asked: Asked) -> None:
    codec = CtcCodec("abc")
    constraint = make_constraint(codec, 25, **asked._asdict())
    probabilities = np.random.default_rng(1).dirichlet(np.full(4, 0.2), size=25)
    found = most_probable_texts(codec, probabilities, constraint, width=BEAM_WIDTH)
    assert found
    assert all(asked.allows(text.text) and codec.steps_needed(text.text) <= 25 for text in found)


@pytest.mark.parametrize(("charset", "pattern"), [("e\u0301", None), (None, "e\u0301+")])
def test_constraints_may_use_either_unicode_normalisation(charset: str | None, pattern: str | None) -> None:
    constraint = make_constraint(CtcCodec("a\u00e9"), 5, length=None, charset=charset, pattern=pattern)
    assert union(constraint.reads) == 1 << 1


def test_a_pattern_is_refused_for_visual_order() -> None:
    with pytest.raises(ConstraintError, match="no pattern"):
        make_constraint(CtcCodec("ab"), 5, length=None, charset=None, pattern="a", visual_order=True)
    make_constraint(CtcCodec("ab"), 5, length=2, charset="a", pattern=None, visual_order=True)


def test_if_no_allowed_text_fits_the_text_is_empty_with_confidence_0() -> None:
    codec = CtcCodec("ab", 2)
    four_characters = Search(make_constraint(codec, 20, length=4, charset=None, pattern=None), alternatives=3)
    images = np.full((2, 3, 3), 1 / 3)
    for decoded in search_texts(codec, images, 1.0, four_characters):
        assert (decoded.text, decoded.confidence, decoded.spans, decoded.alternatives) == ("", 0.0, (), ())
