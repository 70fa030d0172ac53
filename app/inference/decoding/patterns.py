"""Regular expressions that a whole text must match, as automata: matching takes linear time, whatever they are."""

import functools
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from re import _parser  # type: ignore[attr-defined] # private, and the same since 3.11
from typing import Any, NamedTuple

import numpy as np

from app.inference.decoding.automaton import MAX_STATES, Automaton, ConstraintError, members, set_of, union

MAX_LENGTH = 200

# Those of the parser's messages that repeat nothing of the pattern; of the others, only their start is taken.
_FAULTS = (
    "bad character range",
    "bad escape",
    "incomplete escape",
    "min repeat greater than max repeat",
    "missing )",
    "multiple repeat",
    "nothing to repeat",
    "unbalanced parenthesis",
    "unknown extension",
    "unterminated character set",
)
_UNSUPPORTED = {
    "ASSERT": "look-around",
    "ASSERT_NOT": "look-around",
    "AT": r"an anchor that is not ^ or \A at the start, $ or \Z at the end",
    "ATOMIC_GROUP": "an atomic group",
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a conditional group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
}
_STARTS = ("AT_BEGINNING", "AT_BEGINNING_STRING")
_ENDS = ("AT_END", "AT_END_STRING")
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}

# Changing what becomes of warnings changes it for all threads.
_warnings_lock = threading.Lock()

Parsed = tuple[Any, Any]
"""What Python's parser makes of a part of a pattern: what it is, and its arguments."""


class _One(NamedTuple):
    """A node for one character: those of the vocabulary that it reads, as a set of `Automaton`."""

    reads: int


class _Either(NamedTuple):
    """A node for one of several sequences."""

    branches: list["_Sequence"]


class _Repeat(NamedTuple):
    """A node for a sequence several times; without end where `most` is None."""

    least: int
    most: int | None
    nodes: "_Sequence"

    @property
    def copies(self) -> int:
        """How often the sequence is written out; the last copy may loop."""
        return max(1, self.least) if self.most is None else self.most


_Node = _One | _Either | _Repeat
_Sequence = list[_Node]


class _Part(NamedTuple):
    """A part of a pattern: the sets of states that can come first and last in it, and whether it may be left out."""

    first: int
    last: int
    empty: bool


def compile_pattern(pattern: str, vocab: str) -> Automaton:
    r"""The automaton of the texts of a vocabulary that `re.fullmatch` would match.

    Understood are characters, `.`, classes, `\d`, `\w`, `\s`, groups, `|`, `*`, `+`, `?`, `{m,n}`, greedy or
    not, and anchors at the ends.

    Raises:
        ConstraintError: the pattern is no regular expression, uses what no automaton can do, or is too large.
    """
    if len(pattern) > MAX_LENGTH:
        raise ConstraintError(f"The pattern is longer than {MAX_LENGTH} characters.")
    nodes = _Reader(vocab).sequence(_parse(pattern), at_start=True, at_end=True)
    # Counted before anything is built: repeats of repeats multiply.
    if 1 + _count_states(nodes) > MAX_STATES:
        raise ConstraintError(f"The pattern is too large: written out, it has over {MAX_STATES} characters.")
    return _Builder().build(nodes)


