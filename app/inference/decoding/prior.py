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


def most_probable(codec: CtcCodec, greedy: Decoded, weighed: Mapping[str, float], probabilities: Floats) -> Decoded:
    """Return the first of the weighed texts as the decoding of an image with probabilities (steps, classes)."""
    text, confidence = next(iter(weighed.items()))
    spans = greedy.spans if text == greedy.text else codec.align(probabilities.astype(np.float64), text)
    return replace(greedy, text=text, confidence=confidence, spans=spans)
