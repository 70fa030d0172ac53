"""What a text must be like: how long, of which characters, after which pattern."""

import unicodedata

import numpy as np

from app.inference.decoding.automaton import Automaton, ConstraintError, any_text
from app.inference.decoding.beam import completions
from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.patterns import compile_pattern, lacking_characters


def make_constraint(
    codec: CtcCodec,
    steps: int,
    *,
    length: int | None,
    charset: str | None,
    pattern: str | None,
    visual_order: bool = False,
) -> Automaton:
    """One automaton for all that is asked of a text.

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
    automaton = any_text(len(codec.vocab)) if pattern is None else _match(_composed(pattern), codec.vocab)
    if charset is not None:
        allowed = np.array([character in _composed(charset) for character in codec.vocab])
        if not allowed.any():
            raise ConstraintError("No text satisfies the charset: the model's vocabulary has none of its characters.")
        automaton = automaton.of_characters(allowed)
        if automaton.is_empty:
            raise ConstraintError("No text satisfies both the charset and the pattern.")
    if length is not None:
        automaton = automaton.of_length(length)
    if not completions(codec, automaton, np.ones((steps, codec.classes), np.bool_)).possible:
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
