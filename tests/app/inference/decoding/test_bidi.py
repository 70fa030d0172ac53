"""Right-to-left text in visual and logical order."""

import pytest

from app.inference.decoding.bidi import in_logical_order, runs_right_to_left, to_logical, to_visual
from app.inference.decoding.ctc import Alternative, Decoded, Span

ALEF, BET, GIMEL = "\u05d0", "\u05d1", "\u05d2"
ARABIC = "\u0645\u0631\u062d\u0628\u0627"
BOTH_ORDERS = [
    (ALEF + BET + GIMEL, GIMEL + BET + ALEF),
    (ARABIC, ARABIC[::-1]),
    (f"{ALEF}{BET}12", f"12{BET}{ALEF}"),
    (f"{ALEF}12{BET}34", f"34{BET}12{ALEF}"),
    (f"{ALEF}-12.5", f"12.5-{ALEF}"),
    (f"12:30 {ALEF}{BET}", f"{BET}{ALEF} 12:30"),
    (f"{ARABIC}\u0663\u0664", f"\u0663\u0664{ARABIC[::-1]}"),
    (f"{ALEF}({BET})", f"({BET}){ALEF}"),
    (f"{ALEF}{BET} abc", f"abc {BET}{ALEF}"),
    (f"5 {ALEF} 5", f"5 {ALEF} 5"),
    ("abc 12", "abc 12"),
    ("1-2 (3)", "1-2 (3)"),
    ("", ""),
]
"""Texts in logical and in visual order (UAX #9)."""


@pytest.mark.parametrize(("logical", "visual"), BOTH_ORDERS)
def test_each_order_is_converted_to_the_other(logical: str, visual: str) -> None:
    assert to_visual(logical) == visual
    assert to_logical(visual) == logical


def test_of_two_texts_that_look_the_same_the_right_to_left_one_is_chosen() -> None:
    assert to_visual(f"abc {ALEF}{BET}") == to_visual(f"{ALEF}{BET} abc")
    assert to_logical(f"abc {BET}{ALEF}") == f"{ALEF}{BET} abc"


@pytest.mark.parametrize(("text", "runs_so"), [("abc12", False), (ALEF, True), ("12" + ARABIC, True), ("", False)])
def test_the_direction_of_a_vocabulary_follows_from_its_letters(text: str, runs_so: bool) -> None:
    assert runs_right_to_left(text) is runs_so


def test_the_characters_of_a_reading_keep_their_confidences_and_places() -> None:
    visual = f"12{BET}{ALEF}"
    spans = tuple(Span(character, 0.9 + step / 100, step, step) for step, character in enumerate(visual))
    decoded = Decoded(visual, 0.8, spans, (Alternative(visual, 0.8), Alternative(f"1{BET}{ALEF}", 0.1)))
    read = in_logical_order(decoded)
    assert read.text == f"{ALEF}{BET}12"
    assert [(span.character, span.first_step) for span in read.spans] == [(ALEF, 3), (BET, 2), ("1", 0), ("2", 1)]
    assert {span.confidence for span in read.spans} == {span.confidence for span in spans}
    assert [other.text for other in read.alternatives] == [f"{ALEF}{BET}12", f"{ALEF}{BET}1"]
    assert read.confidence == 0.8


def test_mirrored_brackets_are_converted() -> None:
    visual = f"){ALEF}"
    decoded = Decoded(visual, 1.0, tuple(Span(character, 1.0, step, step) for step, character in enumerate(visual)))
    assert [span.character for span in in_logical_order(decoded).spans] == [ALEF, "("]
