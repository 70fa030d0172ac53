"""Prior probabilities of texts, and their combination with a network's output."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec, Decoded

Floats = NDArray[np.floating]


class TextPrior(Protocol):
    """Prior probability of texts, for a codec to choose the most probable one."""

    def decode(self, codec: CtcCodec, greedy: Sequence[Decoded], probabilities: Floats) -> list[Decoded]:
        """Return the most probable text of each image.

        Args:
            codec: the vocabulary and the blank.
            greedy: greedy decoding of each image.
            probabilities: (images, steps, classes).
        """

    def weigh(self, codec: CtcCodec, texts: Mapping[str, float], probabilities: Floats) -> dict[str, float]:
        """Return the posterior probabilities of texts of an image and of those that the prior adds, best first, 0…1.

        Args:
            codec: the vocabulary and the blank.
            texts: texts with the network's probabilities, 0…1, best first.
            probabilities: (steps, classes).
        """


def most_probable(
    codec: CtcCodec, greedy: Sequence[Decoded], weighed: Sequence[Mapping[str, float]], probabilities: Floats
) -> list[Decoded]:
    """Return the first of each image's weighed texts as its decoding, for probabilities (images, steps, classes)."""
    best = [next(iter(texts.items())) for texts in weighed]
    changed = [index for index, one in enumerate(greedy) if best[index][0] != one.text]
    aligned = codec.align(probabilities[changed], [best[index][0] for index in changed])
    spans = dict(zip(changed, aligned, strict=True))
    return [
        replace(one, text=text, confidence=confidence, spans=spans.get(index, one.spans))
        for index, (one, (text, confidence)) in enumerate(zip(greedy, best, strict=True))
    ]
