"""Prior for images that mostly show one of some known texts."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import Alternative, CtcCodec
from app.inference.decoding.forward import probabilities_of_all
from app.inference.decoding.prior import Floats

END = ""
"""Marker before the first and after the last character of a text."""


class Lexicon:
    """Prior probability of texts, some of which are known; see `TextPrior`.

    The known texts share `probability` equally. Other texts follow a bigram model of the known ones with add-one
    smoothing (Jurafsky and Martin, "Speech and Language Processing", 3.6).

    Attributes:
        texts: the known texts, with characters in the network's output order.
        probability: that an image shows one of them, 0…1 exclusive.
    """

    def __init__(self, texts: Sequence[str], probability: float) -> None:
        self.texts, self.probability = tuple(texts), probability
        self._known = frozenset(texts)
        pairs = list(itertools.chain.from_iterable(map(_pairs, texts)))
        self._pairs, self._firsts = Counter(pairs), Counter(first for first, _ in pairs)
        self._followers = len({second for _, second in pairs}) + 1  # plus one for characters that no known text has

    def choose(self, codec: CtcCodec, greedy: Sequence[Alternative], probabilities: Floats) -> list[Alternative]:
        """Return the most probable of the greedy text and the known ones for each image; see `TextPrior`."""
        weighed = [
            self._posterior({one.text: one.confidence}, likelihoods)
            for one, likelihoods in zip(greedy, self._likelihoods(codec, probabilities), strict=True)
        ]
        return [Alternative(*next(iter(texts.items()))) for texts in weighed]

    def weigh(self, codec: CtcCodec, texts: Mapping[str, float], probabilities: Floats) -> dict[str, float]:
        """Return the probabilities of some texts and all known ones; see `TextPrior`."""
        return self._posterior(texts, self._likelihoods(codec, probabilities[np.newaxis])[0])

    def _likelihoods(self, codec: CtcCodec, probabilities: Floats) -> NDArray[np.float64]:
        return probabilities_of_all(list(map(codec.encode, self.texts)), probabilities, codec.blank_index)

    def _posterior(self, texts: Mapping[str, float], known: NDArray[np.float64]) -> dict[str, float]:
        others = {text: likelihood for text, likelihood in texts.items() if text not in self._known}
        # Texts that are not listed are assumed no more probable a priori than the best unknown one.
        rest = max(0.0, 1.0 - float(known.sum()) - sum(others.values()))
        unnamed = rest * self._prior_of_unknown(next(iter(others), ""))
        weighed = [likelihood * self._prior_of_unknown(text) for text, likelihood in others.items()]
        scores = np.concatenate([weighed, known * (self.probability / len(self.texts))])
        scores /= max(float(scores.sum()) + unnamed, np.finfo(np.float64).tiny)
        every = [*others, *self.texts]
        return {every[index]: float(scores[index]) for index in np.argsort(-scores, kind="stable")}

    def _prior_of_unknown(self, text: str) -> float:
        follow = [(self._pairs[pair] + 1) / (self._firsts[pair[0]] + self._followers) for pair in _pairs(text)]
        return (1.0 - self.probability) * math.prod(follow)


def _pairs(text: str) -> list[tuple[str, str]]:
    return list(itertools.pairwise((END, *text, END)))
