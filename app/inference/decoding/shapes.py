"""Shapes of texts: their length and the positions of digits, letters and other characters."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import Alternative, CtcCodec
from app.inference.decoding.forward import MAX_PROBABILITIES, probabilities_of_labels
from app.inference.decoding.prior import Floats

DIGIT, LOWER, UPPER, ANY = "0aAx"
"""Symbols of a shape: digit, lower-case letter, upper-case letter, letter or digit. Other characters stand for
themselves."""
TINY = 1e-30


def shape_of(text: str, *, coarse: bool = False) -> str:
    """Return the shape of a text; a coarse one does not distinguish letters and digits."""
    return "".join(_class_of(character, coarse) for character in text)


def _class_of(character: str, coarse: bool) -> str:
    if not character.isalnum():
        return character
    if coarse:
        return ANY
    return DIGIT if character.isdecimal() else LOWER if character.islower() else UPPER if character.isupper() else ANY


class Shapes:
    """Prior probability of texts by their shapes; see `TextPrior`. Texts of one shape are equally probable.

    Attributes:
        probabilities: of shapes, 0…1; other shapes share the rest to 1.
    """

    def __init__(self, probabilities: Mapping[str, float]) -> None:
        self.probabilities = dict(probabilities)
        self._coarse = all(character == ANY or not character.isalnum() for character in set().union(*probabilities))
        likeliest = max(probabilities.values())
        self._weights = {shape: probability / likeliest for shape, probability in probabilities.items()}
        rest = max(0.0, 1 - sum(probabilities.values()))
        self._weight_of_others = min(1.0, rest / (len(probabilities) + 1) / likeliest)

    def choose(self, codec: CtcCodec, greedy: Sequence[Alternative], probabilities: Floats) -> list[Alternative]:
        """Return the most probable of the greedy text and the best text of each shape; see `TextPrior`."""
        chosen = [self._reweighed(one) for one in greedy]
        doubtful = [index for index, one in enumerate(chosen) if one.confidence < 0.5]
        size = max(1, MAX_PROBABILITIES // probabilities[0].size) if doubtful else 1
        for start in range(0, len(doubtful), size):
            chunk = doubtful[start : start + size]
            images = probabilities[chunk]
            likelihoods = _likelihoods(codec, self._likeliest_texts(codec, images), images)
            for index, others in zip(chunk, likelihoods, strict=True):
                weighed = self._posterior({greedy[index].text: greedy[index].confidence, **others})
                chosen[index] = Alternative(*next(iter(weighed.items())))
        return chosen

    def weigh(self, codec: CtcCodec, texts: Mapping[str, float], probabilities: Floats) -> dict[str, float]:
        """Return the probabilities of some texts and the best text of each shape; see `TextPrior`."""
        image = probabilities[np.newaxis]
        (others,) = _likelihoods(codec, self._likeliest_texts(codec, image), image)
        return self._posterior({**others, **texts})

    def _reweighed(self, greedy: Alternative) -> Alternative:
        """Return a text with its posterior confidence, as if all other texts had the most probable shape."""
        likelihood = greedy.confidence * self._weight(greedy.text)
        if likelihood == greedy.confidence:
            return greedy
        confidence = likelihood / (likelihood + 1 - greedy.confidence) if likelihood else 0.0
        return replace(greedy, confidence=confidence)

    def _weight(self, text: str) -> float:
        return self._weights.get(shape_of(text, coarse=self._coarse), self._weight_of_others)

    def _posterior(self, likelihoods: Mapping[str, float]) -> dict[str, float]:
        scores = {text: likelihood * self._weight(text) for text, likelihood in likelihoods.items()}
        total = sum(scores.values()) + max(0.0, 1 - sum(likelihoods.values()))
        ranked = sorted(scores.items(), key=lambda item: -item[1])
        return {text: score / total if total else 0.0 for text, score in ranked}

    def _likeliest_texts(self, codec: CtcCodec, probabilities: Floats) -> list[list[str]]:
        """Return a text for each image (images, steps, classes) and each shape that fits the steps.

        It is the text of the shape's most probable alignment (Viterbi).
        """
        kinds = [_class_of(character, self._coarse) for character in codec.vocab]
        shapes = [shape for shape in self._weights if len(shape) <= probabilities.shape[1] and set(shape) <= set(kinds)]
        if not shapes:
            return [[] for _ in probabilities]
        wanted = sorted(set().union(*shapes))
        classes = np.delete(np.arange(codec.classes), codec.blank_index)
        allowed = np.array(kinds) == np.array(wanted)[:, np.newaxis]
        characters = probabilities[:, :, np.newaxis, classes] * allowed
        spelled = [[wanted.index(kind) for kind in shape] for shape in shapes]
        paths = _alignments(
            np.log(np.maximum(probabilities[:, :, codec.blank_index], TINY)),
            np.log(np.maximum(characters.max(axis=3), TINY)),
            spelled,
        )
        return [
            [codec.text(classes[_best_characters(image, *each)].tolist()) for each in zip(states, spelled, strict=True)]
            for image, states in zip(characters, paths, strict=True)
        ]


def _likelihoods(codec: CtcCodec, texts: Sequence[Sequence[str]], probabilities: Floats) -> list[dict[str, float]]:
    """Return the network's probabilities of each image's texts."""
    images = [image for image, own in zip(probabilities, texts, strict=True) for _ in own]
    labels = [codec.encode(text) for own in texts for text in own]
    likely = iter(probabilities_of_labels(labels, images, codec.blank_index).tolist())
    return [dict(zip(own, likely, strict=False)) for own in texts]


def _best_characters(characters: Floats, path: NDArray[np.intp], shape: Sequence[int]) -> list[int]:
    """Return the most probable character of an image at each position of a shape.

    Args:
        characters: probabilities (steps, kinds, characters), 0 if a character is not of the kind.
        path: state of each step, see `_alignments`.
        shape: kinds of its characters.
    """
    return [int(characters[path == 2 * position + 1, kind].sum(axis=0).argmax()) for position, kind in enumerate(shape)]


def _alignments(blanks: Floats, kinds: Floats, shapes: Sequence[Sequence[int]]) -> NDArray[np.intp]:
    """Return the most probable alignment of each shape with each image, as states (images, shapes, steps).

    State 2·n + 1 is the shape's character n; even states are blanks before, between and after the characters.

    Args:
        blanks: log probabilities of the blank, (images, steps).
        kinds: log probabilities of the best character of each kind, (images, steps, kinds).
        shapes: kinds of the characters of each shape.
    """
    images, steps = blanks.shape
    lengths = np.array([*map(len, shapes)])
    states = 2 * int(lengths.max()) + 1
    emitted = np.full((steps, images, len(shapes), states), -np.inf)
    emitted[..., 0::2] = blanks.T[:, :, np.newaxis, np.newaxis]
    for row, shape in enumerate(shapes):
        emitted[:, :, row, 1 : 2 * len(shape) : 2] = kinds[:, :, shape].transpose(1, 0, 2)
    skips = np.where(np.arange(states) % 2, 0.0, -np.inf)  # the blank between two characters is optional
    # Two additional states before the first have no probability.
    best = np.full((images, len(shapes), states + 2), -np.inf)
    best[..., 2:4] = emitted[0, ..., :2]
    moves = np.zeros(emitted.shape, np.int8)
    for step in range(1, steps):
        ways = np.stack([best[..., 2:], best[..., 1:-1], best[..., :-2] + skips])
        moves[step] = ways.argmax(axis=0)
        best[..., 2:] = ways.max(axis=0) + emitted[step]
    image, each = np.ogrid[:images, : len(shapes)]
    ends_in_blank = best[image, each, 2 * lengths + 2] > best[image, each, 2 * lengths + 1]
    path = np.empty((images, len(shapes), steps), np.intp)
    path[..., -1] = 2 * lengths - 1 + ends_in_blank
    for step in range(steps - 1, 0, -1):
        path[..., step - 1] = path[..., step] - moves[step, image, each, path[..., step]]
    return path
