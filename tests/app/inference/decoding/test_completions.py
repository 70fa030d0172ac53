"""Completions compared with all paths."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.automaton import Automaton, ConstraintError, members
from app.inference.decoding.completions import all_completions, over_classes
from app.inference.decoding.patterns import compile_pattern
from tests.properties import examples

VOCAB = "abc"
CLASSES = len(VOCAB) + 1
EVERY = (1 << CLASSES) - 1
PATTERNS = ["a*", "a.*|b+c?", "(ab)*c?", ".{2}", "(?:a|aa)b?", "aab", "x|b*", "aa|bb|cc", "[^a]+", "b{3}"]
POSSIBLE = st.lists(st.integers(1, EVERY), min_size=0, max_size=4)
"""Generate the classes with a probability at each step."""


def can_be_reached(constraint: Automaton, state: int, last: int | None, possible: list[int], blank: int) -> bool:
    """Return whether some path through the remaining steps leads from the state to an accepting one."""
    return any(
        any(constraint.accepting >> end & 1 for end in ends_of(constraint, state, last, path, blank))
        for path in itertools.product(*map(members, possible))
    )


def ends_of(constraint: Automaton, state: int, last: int | None, path: tuple[int, ...], blank: int) -> set[int]:
    states = {state}
    for before, now in zip((last, *path), path, strict=False):
        if now not in {before, blank}:
            following = {after for one in states for after in members(constraint.follows[one])}
            states = {one for one in following if constraint.reads[one] >> now & 1}
    return states


@examples(150)
@given(st.sampled_from(PATTERNS), st.none() | st.integers(1, 3), POSSIBLE, st.integers(0, len(VOCAB)))
def test_completions_agree_with_all_paths(pattern: str, length: int | None, possible: list[int], blank: int) -> None:
    constraint = over_classes(compile_pattern(pattern, VOCAB), blank)
    try:
        constraint = constraint if length is None else constraint.of_length(length)
    except ConstraintError:
        return
    completions = all_completions(constraint, possible, blank, EVERY)
    assert len(completions) == len(possible) + 1
    for step, found in enumerate(completions):
        left = possible[step:]
        for state in range(len(constraint.reads)):
            assert found.after_blank >> state & 1 == can_be_reached(constraint, state, blank, left, blank)
            for last in set(range(CLASSES)) - {blank}:
                expected = can_be_reached(constraint, state, last, left, blank)
                assert found.after_character[state] >> last & 1 == expected, (step, state, last)


@pytest.mark.parametrize("pattern", [".*", "a{0,9}", "(?:ab)*", ".{5}"])
def test_equal_steps_share_their_completions(pattern: str) -> None:
    constraint = over_classes(compile_pattern(pattern, VOCAB), len(VOCAB))
    completions = all_completions(constraint, [EVERY] * 1000, len(VOCAB), EVERY)
    assert len(set(map(id, completions))) <= 11  # the last steps differ


def test_no_state_reads_the_blank() -> None:
    constraint = compile_pattern("[ac]b", VOCAB)
    assert constraint.reads == (0, 0b101, 0b010)
    assert over_classes(constraint, 0).reads == (0, 0b1010, 0b0100)
    assert over_classes(constraint, 1).reads == (0, 0b1001, 0b0100)
    assert over_classes(constraint, 3).reads == constraint.reads
