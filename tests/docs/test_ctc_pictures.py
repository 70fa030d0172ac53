"""The pictures of docs/ctc.md, and what the page says about them."""

import itertools
import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.inference.decoding.automaton import any_text
from app.inference.decoding.beam import Search, search_texts
from app.inference.decoding.ctc import CtcCodec
from app.inference.images import Pixels
from app.inference.models.model import ImageToTextModel
from docs.ctc_pictures import BLUR, PICTURES, ROOT, TEXT, calibrated, main, places_of
from tests.app.inference.decoding.brute_force import collapsed
from training.data.dataset import read_image

PAGE = (ROOT / "docs" / "ctc.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def model(shipped_model: Path) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


@pytest.fixture(scope="module")
def image() -> Pixels:
    return read_image(ROOT / "samples" / f"{TEXT}.png")


@pytest.fixture(scope="module")
def blurred(image: Pixels) -> Pixels:
    return cv2.GaussianBlur(image, (0, 0), BLUR)


def test_every_picture_is_drawn_light_and_stands_in_the_page(tmp_path: Path) -> None:
    main(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == set(re.findall(r"\(pictures/(\w+\.png)\)", PAGE))
    assert names == {path.name for path in PICTURES.iterdir()}
    for path in tmp_path.iterdir():
        pixels = read_image(path)
        assert pixels[0, -1].min() == 255
        assert path.stat().st_size < 120_000


@pytest.mark.parametrize("text", ["", "a", "ab", "aa", "aba"])
def test_where_alignments_are_is_what_listing_them_all_says(text: str) -> None:
    codec = CtcCodec("ab")
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), size=5)
    names, shares = places_of(codec, probabilities, text)
    assert names == [*itertools.chain.from_iterable(("–", character) for character in text), "–"]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    characters = np.zeros(5)
    total = 0.0
    for path in itertools.product(range(3), repeat=5):
        if collapsed(path, codec) == text:
            probability = math.prod(probabilities[step, index] for step, index in enumerate(path))
            total += probability
            characters += probability * np.array([index != codec.blank_index for index in path])
    np.testing.assert_allclose(shares[:, 1::2].sum(axis=1), characters / total, atol=1e-12)


def test_the_path_of_the_page_is_the_networks(model: ImageToTextModel, image: Pixels) -> None:
    path = calibrated(model, image).argmax(axis=1)
    written = "".join("–" if index == model.codec.blank_index else model.codec.text([index]) for index in path)
    assert f"    {written}   →   {TEXT}\n" in PAGE


def test_the_confidences_of_the_page_are_the_models(model: ImageToTextModel, blurred: Pixels) -> None:
    anything = any_text(len(model.codec.vocab))
    probabilities = calibrated(model, blurred)[np.newaxis]
    greedy = model.codec.decode(probabilities)[0]
    assert f"reads `{greedy.text}`, with a low confidence of {greedy.confidence:.2f}" in PAGE
    best, second = search_texts(model.codec, probabilities, 1.0, Search(anything, 2))[0].alternatives
    assert f"any text {best.text} {best.confidence:.3f}, {second.text} {second.confidence:.3f}" in PAGE
    (constrained,) = search_texts(model.codec, probabilities, 1.0, Search(anything.of_length(len(TEXT)), 1))
    assert constrained.text == TEXT
    assert f"*all* texts, {constrained.confidence:.3f}" in PAGE


def test_the_number_of_alignments_is_as_the_page_says(model: ImageToTextModel) -> None:
    # Alignments of five different characters: the first and last step of each.
    count = math.comb(model.steps + len(TEXT), 2 * len(TEXT))
    assert f"in {model.steps} steps have {round(count / 1e9)} billion" in PAGE
