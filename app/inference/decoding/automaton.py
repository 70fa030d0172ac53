"""Finite automata over a vocabulary, as matrices: which texts are allowed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_STATES = 200
"""The search multiplies matrices of this size for every step of every image."""

Booleans = NDArray[np.bool_]


class ConstraintError(ValueError):
    """A constraint is not understood, is too large, or allows no text; the message does not repeat it."""


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """A nondeterministic automaton without empty moves (Glushkov, "The abstract theory of automata", 1961).

    It starts in state 0. A text is allowed if its characters lead from there, each into a state that reads it,
    to an accepting state. As there is nothing to try and take back, a text costs time linear in its length.

    Attributes:
        follows: bool (states, states); whether the second state may come right after the first.
        reads: bool (states, characters); the characters of the vocabulary that lead into a state.
        accepting: bool (states,).
    """

    follows: Booleans
    reads: Booleans
    accepting: Booleans

    @property
    def is_empty(self) -> bool:
        """Whether no text is allowed."""
        enters = self.follows & self.reads.any(axis=1)
        reached = np.arange(len(self.accepting)) == 0
        for _ in self.accepting:  # no state needs more moves
            reached = reached | (reached @ enters)
        return not (reached & self.accepting).any()

    def of_length(self, length: int) -> "Automaton":
        """The automaton of those of its texts that have so many characters; its states count them.

        Raises:
            ConstraintError: there is no such text, or there are too many states.
        """
        enters = self.follows & self.reads.any(axis=1)
        reached = [np.arange(len(self.accepting)) == 0]
        completed = [self.accepting]
        for _ in range(length):
            reached.append(reached[-1] @ enters)
            completed.append(enters @ completed[-1])
        counts, states = np.nonzero(np.stack(reached) & np.stack(completed[::-1]))
        if not len(states):
            raise ConstraintError(f"No text of {length} characters satisfies the charset and the pattern.")
        if len(states) > MAX_STATES:
            raise ConstraintError("The pattern is too large to be combined with a length.")
        follows = self.follows[np.ix_(states, states)] & (counts[:, np.newaxis] + 1 == counts)
        return Automaton(follows, self.reads[states], counts == length)

    def of_characters(self, allowed: Booleans) -> "Automaton":
        """The automaton of those of its texts that have only the characters of a mask (characters,)."""
        return Automaton(self.follows, self.reads & allowed, self.accepting)


def any_text(characters: int) -> Automaton:
    """The automaton that allows every text of a vocabulary of so many characters."""
    return Automaton(np.ones((1, 1), np.bool_), np.ones((1, characters), np.bool_), np.ones(1, np.bool_))
