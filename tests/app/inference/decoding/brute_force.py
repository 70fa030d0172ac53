"""Reference implementation of CTC by its definition, path by path."""

import itertools
import math
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec

Probabilities = NDArray[np.float64]


def symbols_of(codec: CtcCodec) -> list[str | None]:
    """Return the character of each class; None is the blank."""
    symbols: list[str | None] = list(codec.vocab)
    symbols.insert(codec.blank_index, None)
    return symbols


def collapsed(path: Any, codec: CtcCodec) -> str:
    """Merge repeats, then drop blanks, as CTC defines it."""
    symbols = symbols_of(codec)
    return "".join(symbol for index, _ in itertools.groupby(path) if (symbol := symbols[index]) is not None)


def texts_by_brute_force(probabilities: Probabilities, codec: CtcCodec) -> dict[str, float]:
    """Return the probability of every text of an image (steps, classes), summed path by path."""
    sums: dict[str, list[float]] = defaultdict(list)
    for path in itertools.product(range(codec.classes), repeat=len(probabilities)):
        sums[collapsed(path, codec)].append(
            math.prod(float(step[index]) for step, index in zip(probabilities, path, strict=True))
        )
    return {text: math.fsum(products) for text, products in sums.items()}
