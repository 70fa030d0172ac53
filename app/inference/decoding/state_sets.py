"""Simulation of an automaton for many texts at once; the set of states of each text is a row of bits."""

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.automaton import Automaton, Booleans, mask_of, union
from app.inference.decoding.completions import Completions

WORD = np.dtype("<u8")
OCTET = 8

Classes = NDArray[np.intp]
States = NDArray[np.uint64]
"""(sets, words), one bit per state."""


class StateSets:
    """Transitions of an automaton over classes.

    Attributes:
        constraint: the automaton.
        all_classes: set of all classes.
        start: (1, words), state of the empty text.
        every: (1, words), all states.
        groups: classes that states read, grouped so that no state distinguishes the classes of a group.
    """

    def __init__(self, constraint: Automaton, classes: int) -> None:
        self.constraint = constraint
        self.all_classes = (1 << classes) - 1
        self._classes = classes
        self._states = len(constraint.reads)
        self._octets = -(-self._states // OCTET)
        reads = np.stack([mask_of(read, classes) for read in constraint.reads])
        read = np.flatnonzero(reads.any(axis=0))
        _, first, group_of = np.unique(
            np.packbits(reads[:, read], axis=0), axis=1, return_index=True, return_inverse=True
        )
        self.groups = [read[group_of == group] for group in range(len(first))]
        self._group_of = np.zeros(classes, np.intp)
        self._group_of[read] = group_of
        self._readers = _as_words(reads[:, read[first]].T)
        self._followers = _table([mask_of(follows, self._states) for follows in constraint.follows])
        self.start = self.row(1)
        self.every = self.row((1 << self._states) - 1)

    def row(self, states: int) -> States:
        """Convert a set of states of `Automaton` to (1, words)."""
        return _as_words(mask_of(states, self._states)[np.newaxis])

    def mask(self, classes: int) -> Booleans:
        """Convert a set of classes of `Automaton` to (classes,)."""
        return mask_of(classes, self._classes)

    def onward(self, states: States) -> States:
        """Return the successors of the states of each set."""
        octets = states.view(np.uint8)[:, : self._octets]
        if self._octets == 1:
            return self._followers[0, octets[:, 0]]
        return np.asarray(np.bitwise_or.reduce(self._followers[np.arange(self._octets), octets], axis=1))

    def entered(self, onward: States, classes: Classes) -> States:
        """Return the states of each set that read a class, one class per set."""
        return onward & self._readers[self._group_of[classes]]

    def can_read(self, onward: States, classes: Classes) -> Booleans | None:
        """Return whether a state of each set reads each class, (sets, classes); None if all do."""
        by_group = meet(onward, self._readers)
        return None if by_group.all() else by_group[:, self._group_of[classes]]


class Viability:
    """Test of many prefixes at once for whether they can be completed after a step, from `Completions`.

    Attributes:
        is_certain: whether all prefixes can be completed.
        is_regular: whether each state excludes all classes, one or none.
    """

    def __init__(self, sets: StateSets, completions: Completions) -> None:
        self._sets = sets
        every = sets.all_classes
        by_state = completions.after_character
        whole = union(1 << state for state, classes in enumerate(by_state) if classes == every)
        partly = [state for state, classes in enumerate(by_state) if classes not in {0, every}]
        self._after_blank = sets.row(completions.after_blank)
        self._whole = sets.row(whole)
        self._partly = [(sets.row(1 << state), sets.mask(by_state[state])) for state in partly]
        self._reads_partly = [sets.mask(by_state[state] & sets.constraint.reads[state]) for state in partly]
        self.is_regular = all((every ^ by_state[state]).bit_count() == 1 for state in partly)
        self.is_certain = completions.after_blank == whole == (1 << len(by_state)) - 1

    def of_blank(self, states: States) -> Booleans:
        """Return whether completion is possible after a blank, (sets,)."""
        return meet(states, self._after_blank)[:, 0]

    def of_character(self, states: States, last: Classes) -> Booleans:
        """Return whether completion is possible after the character that led to each set, (sets,)."""
        viable = meet(states, self._whole)[:, 0]
        for state, classes in self._partly:
            viable |= meet(states, state)[:, 0] & classes[last]
        return viable

    def of_longer(self, onward: States, classes: Classes) -> Booleans | None:
        """Return whether completion is possible after an extension by each class, (sets, classes); None if always.

        `onward` are the successors of the states of each prefix.
        """
        if self.is_certain:
            return self._sets.can_read(onward, classes)
        viable = self._sets.can_read(onward & self._whole, classes)
        if viable is not None:
            for (state, _), read in zip(self._partly, self._reads_partly, strict=True):
                viable |= meet(onward, state) & read[classes]
        return viable


def meet(sets: States, others: States) -> Booleans:
    """Return whether each set and each other one have a state in common, (sets, others)."""
    common = sets[:, :1] & others[:, 0]
    for word in range(1, sets.shape[1]):
        common |= sets[:, word, np.newaxis] & others[:, word]
    return common != 0


def _as_words(masks: Booleans) -> States:
    """Convert masks (sets, states) to rows of bits."""
    octets = np.packbits(masks, axis=1, bitorder="little")
    padded = np.zeros((len(octets), -(-octets.shape[1] // WORD.itemsize) * WORD.itemsize), np.uint8)
    padded[:, : octets.shape[1]] = octets
    return padded.view(WORD)


def _table(follows: list[Booleans]) -> NDArray[np.uint64]:
    """Return the successors of the states in each octet of a set, for each of its values: (octets, values, words)."""
    rows = _as_words(np.stack(follows))
    table = np.zeros((-(-len(rows) // OCTET), 1 << OCTET, rows.shape[1]), WORD)
    for state, row in enumerate(rows):
        octet, bit = divmod(state, OCTET)
        table[octet, 1 << bit : 2 << bit] = table[octet, : 1 << bit] | row
    return table
