"""What a text must be like: how long, of which characters, after which pattern."""

import unicodedata
from functools import lru_cache

import numpy as np

from app.inference.decoding.automaton import Automaton, ConstraintError, any_text, set_of
from app.inference.decoding.completions import all_completions
from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.patterns import compile_pattern, lacking_characters

MAX_KEPT = 64
"""So many constraints are kept, the last ones asked for."""


def make_constraint(
    codec: CtcCodec,
    steps: int,
    *,
    length: int | None,
    charset: str | None,
    pattern: str | None,
    visual_order: bool = False,
) -> Automaton:
    """One automaton for all that is asked of a text; asked for again, the same one.

    Args:
        codec: knows the vocabulary.
        steps: the network's output steps, which a text must fit in.
        length: how many characters the text has; any if None.
        charset: the only characters it may have; all if None.
        pattern: a regular expression that all of it matches; any if None.
        visual_order: whether the network puts out texts in another order than people type them, see `bidi`.

    Raises:
        ConstraintError: the pattern is not supported, or there is no such text.
    """
    if length is not None and length > steps:
        raise ConstraintError(f"No text satisfies the length: this model reads at most {steps} characters.")
    if pattern is not None and visual_order:
        raise ConstraintError("A model that reads from right to left takes no pattern; length and charset it does.")
    return _make_constraint(codec.vocab, steps, length, charset, pattern)


@lru_cache(maxsize=MAX_KEPT)
def _make_constraint(vocab: str, steps: int, length: int | None, charset: str | None, pattern: str | None) -> Automaton:
    automaton = any_text(len(vocab)) if pattern is None else _match(_composed(pattern), vocab)
    if charset is not None:
        wanted = set(_composed(charset))
        allowed = set_of(np.array([character in wanted for character in vocab]))
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
            f"No text satisfies the constraints: this model has {steps} output steps, "
            "one for each character and one more between equal neighbours."
        )
    return automaton


def _match(pattern: str, vocab: str) -> Automaton:
    automaton = compile_pattern(pattern, vocab)
    if automaton.is_empty:
        lacking = ", ".join(lacking_characters(pattern, vocab))
        raise ConstraintError(f"No text satisfies the pattern: the model's vocabulary lacks {lacking}.")
    return automaton


def _composed(text: str) -> str:
    """Keyboards spell é in two ways; labels have one."""
    return unicodedata.normalize("NFC", text)
