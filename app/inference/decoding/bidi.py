"""Text that runs from right to left: as people type it (logical order), and as it stands in an image (visual order).

The Unicode bidirectional algorithm (UAX #9) says how the one becomes the other. CTC reads images from left to right, so
networks learn and put out the visual order; labels, answers and everything that people see has the logical one.
"""

import unicodedata
from dataclasses import replace
from typing import NamedTuple

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
"""The levels of a paragraph."""
RIGHT_TO_LEFT_CLASSES = {"R", "AL"}


class Placed(NamedTuple):
    """A character and its place, from 0, in the order that it came from."""

    character: str
    place: int


def runs_right_to_left(text: str) -> bool:
    """Whether a text, or a vocabulary, has letters of Hebrew, Arabic or another script that runs so."""
    return any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT_CLASSES for character in text)


def to_visual(text: str) -> str:
    """The characters of a line from left to right as an image shows them: brackets mirrored, numbers as they are."""
    return _joined(_reordered(text, get_base_level(text))) if runs_right_to_left(text) else text


def to_logical(visual: str) -> str:
    """The text of which an image shows these characters from left to right."""
    return _joined(_places(visual))


def in_logical_order(decoded: Decoded) -> Decoded:
    """A reading with its text, characters and alternatives in the order in which people type them.

    Each character keeps its confidence and its steps, and so its box.
    """
    places = _places(decoded.text)
    spans = tuple(decoded.spans[place]._replace(character=character) for character, place in places)
    alternatives = tuple(Alternative(to_logical(other.text), other.confidence) for other in decoded.alternatives)
    return replace(decoded, text=_joined(places), spans=spans, alternatives=alternatives)


def _places(visual: str) -> list[Placed]:
    """The characters of the logical order, each with its place in the visual one.

    The algorithm is its own inverse, but for some lines of mixed directions. Where two texts look the same, the one
    that begins from the right is meant.
    """
    if not runs_right_to_left(visual):
        return list(map(Placed, visual, range(len(visual))))
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
    return [Placed(character["ch"], character["place"]) for character in storage["chars"]]


def _joined(placed: list[Placed]) -> str:
    return "".join(character for character, _ in placed)