def _parse(pattern: str) -> list[Parsed]:
    try:
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets like [[a] that may one day mean something else
            parsed = _parser.parse(pattern)
    except re.error as error:
        fault = next((fault for fault in _FAULTS if error.msg.startswith(fault)), "it cannot be understood")
        place = "" if error.pos is None else f", at position {error.pos}"
        raise ConstraintError(f"The pattern is not a regular expression: {fault}{place}.") from error
    except OverflowError as error:
        raise ConstraintError("The pattern is not a regular expression: it repeats too often.") from error
    except ValueError as error:
        raise ConstraintError("The pattern is not a regular expression: its flags contradict each other.") from error
    if parsed.state.flags & ~re.UNICODE:
        raise _unsupported("flags")
    return list(parsed)


def _unsupported(what: str) -> ConstraintError:
    return ConstraintError(f"The pattern uses {what}, which is not supported here.")


class _Reader:
    """Turns what Python's parser found into nodes, for a vocabulary."""

    def __init__(self, vocab: str) -> None:
        self._vocab = vocab
        self._every = (1 << len(vocab)) - 1
        self._code_points = np.frombuffer(vocab.encode("utf-32-le", "surrogatepass"), np.uint32)

    def sequence(self, parsed: Iterable[Parsed], *, at_start: bool, at_end: bool) -> _Sequence:
        """The nodes of a sequence, which may stand at an end of the whole pattern.

        Anchors there are left out: all of a text must match, so they say nothing.

        Raises:
            ConstraintError: an anchor elsewhere, or anything that is not supported.
        """
        parts = list(parsed)
        while at_start and parts and _is_anchor(parts[0], _STARTS):
            del parts[0]
        while at_end and parts and _is_anchor(parts[-1], _ENDS):
            del parts[-1]
        end = len(parts) - 1
        return [
            self._node(part, at_start=at_start and place == 0, at_end=at_end and place == end)
            for place, part in enumerate(parts)
        ]

    def _node(self, parsed: Parsed, *, at_start: bool, at_end: bool) -> _Node:
        kind, arguments = str(parsed[0]), parsed[1]
        if kind in _UNSUPPORTED:
            raise _unsupported(_UNSUPPORTED[kind])
        if kind == "SUBPATTERN":
            _, added_flags, removed_flags, inner = arguments
            if added_flags or removed_flags:
                raise _unsupported("flags")
            return _Either([self.sequence(inner, at_start=at_start, at_end=at_end)])
        if kind == "BRANCH":
            return _Either([self.sequence(branch, at_start=at_start, at_end=at_end) for branch in arguments[1]])
        if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
            least, most, inner = arguments
            nodes = self.sequence(inner, at_start=False, at_end=False)
            return _Repeat(least, None if most is _parser.MAXREPEAT else most, nodes)
        return _One(self._characters(kind, arguments))

    def _characters(self, kind: str, argument: Any) -> int:
        if kind == "IN":
            negated = str(argument[0][0]) == "NEGATE"
            read = union(self._characters(str(member[0]), member[1]) for member in argument[negated:])
            return self._every ^ read if negated else read
        if kind == "CATEGORY":
            return _category(str(argument), self._vocab)
        if kind == "RANGE":
            return self._among(*argument)
        if kind == "ANY":
            return self._every ^ self._among(ord("\n"), ord("\n"))
        read = self._among(argument, argument)
        return read if kind == "LITERAL" else self._every ^ read

    def _among(self, first: int, last: int) -> int:
        """The characters with these code points."""
        return set_of((first <= self._code_points) & (self._code_points <= last))


@functools.lru_cache(maxsize=64)
def _category(kind: str, vocab: str) -> int:
    is_one = re.compile(_CATEGORIES[kind]).fullmatch
    return set_of(np.array([is_one(character) is not None for character in vocab]))


def _is_anchor(parsed: Parsed, kinds: tuple[str, ...]) -> bool:
    return str(parsed[0]) == "AT" and str(parsed[1]) in kinds


def _count_states(nodes: _Sequence) -> int:
    """How many states the nodes take, or more; what is empty counts too, lest it be repeated without end."""
    return sum(map(_count_node_states, nodes))


def _count_node_states(node: _Node) -> int:
    match node:
        case _Either(branches):
            return max(1, sum(map(_count_states, branches)))
        case _Repeat(nodes=nodes):
            return max(1, node.copies * max(1, _count_states(nodes)))
        case _:
            return 1


class _Builder:
    """Builds an automaton after Glushkov: a state for each character of the pattern, repeats written out."""

    def __init__(self) -> None:
        self._follows = [0]
        self._reads = [0]

    def build(self, nodes: _Sequence) -> Automaton:
        whole = self._sequence(map(self._part, nodes))
        self._connect(1, whole.first)
        return Automaton(tuple(self._follows), tuple(self._reads), whole.last | whole.empty)

    def _connect(self, last: int, first: int) -> None:
        for state in members(last):
            self._follows[state] |= first

    def _part(self, node: _Node) -> _Part:
        match node:
            case _One(reads):
                self._follows.append(0)
                self._reads.append(reads)
                state = 1 << len(self._reads) - 1
                return _Part(state, state, False)
            case _Either(branches):
                parts = [self._sequence(map(self._part, branch)) for branch in branches]
                first = union(part.first for part in parts)
                last = union(part.last for part in parts)
                return _Part(first, last, any(part.empty for part in parts))
            case _Repeat():
                return self._sequence(self._copies(node))

    def _copies(self, repeat: _Repeat) -> Iterator[_Part]:
        for copy in range(repeat.copies):
            part = self._sequence(map(self._part, repeat.nodes))
            if repeat.most is None and copy == repeat.copies - 1:
                self._connect(part.last, part.first)
            yield part._replace(empty=part.empty or copy >= repeat.least)

    def _sequence(self, parts: Iterable[_Part]) -> _Part:
        whole = _Part(0, 0, True)
        for part in parts:
            self._connect(whole.last, part.first)
            whole = _Part(
                whole.first | part.first if whole.empty else whole.first,
                whole.last | part.last if part.empty else part.last,
                whole.empty and part.empty,
            )
        return whole
