"""Prior probabilities of texts, and their combination with a network's output."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import Alternative, CtcCodec

Floats = NDArray[np.floating]


class TextPrior(Protocol):
    """Prior probability of texts, for a codec to choose the most probable one."""

    def choose(self, codec: CtcCodec, greedy: Sequence[Alternative], probabilities: Floats) -> list[Alternative]:
        """Return the most probable text of each image.

        Args:
            codec: the vocabulary and the blank.
            greedy: greedily decoded text of each image.
            probabilities: (images, steps, classes).
        """

    def weigh(self, codec: CtcCodec, texts: Mapping[str, float], probabilities: Floats) -> dict[str, float]:
        """Return the posterior probabilities of texts of an image and of those that the prior adds, best first, 0…1.

        Args:
            codec: the vocabulary and the blank.
            texts: texts with the network's probabilities, 0…1, best first.
            probabilities: (steps, classes).
        """
