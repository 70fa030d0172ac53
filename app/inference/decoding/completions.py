"""States from which an allowed text can still be completed at each step, to prune the search."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.inference.decoding.automaton import Automaton, members, union


@dataclass(frozen=True, slots=True, eq=False)
class Completions:
    """States from which an allowed text can still be completed after a step.

    Attributes:
        after_blank: states of the automaton, if the step was a blank.
        after_character: for each state, the classes of the step from which completion is possible.
    """

    after_blank: int
    after_character: tuple[int, ...]

    @property
    def is_possible(self) -> bool:
        """Return whether the empty prefix can be completed to an allowed text, after a blank."""
        return bool(self.after_blank & 1)


def all_completions(constraint: Automaton, possible: Sequence[int], blank_index: int, every: int) -> list[Completions]:
    """Return the completions before the first step and after each; equal ones are the same object.

    Args:
        constraint: defines the allowed texts; its characters are classes, see `over_classes`.
        possible: for each step, the set of classes with a probability above 0.
        blank_index: class of the blank.
        every: set of all classes.
    """
    ends = tuple(every if constraint.accepting >> state & 1 else 0 for state in range(len(constraint.reads)))
    completions = [Completions(constraint.accepting, ends)]
    known: dict[tuple[Completions, int], Completions] = {}
    for classes in reversed(possible):
        after = completions[-1]
        before = known.get((after, classes))
        if before is None:
            before = known[after, classes] = _one_step_before(constraint, after, classes, blank_index, every)
        completions.append(before)
    return completions[::-1]


def _one_step_before(
    constraint: Automaton, after: Completions, possible: int, blank_index: int, every: int
) -> Completions:
    onward_by_blank = after.after_blank if possible >> blank_index & 1 else 0
    not_by_blank = ~onward_by_blank & ((1 << len(constraint.reads)) - 1)
    successors = union(constraint.follows[state] for state in members(not_by_blank))
    states_reading: dict[int, int] = {}
    for state in members(successors):
        read = constraint.reads[state] & possible & after.after_character[state]
        states_reading[read] = states_reading.get(read, 0) | 1 << state
    states_reading.pop(0, None)

    after_blank, after_character = onward_by_blank, []
    for state, follows in enumerate(constraint.follows):
        if onward_by_blank >> state & 1:
            after_character.append(every)
            continue
        nexts = 0
        for read, states in states_reading.items():
            if follows & states:
                nexts |= read
                if nexts & (nexts - 1):  # two suffice: one of them differs from the last character
                    break
        after_blank |= bool(nexts) << state
        repeated = after.after_character[state] & possible
        # A repeated character is a new one only after a blank.
        others = (every if nexts & (nexts - 1) else every & ~nexts) if nexts else 0
        after_character.append(repeated | others)
    found = Completions(after_blank, tuple(after_character))
    same = found.after_blank == after.after_blank and found.after_character == after.after_character
    return after if same else found


def over_classes(constraint: Automaton, blank_index: int) -> Automaton:
    """Return the automaton over the classes of a network; no state reads the blank."""
    below = (1 << blank_index) - 1
    reads = tuple((read & below) | (read & ~below) << 1 for read in constraint.reads)
    return Automaton(constraint.follows, reads, constraint.accepting)
