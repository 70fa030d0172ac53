"""What is known of texts before an image is seen, and how it weighs what a network reads."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from app.inference.decoding.ctc import CtcCodec, Decoded

Floats = NDArray[np.floating]


class TextPrior(Protocol):
    """How likely texts are, of which a codec chooses the most probable."""

    def decode(self, codec: "CtcCodec", greedy: Sequence["Decoded"], probabilities: Floats) -> list["Decoded"]:
        """Return what each image most probably says.

        Args:
            codec: the vocabulary and the blank.
            greedy: what greedy decoding reads in each image.
            probabilities: (images, steps, classes).
        """

    def weigh(self, codec: "CtcCodec", texts: Mapping[str, float], probabilities: Floats) -> dict[str, float]:
        """Return the probabilities of texts of an image, and of those that the prior adds, likeliest first, 0…1.

        Args:
            codec: the vocabulary and the blank.
            texts: some texts, and what the network says of each, 0…1, the likeliest first.
            probabilities: (steps, classes).
        """


def most_probable(
    codec: "CtcCodec", greedy: "Decoded", weighed: Mapping[str, float], probabilities: Floats
) -> "Decoded":
    """Return the first of the weighed texts of an image, whose probabilities are (steps, classes)."""
    text, confidence = next(iter(weighed.items()))
    spans = greedy.spans if text == greedy.text else codec.align(probabilities.astype(np.float64), text)
    return replace(greedy, text=text, confidence=confidence, spans=spans)
