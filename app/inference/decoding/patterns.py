"""Regular expressions for whole texts, compiled to automata, so that matching always takes linear time."""

import re
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from app.inference.decoding.automaton import MAX_STATES, Automaton, ConstraintError, members, union

MAX_LENGTH = 200

# Starts of Python's messages; their ends may repeat the pattern.
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
_TOKEN = re.compile(
    r"""(?P<nothing>\(\?\#[^)]*\)|\(\?u\))
    |(?P<open>\((?!\?)|\(\?:|\(\?P<[^>]*>)
    |(?P<close>\))
    |(?P<or>\|)
    |(?P<start>\^|\\A)
    |(?P<end>\$|\\[Zz])
    |(?P<anchor>\\[bB])
    |(?P<look_around>\(\?<?[=!])
    |(?P<atomic>\(\?>)
    |(?P<conditional>\(\?\()
    |(?P<flags>\(\?[a-zA-Z-]*:)
    |(?P<reference>\(\?P=|\\(?![0-7]{3})[1-9])
    |(?P<possessive>(?:[*+?]|\{\d+(?:,\d*)?\}|\{,\d*\})\+)
    |(?P<repeat>(?P<times>[*+?]|\{(?P<exactly>\d+)\}|\{(?P<minimum>\d*),(?P<maximum>\d*)\})\??)
    |(?P<characters>\[\^?\]?(?:\\.|[^\]\\])*\]
        |\\(?:[0-7]{1,3}|x..|u.{4}|U.{8}|N\{[^}]*\}|.)
        |.)""",
    re.VERBOSE | re.DOTALL,
)
"""Token of a pattern that is valid in Python."""
_UNSUPPORTED = {
    "atomic": "an atomic group",
    "anchor": "an anchor other than ^ or \\A at the start, $ or \\Z at the end",
    "conditional": "a conditional group",
    "flags": "flags",
    "look_around": "look-around",
    "possessive": "a possessive repeat",
    "reference": "a back-reference",
}
_TIMES = {"*": (0, None), "+": (1, None), "?": (0, 1)}

# Warning filters are global to all threads.
_warnings_lock = threading.Lock()


class _Anchor(NamedTuple):
    """Node for the start or end of the text."""

    kind: str


class _Characters(NamedTuple):
    """Node for one character: the characters of the vocabulary that it matches, as a set of `Automaton`."""

    reads: int


class _Alternation(NamedTuple):
    """Node for one of several sequences, or a group."""

    branches: list["_Sequence"]


class _Repeat(NamedTuple):
    """Node for a repeated sequence; unlimited if `maximum` is None."""

    minimum: int
    maximum: int | None
    nodes: "_Sequence"

    @property
    def copies(self) -> int:
        """Return the number of copies of the sequence in the automaton; the last one may loop."""
        return max(1, self.minimum) if self.maximum is None else self.maximum


_Node = _Anchor | _Characters | _Alternation | _Repeat
_Sequence = list[_Node]


class _Fragment(NamedTuple):
    """Part of an automaton: the sets of its first and last states, and whether it matches the empty text."""

    first: int
    last: int
    nullable: bool


