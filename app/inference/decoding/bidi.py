"""Conversion of right-to-left text between logical order (as typed) and visual order (as in an image).

It uses the Unicode bidirectional algorithm (UAX #9). CTC reads images from left to right, so networks learn and return
visual order. Labels, responses and all other interfaces have logical order.
"""

import unicodedata
from dataclasses import replace

from bidi.algorithm import (
    apply_mirroring,
    explicit_embed_and_overrides,
    get_base_level,
    get_embedding_levels,
    get_empty_storage,
    reorder_resolved_levels,
    resolve_implicit_levels,
    resolve_neutral_types,
    resolve_weak_types,
)

from app.inference.decoding.ctc import Alternative, Decoded

LEFT_TO_RIGHT, RIGHT_TO_LEFT = 0, 1
"""Paragraph levels."""
RIGHT_TO_LEFT_CLASSES = {"R", "AL"}


Placed = tuple[str, int]
"""Character and its position, from 0, in the original order."""


def runs_right_to_left(text: str) -> bool:
    """Return whether a text or vocabulary has letters of a right-to-left script, such as Hebrew or Arabic."""
    return any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT_CLASSES for character in text)


def to_visual(text: str) -> str:
    """Return a line in visual order, from left to right, with brackets mirrored."""
    return _joined(_reordered(text, get_base_level(text))) if runs_right_to_left(text) else text


def to_logical(visual: str) -> str:
    """Return the text in logical order for characters in visual order."""
    return _joined(_places(visual))


def in_logical_order(decoded: Decoded) -> Decoded:
    """Return a reading with its text, characters and alternatives in logical order.

    Each character keeps its confidence, its steps and so its box.
    """
    places = _places(decoded.text)
    spans = tuple(decoded.spans[place]._replace(character=character) for character, place in places)
    alternatives = tuple(Alternative(to_logical(other.text), other.confidence) for other in decoded.alternatives)
    return replace(decoded, text=_joined(places), spans=spans, alternatives=alternatives)


def _places(visual: str) -> list[Placed]:
    """Return the characters in logical order, each with its position in visual order.

    The algorithm is its own inverse, except for some lines of mixed directions. If two texts look the same, the
    right-to-left one is chosen.
    """
    if not runs_right_to_left(visual):
        return [(character, place) for place, character in enumerate(visual)]
    from_right, from_left = (_reordered(visual, level) for level in (RIGHT_TO_LEFT, LEFT_TO_RIGHT))
    fits_only_from_left = to_visual(_joined(from_right)) != visual == to_visual(_joined(from_left))
    return from_left if fits_only_from_left else from_right


def _reordered(text: str, level: int) -> list[Placed]:
    storage = get_empty_storage()
    storage["base_level"], storage["base_dir"] = level, "LR"[level]
    get_embedding_levels(text, storage)
    for place, character in enumerate(storage["chars"]):
        character["place"] = place
    for step in (
        explicit_embed_and_overrides,
        resolve_weak_types,
        resolve_neutral_types,
        resolve_implicit_levels,
        reorder_resolved_levels,
        apply_mirroring,
    ):
        step(storage, debug=False)
    return [(character["ch"], character["place"]) for character in storage["chars"]]


def _joined(placed: list[Placed]) -> str:
    return "".join(character for character, _ in placed)
