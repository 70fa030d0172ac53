"""Decoding compared with references that enumerate all paths."""

import itertools
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.ctc import NEGLIGIBLE, CtcCodec, LabelError
from app.inference.decoding.forward import probabilities_of_labels
from app.inference.decoding.lexicon import Lexicon
from app.inference.decoding.prior import TextPrior
from app.inference.decoding.shapes import Shapes
from tests.app.inference.decoding.brute_force import Probabilities, collapsed, symbols_of, texts_by_brute_force
from tests.properties import examples

LETTERS = st.characters(exclude_categories=["Cs"])


@st.composite
def codecs(draw: st.DrawFn, max_characters: int = 6) -> CtcCodec:
    """Generate a codec with any vocabulary and blank index."""
    vocab = "".join(draw(st.lists(LETTERS, min_size=1, max_size=max_characters, unique=True)))
    return CtcCodec(vocab, draw(st.integers(0, len(vocab))))


def random_probabilities(seed: int, images: int, steps: int, classes: int) -> Probabilities:
    """Generate probabilities of certain and uncertain steps."""
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.4), size=(images, steps))


def softmax(logits: Probabilities) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def one_hot(path: list[int], classes: int, sure: float = 1.0) -> Probabilities:
    probabilities = np.full((1, len(path), classes), (1 - sure) / (classes - 1))
    probabilities[0, np.arange(len(path)), path] = sure
    return probabilities


def text_probabilities(codec: CtcCodec, probabilities: Probabilities, texts: list[str]) -> Probabilities:
    """Compute the probability of one text per image."""
    return probabilities_of_labels([codec.encode(text) for text in texts], list(probabilities), codec.blank_index)


def precise_text_probability(probabilities: Probabilities, text: str, codec: CtcCodec) -> float:
    """Compute the probability to 50 digits, with the forward variables of each prefix."""
    symbols = symbols_of(codec)
    with localcontext() as context:
        context.prec = 50
        ends_in_blank = [Decimal(1)] + [Decimal(0)] * len(text)
        ends_in_letter = [Decimal(0)] * (len(text) + 1)
        for step in probabilities:
            share = {symbol: Decimal(float(value)) for symbol, value in zip(symbols, step, strict=True)}
            blanks, letters = ends_in_blank, ends_in_letter
            ends_in_blank = [(blank + letter) * share[None] for blank, letter in zip(blanks, letters, strict=True)]
            ends_in_letter = [Decimal(0)]
            for place, letter in enumerate(text, start=1):
                repeats = place > 1 and text[place - 2] == letter
                starts = blanks[place - 1] + (0 if repeats else letters[place - 1])
                ends_in_letter.append((letters[place] + starts) * share[letter])
        return float(ends_in_blank[-1] + ends_in_letter[-1])


@given(codecs(), st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 12))
def test_decoded_text_is_the_collapsed_best_path(codec: CtcCodec, seed: int, images: int, steps: int) -> None:
    probabilities = random_probabilities(seed, images, steps, codec.classes)
    expected = [collapsed(image.argmax(axis=1), codec) for image in probabilities]
    assert [decoded.text for decoded in codec.decode(probabilities)] == expected
    assert [decoded.text for decoded in codec.decode(probabilities.astype(np.float32))] == expected


@pytest.mark.parametrize("blank_index", [0, 1, 2, 3, None])
def test_a_blank_separates_equal_letters_for_any_blank_index(blank_index: int | None) -> None:
    codec = CtcCodec("aßж", blank_index)
    a, sharp_s, zhe = codec.encode("aßж")
    path = [codec.blank_index, a, a, codec.blank_index, a, zhe, zhe, codec.blank_index, sharp_s]
    assert codec.decode(one_hot(path, codec.classes))[0].text == "aaжß"


def test_the_blank_is_last_by_default() -> None:
    assert CtcCodec("abc").blank_index == 3
    assert CtcCodec("abc").encode("abc") == [0, 1, 2]


