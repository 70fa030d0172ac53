"""Finite automata over a vocabulary, which define the allowed texts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Booleans = NDArray[np.bool_]

MAX_STATES = 200
"""Maximum states; the search processes one bit each for every step of every image."""


class ConstraintError(ValueError):
    """A constraint is invalid, too large, or allows no text; the message does not repeat it."""


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """Nondeterministic automaton without epsilon transitions (Glushkov, "The abstract theory of automata", 1961).

    It starts in state 0. A text is allowed if its characters lead from there to an accepting state, each into a state
    that reads it. Matching needs no backtracking, so its time is linear in the length of the text.

    Sets are integers with a bit for each member: a set of 5,000 characters costs little more than one of 50.

    Attributes:
        follows: for each state, its successors.
        reads: for each state, the characters of the vocabulary that lead into it.
        accepting: states in which a text may end.
    """

    follows: tuple[int, ...]
    reads: tuple[int, ...]
    accepting: int

    @property
    def is_empty(self) -> bool:
        """Return whether no text is allowed."""
        entered = sum(1 << state for state, characters in enumerate(self.reads) if characters)
        reached, found = 0, 1
        while found:
            reached |= found
            found = union(self.follows[state] for state in members(found)) & entered & ~reached
        return not reached & self.accepting

    def accepts(self, characters: Iterable[int]) -> bool:
        """Return whether a text is allowed."""
        states = 1
        for character in characters:
            onward = union(self.follows[state] for state in members(states))
            states = sum(1 << state for state in members(onward) if self.reads[state] >> character & 1)
        return bool(states & self.accepting)

    def of_length(self, length: int) -> "Automaton":
        """Return the automaton of its texts of a given length; its states count the characters.

        Raises:
            ConstraintError: if there is no such text, or there are too many states.
        """
        entered = sum(1 << state for state, characters in enumerate(self.reads) if characters)
        successors = [following & entered for following in self.follows]
        reached = [1]
        completed = [self.accepting]
        for _ in range(length):
            reached.append(union(successors[state] for state in members(reached[-1])))
            completed.append(sum(1 << state for state, after in enumerate(successors) if after & completed[-1]))
        layers = [forwards & backwards for forwards, backwards in zip(reached, completed[::-1], strict=True)]
        if not layers[0]:
            raise ConstraintError(f"No text of {length} characters satisfies the charset and the pattern.")
        if sum(map(int.bit_count, layers)) > MAX_STATES:
            raise ConstraintError("The pattern is too large to combine with a length.")
        positions = [(count, state) for count, layer in enumerate(layers) for state in members(layer)]
        numbers = {position: number for number, position in enumerate(positions)}
        follows = tuple(
            sum(1 << numbers[count + 1, after] for after in members(successors[state] & layers[count + 1]))
            if count < length
            else 0
            for count, state in positions
        )
        accepting = sum(1 << number for (count, _), number in numbers.items() if count == length)
        return Automaton(follows, tuple(self.reads[state] for _, state in positions), accepting)

    def of_characters(self, allowed: int) -> "Automaton":
        """Return the automaton of its texts that have only these characters."""
        return Automaton(self.follows, tuple(characters & allowed for characters in self.reads), self.accepting)


def any_text(characters: int) -> Automaton:
    """Return the automaton that allows every text over a vocabulary of this size."""
    return Automaton(follows=(1,), reads=((1 << characters) - 1,), accepting=1)


def members(numbers: int) -> Iterator[int]:
    """Yield the members of a set in ascending order."""
    while numbers:
        least = numbers & -numbers
        yield least.bit_length() - 1
        numbers ^= least


def union(sets: Iterable[int]) -> int:
    """Return the union of sets."""
    every = 0
    for one in sets:
        every |= one
    return every


def set_of(mask: Booleans) -> int:
    """Return the set of the positions of True in a mask (positions,)."""
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def mask_of(numbers: int, positions: int) -> Booleans:
    """Return the mask (positions,) of a set; the inverse of `set_of`."""
    octets = np.frombuffer(numbers.to_bytes(-(-positions // 8), "little"), np.uint8)
    return np.unpackbits(octets, count=positions, bitorder="little").view(np.bool_)
