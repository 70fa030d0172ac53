"""A prior for texts, derived from the labels: names repeat, numbers have a fixed shape."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from app.inference.decoding.lexicon import Lexicon
from app.inference.decoding.prior import TextPrior
from app.inference.decoding.shapes import Shapes, shape_of
from app.inference.models.configs import MAX_KNOWN, MAX_SHAPES, KnownTexts, table_size

MIN_KNOWN = 0.5
"""Minimum probability that the next text is a known one, for a lexicon."""
MIN_OF_SHAPE = 0.9
"""Minimum probability that the next text has a known shape, for a prior of shapes."""

MIXED = 3
"""If separating letters from digits multiplies the shapes by more than this, letters and digits mix freely."""


def text_prior_of(labels: Sequence[str], *, lexicon: bool = True) -> TextPrior | None:
    """Return the prior that the labels suggest.

    It is a lexicon if texts repeat, unless `lexicon` is false; shapes if only shapes repeat; otherwise None.
    """
    counts = Counter(labels)
    lexicon = lexicon and 0 < table_size(counts) <= MAX_KNOWN and all(counts)
    if lexicon and (known := _probability_seen(counts)) >= MIN_KNOWN:
        return Lexicon(sorted(counts), known)
    fine, coarse = (Counter(shape_of(label, coarse=coarse) for label in labels if label) for coarse in (False, True))
    shapes = fine if len(fine) <= MIXED * len(coarse) else coarse
    if 0 < table_size(shapes) <= MAX_SHAPES and (known := _probability_seen(shapes)) >= MIN_OF_SHAPE:
        return Shapes({shape: known * count / shapes.total() for shape, count in sorted(shapes.items())})
    return None


def _probability_seen(counts: Counter[str]) -> float:
    """Return the probability that the next item has been seen before.

    The Good-Turing estimate ("The population frequencies of species", Biometrika, 1953) takes the fraction of items
    seen once as the probability of a new one. Adding one to each side keeps the result between 0 and 1.
    """
    seen_once = sum(count == 1 for count in counts.values())
    return 1 - (seen_once + 1) / (counts.total() + 2)


def likely_text(prior: TextPrior | None, letters: Sequence[str], rng: np.random.Generator) -> str:
    """Return a random text of the given characters that is likely under a prior; "" if there is none."""
    if isinstance(prior, Lexicon):
        known = [text for text in prior.texts if set(text) <= set(letters)]
        return str(rng.choice(known)) if known else ""
    if isinstance(prior, Shapes):
        shape = max(prior.probabilities, key=prior.probabilities.__getitem__)
        kinds = {letter: shape_of(letter) + shape_of(letter, coarse=True) for letter in letters}
        choices = [[letter for letter in letters if kind in kinds[letter]] for kind in shape]
        return "".join(str(rng.choice(choice)) for choice in choices) if all(choices) else ""
    return ""


def as_configs(prior: TextPrior | None) -> dict[str, Any]:
    """Return a prior as fields of `ModelConfigs`."""
    lexicon = prior if isinstance(prior, Lexicon) else None
    known = lexicon and KnownTexts(texts=list(lexicon.texts), probability=lexicon.probability)
    return {"lexicon": known, "shapes": prior.probabilities if isinstance(prior, Shapes) else None}
