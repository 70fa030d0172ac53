"""Constraints of a text: length, charset, pattern."""

import unicodedata
from functools import lru_cache

import numpy as np

from app.inference.decoding.automaton import Automaton, ConstraintError, any_text, set_of
from app.inference.decoding.completions import all_completions
from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.patterns import compile_pattern, lacking_characters

CACHE_SIZE = 64
"""Number of recently used constraints kept in the cache."""


def make_constraint(
    codec: CtcCodec,
    steps: int,
    *,
    length: int | None,
    charset: str | None,
    pattern: str | None,
    visual_order: bool = False,
) -> Automaton:
    """Return an automaton for all constraints, from a cache for repeated ones.

    Args:
        codec: has the vocabulary.
        steps: output steps of the network, which the text must fit.
        length: number of characters of the text; None for any.
        charset: the only characters allowed; None for all.
        pattern: regular expression for the whole text; None for any.
        visual_order: whether the network returns texts in visual order, see `bidi`.

    Raises:
        ConstraintError: if the pattern is not supported, or there is no such text.
    """
    if length is not None and length > steps:
        raise ConstraintError(f"No text satisfies the length: this model reads at most {steps} characters.")
    if pattern is not None and visual_order:
        raise ConstraintError("A right-to-left model supports length and charset, but no pattern.")
    return _make_constraint(codec.vocab, steps, length, charset, pattern)


@lru_cache(maxsize=CACHE_SIZE)
def _make_constraint(vocab: str, steps: int, length: int | None, charset: str | None, pattern: str | None) -> Automaton:
    automaton = any_text(len(vocab)) if pattern is None else _match(_composed(pattern), vocab)
    if charset is not None:
        charset_characters = set(_composed(charset))
        allowed = set_of(np.array([character in charset_characters for character in vocab]))
        if not allowed:
            raise ConstraintError("No text satisfies the charset: the model's vocabulary has none of its characters.")
        automaton = automaton.of_characters(allowed)
        if automaton.is_empty:
            raise ConstraintError("No text satisfies both the charset and the pattern.")
    if length is not None:
        automaton = automaton.of_length(length)
    blank_index = len(vocab)
    every = (1 << blank_index + 1) - 1
    if not all_completions(automaton, [every] * steps, blank_index, every)[0].is_possible:
        raise ConstraintError(
            f"No text satisfies the constraints: this model has {steps} output steps, and a text needs one for each "
            "character and one more between equal neighbours."
        )
    return automaton


def _match(pattern: str, vocab: str) -> Automaton:
    automaton = compile_pattern(pattern, vocab)
    if automaton.is_empty:
        lacking = ", ".join(lacking_characters(pattern, vocab))
        raise ConstraintError(f"No text satisfies the pattern: the model's vocabulary lacks {lacking}.")
    return automaton


def _composed(text: str) -> str:
    """Normalise to NFC like labels; keyboards may enter é as one or two code points."""
    return unicodedata.normalize("NFC", text)