@examples(60)
@given(codecs(max_characters=3), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_text_probability_is_the_sum_over_all_paths(codec: CtcCodec, seed: int, steps: int) -> None:
    probabilities = random_probabilities(seed, 1, steps, codec.classes)
    expected = texts_by_brute_force(probabilities[0], codec)
    texts = sorted(expected)
    # All texts, short and long, in one batch.
    computed = text_probabilities(codec, np.repeat(probabilities, len(texts), axis=0), texts)
    np.testing.assert_allclose(computed, [expected[text] for text in texts], rtol=1e-12, atol=1e-300)
    assert computed.sum() == pytest.approx(1.0, abs=1e-12)


@examples(60)
@given(codecs(max_characters=3), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_confidence_of_a_decoded_text_is_its_probability(codec: CtcCodec, seed: int, steps: int) -> None:
    probabilities = random_probabilities(seed, 1, steps, codec.classes)
    decoded = codec.decode(probabilities)[0]
    assert decoded.confidence == pytest.approx(texts_by_brute_force(probabilities[0], codec)[decoded.text])


@examples(200)
@given(codecs(), st.integers(0, 2**32 - 1), st.integers(2, 30), st.floats(1, 40))
def test_confidence_of_a_certain_text_is_its_probability_up_to_rounding(
    codec: CtcCodec, seed: int, steps: int, sharpness: float
) -> None:
    # From uniform to so certain that only the product of the characters' probabilities matters.
    powers = random_probabilities(seed, 1, steps, codec.classes) ** sharpness
    probabilities = powers / powers.sum(axis=2, keepdims=True)
    decoded = codec.decode(probabilities)[0]
    exact = text_probabilities(codec, probabilities, [decoded.text])[0]
    assert decoded.confidence == pytest.approx(exact, rel=0, abs=NEGLIGIBLE)


@given(codecs(), st.integers(0, 2**32 - 1), st.integers(1, 9), st.data())
def test_images_of_a_batch_are_independent(codec: CtcCodec, seed: int, steps: int, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.text(st.sampled_from(codec.vocab), max_size=10), min_size=1, max_size=6))
    probabilities = random_probabilities(seed, len(texts), steps, codec.classes)
    together = text_probabilities(codec, probabilities, texts)
    alone = [text_probabilities(codec, probabilities[[i]], [text])[0] for i, text in enumerate(texts)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    decoded_alone = [codec.decode(probabilities[[i]])[0] for i in range(len(texts))]
    assert codec.decode(probabilities) == decoded_alone


@given(codecs(), st.integers(0, 2**32 - 1), st.integers(1, 6), st.data())
def test_a_text_is_possible_exactly_if_it_fits_the_steps(
    codec: CtcCodec, seed: int, steps: int, data: st.DataObject
) -> None:
    text = data.draw(st.text(st.sampled_from(codec.vocab), max_size=8))
    probabilities = random_probabilities(seed, 1, steps, codec.classes) + 1e-6
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    computed = text_probabilities(codec, probabilities, [text])[0]
    assert (computed > 0) == (codec.steps_needed(text) <= steps)


def test_empty_text_has_the_probability_of_blanks_only() -> None:
    codec = CtcCodec("ab", 1)
    probabilities = random_probabilities(3, 1, 7, codec.classes)
    assert text_probabilities(codec, probabilities, [""])[0] == pytest.approx(probabilities[0, :, 1].prod())


def test_blanks_only_decode_to_an_empty_text() -> None:
    codec = CtcCodec("ab")
    decoded = codec.decode(one_hot([2, 2, 2], 3, sure=0.9))[0]
    assert (decoded.text, decoded.spans) == ("", ())
    assert decoded.confidence == pytest.approx(0.9**3)


def test_no_texts_have_no_probabilities() -> None:
    assert text_probabilities(CtcCodec("ab"), np.empty((0, 5, 3)), []).shape == (0,)


@examples(25)
@given(codecs(), st.integers(0, 2**32 - 1), st.integers(8, 30), st.data())
def test_text_probability_agrees_with_a_reference_of_50_digits(
    codec: CtcCodec, seed: int, steps: int, data: st.DataObject
) -> None:
    probabilities = random_probabilities(seed, 1, steps, codec.classes)
    text = data.draw(st.text(st.sampled_from(codec.vocab), max_size=12))
    expected = precise_text_probability(probabilities[0], text, codec)
    assert text_probabilities(codec, probabilities, [text])[0] == pytest.approx(expected, rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("sure", [0.5, 0.97, 0.999999])
def test_long_texts_keep_their_precision(sure: float) -> None:
    codec = CtcCodec("abcdefghij", 4)
    text = "".join(np.random.default_rng(1).choice(list(codec.vocab), 60))
    path = np.full(512, codec.blank_index)
    path[4 : 4 + 8 * 60 : 8] = codec.encode(text)
    probabilities = one_hot(path.tolist(), codec.classes, sure)
    computed = text_probabilities(codec, probabilities, [text])[0]
    expected = precise_text_probability(probabilities[0], text, codec)
    assert 0 < computed <= 1
    assert computed == pytest.approx(expected, rel=1e-10)


def test_very_improbable_long_texts_are_0_and_certain_ones_1() -> None:
    codec = CtcCodec("ab")
    sure = np.zeros((1, 512, 3))
    sure[0, :, 2] = 1
    sure[0, ::8, :] = (1, 0, 0)
    unlikely = np.full((1, 512, 3), (1e-9, 1e-9, 1 - 2e-9))
    assert text_probabilities(codec, sure, ["a" * 64])[0] == 1.0
    assert text_probabilities(codec, unlikely, ["ab" * 30])[0] == 0.0


@given(codecs(), st.data())
def test_labels_are_encoded_as_the_classes_of_their_characters(codec: CtcCodec, data: st.DataObject) -> None:
    label = data.draw(st.text(st.sampled_from(codec.vocab)))
    symbols = symbols_of(codec)
    assert [symbols[index] for index in codec.encode(label)] == list(label)


def test_a_label_with_unknown_characters_is_refused_with_these() -> None:
    codec = CtcCodec("abc")
    with pytest.raises(LabelError, match=r"'abzay' has 'yz', not in the vocabulary"):
        codec.encode("abzay")


@pytest.mark.parametrize("steps", range(1, 6))
def test_steps_needed_is_the_shortest_path_that_collapses_to_the_label(steps: int) -> None:
    codec = CtcCodec("ab")
    first_seen: dict[str, int] = {}
    for length in range(steps + 1):
        for path in itertools.product(range(3), repeat=length):
            first_seen.setdefault(collapsed(path, codec), length)
    assert {label: codec.steps_needed(label) for label in first_seen} == first_seen


@given(codecs(), st.integers(0, 2**32 - 1), st.integers(1, 14))
def test_spans_are_the_runs_of_the_best_path(codec: CtcCodec, seed: int, steps: int) -> None:
    probabilities = random_probabilities(seed, 1, steps, codec.classes)
    path = probabilities[0].argmax(axis=1).tolist()
    expected = []
    for index, run in itertools.groupby(range(steps), key=path.__getitem__):
        places = list(run)
        if index != codec.blank_index:
            expected.append((symbols_of(codec)[index], places[0], places[-1]))
    decoded = codec.decode(probabilities)[0]
    assert [(s.character, s.first_step, s.last_step) for s in decoded.spans] == expected
    assert "".join(span.character for span in decoded.spans) == decoded.text


@examples(60)
@given(codecs(max_characters=3), st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_the_confidence_of_a_character_is_the_probability_of_its_segment(
    codec: CtcCodec, seed: int, steps: int
) -> None:
    probabilities = random_probabilities(seed, 1, steps, codec.classes)
    spans = codec.decode(probabilities)[0].spans
    for place, span in enumerate(spans):
        start = (spans[place - 1].last_step + 1 + span.first_step) // 2 if place else 0
        last = place == len(spans) - 1
        stop = steps if last else (span.last_step + 1 + spans[place + 1].first_step) // 2
        stretch = probabilities[0, start:stop]
        if len(stretch) <= 6:
            assert span.confidence == pytest.approx(texts_by_brute_force(stretch, codec)[span.character])


@given(codecs(), st.integers(0, 2**32 - 1), st.floats(0.2, 20))
def test_temperature_gives_the_softmax_of_the_divided_logits(codec: CtcCodec, seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 4, (2, 9, codec.classes))
    calibrated = codec.decode(softmax(logits / temperature))
    for decoded, expected in zip(codec.decode(softmax(logits), temperature), calibrated, strict=True):
        assert decoded.text == expected.text
        assert decoded.confidence == pytest.approx(expected.confidence, rel=1e-6)
        assert [s.confidence for s in decoded.spans] == pytest.approx([s.confidence for s in expected.spans])


@given(codecs(), st.integers(0, 2**32 - 1), st.floats(1e-6, 100))
def test_temperature_never_changes_the_text(codec: CtcCodec, seed: int, temperature: float) -> None:
    probabilities = random_probabilities(seed, 2, 10, codec.classes)
    for decoded, plain in zip(codec.decode(probabilities, temperature), codec.decode(probabilities), strict=True):
        assert decoded.text == plain.text
        assert 0 <= decoded.confidence <= 1
        for tempered, span in zip(decoded.spans, plain.spans, strict=True):
            assert 0 <= tempered.confidence <= 1
            assert (tempered.first_step, tempered.last_step) == (span.first_step, span.last_step)


def test_near_ties_keep_their_order_at_any_temperature() -> None:
    codec = CtcCodec("ab")
    low = 0.4
    probabilities = np.array([[[low, np.nextafter(low, 1), 0.2]]])
    assert [codec.decode(probabilities, t)[0].text for t in (1e-3, 1.0, 100.0)] == ["b", "b", "b"]


def test_low_temperatures_make_the_best_class_certain_for_any_number_of_classes() -> None:
    codec = CtcCodec("".join(map(chr, range(200, 500))))
    probabilities = np.full((1, 3, codec.classes), 1 / codec.classes)
    probabilities[0, :, 7] *= 1.1
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    decoded = codec.decode(probabilities, temperature=0.005)[0]
    assert decoded.text == codec.vocab[7]
    assert decoded.confidence == pytest.approx(1.0, abs=1e-5)


@given(codecs(), st.integers(0, 2**32 - 1), st.floats(1, 40), st.floats(0.2, 20))
def test_32_bit_probabilities_agree_to_the_fifth_digit(
    codec: CtcCodec, seed: int, sharpness: float, temperature: float
) -> None:
    powers = random_probabilities(seed, 2, 20, codec.classes) ** sharpness
    narrow = (powers / powers.sum(axis=2, keepdims=True)).astype(np.float32)
    wide = codec.decode(narrow.astype(np.float64), temperature)
    for decoded, expected in zip(codec.decode(narrow, temperature), wide, strict=True):
        assert decoded.text == expected.text
        assert decoded.confidence == pytest.approx(expected.confidence, abs=1e-5)
        assert [s.confidence for s in decoded.spans] == pytest.approx([s.confidence for s in expected.spans], abs=1e-5)


def test_certain_blanks_still_separate_equal_characters() -> None:
    codec = CtcCodec("ab")
    path = [2, 0, 0, 2, 2, 0, 1, 2]
    decoded = codec.decode(one_hot(path, 3))[0]
    assert (decoded.text, decoded.confidence) == ("aab", 1.0)
    assert [(span.first_step, span.last_step, span.confidence) for span in decoded.spans] == [
        (1, 2, 1.0),
        (5, 5, 1.0),
        (6, 6, 1.0),
    ]


def test_temperature_1_changes_nothing() -> None:
    codec = CtcCodec("abc")
    probabilities = random_probabilities(5, 4, 12, codec.classes)
    assert codec.decode(probabilities, 1.0) == codec.decode(probabilities)


def test_decoding_does_not_modify_its_input() -> None:
    codec = CtcCodec("abc")
    probabilities = random_probabilities(6, 2, 8, codec.classes)
    before = probabilities.copy()
    codec.decode(probabilities, 2.5)
    np.testing.assert_array_equal(probabilities, before)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("prior", [None, Shapes({"00": 0.9, "0a": 0.05}), Lexicon(["11", "a1"], 0.9)])
def test_texts_alone_are_those_of_the_whole_decoding(prior: TextPrior | None, temperature: float) -> None:
    codec, rng = CtcCodec("a1.", prior=prior), np.random.default_rng(0)
    images = np.concatenate([rng.dirichlet(np.full(4, 0.4), size=(50, 6)), np.tile([0.0, 0.0, 0.0, 1.0], (1, 6, 1))])
    texts, decoded = codec.decode_texts(images, temperature), codec.decode(images, temperature)
    assert [one.text for one in texts] == [one.text for one in decoded]
    assert [one.confidence for one in texts] == pytest.approx([one.confidence for one in decoded], abs=1e-6)