def compile_pattern(pattern: str, vocab: str) -> Automaton:
    r"""Return the automaton of the texts of a vocabulary that `re.fullmatch` would match.

    Supported are characters, `.`, classes, `\d`, `\w`, `\s`, groups, `|`, `*`, `+`, `?`, `{m,n}`, greedy or not, and
    anchors at the ends.

    Raises:
        ConstraintError: if the pattern is not a regular expression, uses an unsupported feature, or is too large.
    """
    if len(pattern) > MAX_LENGTH:
        raise ConstraintError(f"The pattern is longer than {MAX_LENGTH} characters.")
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sets like [[a], reserved for future syntax
        _check(pattern)
        tokens = deque(token for token in _TOKEN.finditer(pattern) if token.lastgroup != "nothing")
        nodes = _without_anchors([_parse(tokens, vocab)], at_start=True, at_end=True)
    # Counted before building, since nested repeats multiply.
    if 1 + _count_states(nodes) > MAX_STATES:
        raise ConstraintError(f"The pattern is too large: with repeats expanded, it has over {MAX_STATES} characters.")
    return _Builder().build(nodes)


def lacking_characters(pattern: str, vocab: str) -> list[str]:
    """Return descriptions of the parts of a pattern that match no character of the vocabulary."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        characters = [token for token in _TOKEN.finditer(pattern) if token.lastgroup == "characters"]
        lacking = [token for token in characters if re.search(token[0], vocab) is None]
    return list(dict.fromkeys(map(_shown, lacking)))


def _shown(token: re.Match[str]) -> str:
    is_short = len(token[0]) <= 2 and token[0].isprintable()
    return f"'{token[0]}'" if is_short else f"the characters at position {token.start()}"


def _check(pattern: str) -> None:
    """Check that a pattern is valid in Python and has no flags."""
    try:
        flags = re.compile(pattern).flags
    except re.error as error:
        fault = next((fault for fault in _FAULTS if error.msg.startswith(fault)), "invalid syntax")
        place = "" if error.pos is None else f", at position {error.pos}"
        raise ConstraintError(f"The pattern is not a regular expression: {fault}{place}.") from error
    except OverflowError as error:
        raise ConstraintError("The pattern is not a regular expression: it repeats too often.") from error
    except ValueError as error:
        raise ConstraintError("The pattern is not a regular expression: its flags contradict each other.") from error
    if flags & ~re.UNICODE:
        raise _unsupported("flags")


def _unsupported(kind: str) -> ConstraintError:
    return ConstraintError(f"The pattern uses {_UNSUPPORTED[kind]}, which is not supported here.")


def _parse(tokens: deque[re.Match[str]], vocab: str) -> _Node:
    """Parse the tokens of a group, or of the whole pattern, up to its end."""
    branches: list[_Sequence] = [[]]
    while tokens and (token := tokens.popleft()).lastgroup != "close":
        kind, nodes = token.lastgroup or "", branches[-1]
        if kind in _UNSUPPORTED:
            raise _unsupported(kind)
        if kind == "open":
            nodes.append(_parse(tokens, vocab))
        elif kind == "or":
            branches.append([])
        elif kind == "repeat":
            nodes.append(_Repeat(*_times(token), [nodes.pop()]))
        elif kind == "characters":
            # Neighbours that match are found together: one by one, 20,000 characters would take 10 ms for each token.
            runs = re.finditer(f"(?:{token[0]})+", vocab)
            nodes.append(_Characters(sum(((1 << len(run[0])) - 1) << run.start() for run in runs)))
        else:
            nodes.append(_Anchor(kind))
    return _alternation(branches)


def _times(token: re.Match[str]) -> tuple[int, int | None]:
    if token["times"] in _TIMES:
        return _TIMES[token["times"]]
    if token["exactly"]:
        return int(token["exactly"]), int(token["exactly"])
    return int(token["minimum"] or 0), int(token["maximum"]) if token["maximum"] else None


def _alternation(branches: Sequence[_Sequence]) -> _Node:
    """Return an alternation in as few states as Python's own compiler: a common prefix appears once."""
    alike = takewhile(lambda nodes: all(node == nodes[0] for node in nodes), zip(*branches, strict=False))
    shared = [nodes[0] for nodes in alike]
    rest = [branch[len(shared) :] for branch in branches]
    reads = [nodes[0].reads for nodes in rest if len(nodes) == 1 and isinstance(nodes[0], _Characters)]
    if len(reads) == len(rest):
        rest = [[_Characters(union(reads))]]
    if shared:
        rest = [[*shared, _Alternation(rest)] if any(rest) else shared]
    return _Alternation(rest)


def _without_anchors(nodes: _Sequence, *, at_start: bool, at_end: bool) -> _Sequence:
    """Return a sequence without anchors at the ends of the whole pattern.

    They are redundant, since the whole text must match.
    """
    nodes = list(nodes)
    while at_start and nodes and nodes[0] == _Anchor("start"):
        del nodes[0]
    while at_end and nodes and nodes[-1] == _Anchor("end"):
        del nodes[-1]
    for index, node in enumerate(nodes):
        if isinstance(node, _Alternation):
            ends = {"at_start": at_start and index == 0, "at_end": at_end and index == len(nodes) - 1}
            nodes[index] = _Alternation([_without_anchors(branch, **ends) for branch in node.branches])
    return nodes


def _count_states(nodes: _Sequence) -> int:
    """Return a lower bound of the states of nodes; empty nodes count, since they may be repeated many times."""
    return sum(map(_count_node_states, nodes))


def _count_node_states(node: _Node) -> int:
    match node:
        case _Alternation(branches):
            return max(1, sum(map(_count_states, branches)))
        case _Repeat(nodes=nodes):
            return max(1, node.copies * max(1, _count_states(nodes)))
        case _:
            return 1


class _Builder:
    """Builder of a Glushkov automaton: one state for each character of the pattern, with repeats expanded."""

    def __init__(self) -> None:
        self._follows = [0]
        self._reads = [0]

    def build(self, nodes: _Sequence) -> Automaton:
        whole = self._sequence(map(self._fragment, nodes))
        self._connect(1, whole.first)
        return Automaton(tuple(self._follows), tuple(self._reads), whole.last | whole.nullable)

    def _connect(self, last: int, first: int) -> None:
        for state in members(last):
            self._follows[state] |= first

    def _fragment(self, node: _Node) -> _Fragment:
        match node:
            case _Characters(reads):
                self._follows.append(0)
                self._reads.append(reads)
                state = 1 << len(self._reads) - 1
                return _Fragment(state, state, False)
            case _Alternation(branches):
                parts = [self._sequence(map(self._fragment, branch)) for branch in branches]
                first = union(part.first for part in parts)
                last = union(part.last for part in parts)
                return _Fragment(first, last, any(part.nullable for part in parts))
            case _Repeat():
                return self._sequence(self._copies(node))
            case _Anchor():
                raise _unsupported("anchor")

    def _copies(self, repeat: _Repeat) -> Iterator[_Fragment]:
        for copy in range(repeat.copies):
            part = self._sequence(map(self._fragment, repeat.nodes))
            if repeat.maximum is None and copy == repeat.copies - 1:
                self._connect(part.last, part.first)
            yield part._replace(nullable=part.nullable or copy >= repeat.minimum)

    def _sequence(self, parts: Iterable[_Fragment]) -> _Fragment:
        whole = _Fragment(0, 0, True)
        for part in parts:
            self._connect(whole.last, part.first)
            whole = _Fragment(
                whole.first | part.first if whole.nullable else whole.first,
                whole.last | part.last if part.nullable else part.last,
                whole.nullable and part.nullable,
            )
        return whole
