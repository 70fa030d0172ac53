"""Many sets of states at once compared with one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.automaton import MAX_STATES, Automaton, mask_of, members, set_of, union
from app.inference.decoding.completions import Completions
from app.inference.decoding.state_sets import StateSets, Viability, meet
from tests.properties import examples

CLASSES = 6
EVERY = (1 << CLASSES) - 1


@st.composite
def automata(draw: st.DrawFn) -> Automaton:
    """Generate an automaton over classes, from one state to more than fit a word."""
    states = draw(st.sampled_from([1, 2, 8, 9, 64, 65, MAX_STATES]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    follows = random.random((states, states)) < draw(st.sampled_from([0.02, 0.5]))
    reads = random.random((states, CLASSES)) < draw(st.sampled_from([0.1, 0.6]))
    accepting = random.random(states) < 0.5
    return Automaton(tuple(map(set_of, follows)), tuple(map(set_of, reads)), set_of(accepting))


def some_sets(constraint: Automaton, seed: int, sets: int = 5) -> list[int]:
    return list(map(set_of, np.random.default_rng(seed).random((sets, len(constraint.reads))) < 0.2))


@examples(60)
@given(automata(), st.integers(0, 2**32 - 1))
def test_sets_move_like_their_states(constraint: Automaton, seed: int) -> None:
    sets = StateSets(constraint, CLASSES)
    states = some_sets(constraint, seed)
    rows = np.concatenate(list(map(sets.row, states)))
    onward = [union(constraint.follows[state] for state in members(one)) for one in states]
    np.testing.assert_array_equal(sets.onward(rows), np.concatenate(list(map(sets.row, onward))))
    classes = np.array([read for group in sets.groups for read in group], np.intp)
    reading = [set_of(np.array([bool(read >> one & 1) for read in constraint.reads])) for one in range(CLASSES)]
    expected = [[bool(one & reading[read]) for read in classes] for one in onward]
    found = sets.can_read(sets.onward(rows), classes)
    np.testing.assert_array_equal(np.ones_like(expected) if found is None else found, expected)
    for read in classes:
        entered = sets.entered(sets.onward(rows), np.full(len(states), read))
        after = [one & reading[read] for one in onward]
        np.testing.assert_array_equal(entered, np.concatenate(list(map(sets.row, after))))


@given(automata())
def test_groups_contain_indistinguishable_classes_and_no_unread_ones(
    constraint: Automaton,
) -> None:
    by_class = [tuple(read >> one & 1 for read in constraint.reads) for one in range(CLASSES)]
    groups = StateSets(constraint, CLASSES).groups
    assert sorted(one for group in groups for one in group) == [one for one in range(CLASSES) if any(by_class[one])]
    assert all(len({by_class[one] for one in group}) == 1 for group in groups)
    assert len({by_class[group[0]] for group in groups}) == len(groups)


@examples(100)
@given(automata(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0]))
def test_a_set_is_viable_if_one_of_its_states_is(constraint: Automaton, seed: int, part: float) -> None:
    random = np.random.default_rng(seed)
    sets = StateSets(constraint, CLASSES)
    states = [one for one in some_sets(constraint, seed) if one]
    if not states or not sets.groups:
        return
    some = random.random((len(constraint.reads), CLASSES)) < 0.7
    whole = random.random(len(constraint.reads)) < part
    after_character = tuple(EVERY if one else set_of(classes) for one, classes in zip(whole, some, strict=True))
    after_blank = set_of(random.random(len(constraint.reads)) < max(part, 0.5))
    viability = Viability(sets, Completions(after_blank, after_character))
    rows = np.concatenate(list(map(sets.row, states)))
    np.testing.assert_array_equal(viability.of_blank(rows), [bool(one & after_blank) for one in states])
    for last in range(CLASSES):
        expected = [any(after_character[state] >> last & 1 for state in members(one)) for one in states]
        np.testing.assert_array_equal(viability.of_character(rows, np.full(len(states), last)), expected)
    classes = np.concatenate(sets.groups)
    readable = np.array(constraint.reads, object) & np.array(after_character, object)
    longer = [
        [
            any(readable[after] >> read & 1 for state in members(one) for after in members(constraint.follows[state]))
            for read in classes
        ]
        for one in states
    ]
    found = viability.of_longer(sets.onward(rows), classes)
    np.testing.assert_array_equal(np.ones_like(longer) if found is None else found, longer)
    assert viability.is_certain == (
        after_blank == set_of(np.array([one == EVERY for one in after_character])) == (1 << len(constraint.reads)) - 1
    )


def test_sets_meet_if_they_share_a_state() -> None:
    sets = StateSets(Automaton((0,) * 70, (1,) * 70, 0), 1)
    rows = np.concatenate([sets.row(1 << 69), sets.row(1 << 3 | 1 << 69), sets.row(0)])
    assert meet(rows, rows).tolist() == [[True, True, False], [True, True, False], [False] * 3]


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_masks_and_sets_convert_to_each_other(members_: list[bool]) -> None:
    mask = np.array(members_)
    assert [place in members(set_of(mask)) for place in range(len(mask))] == members_
    np.testing.assert_array_equal(mask_of(set_of(mask), len(mask)), mask)
