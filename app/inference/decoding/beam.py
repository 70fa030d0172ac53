"""CTC prefix beam search: the most probable texts of an image, under constraints."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.automaton import Automaton, Booleans
from app.inference.decoding.ctc import SMALLEST, Alternative, CtcCodec, Decoded, with_temperature
from app.inference.decoding.sums import Evaluation, most_probable_sum

BEAM_WIDTH = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for."""

    constraint: Automaton
    """Allows the texts."""
    alternatives: int
    """How many texts are named, best first."""
    evaluate: Evaluation | None = None
    """What is worked out from the texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Completions:
    """From where an allowed text can still be reached.

    Attributes:
        after_blank: bool (steps + 1, states); after so many steps, the last a blank, in a state of the automaton.
        after_character: bool (steps + 1, states, classes); the same after a step of a character.
    """

    after_blank: Booleans
    after_character: Booleans

    @property
    def possible(self) -> bool:
        """Whether there is an allowed text at all."""
        return bool(self.after_blank[0, 0])


@dataclass(frozen=True, slots=True, eq=False)
class _Beam:
    """The prefixes that are followed, and how probable they are; the axis of all fields.

    Attributes:
        nodes: in the tree.
        in_blank, in_character: of the paths that end in a blank, and in the last character.
        states: bool (prefixes, states) of the automaton.
    """

    nodes: list[int]
    in_blank: Floats
    in_character: Floats
    states: Booleans


class _Tree:
    """All prefixes that were ever in the beam, each its parent's and one class more; node 0 is the empty one."""

    def __init__(self, blank_index: int) -> None:
        self.parents = [-1]
        self.classes = [blank_index]
        self._children: dict[tuple[int, int], int] = {}

    def child(self, parent: int, index: int) -> int:
        node = self._children.setdefault((parent, index), len(self.parents))
        if node == len(self.parents):
            self.parents.append(parent)
            self.classes.append(index)
        return node

    def label(self, node: int) -> list[int]:
        label: list[int] = []
        while node:
            label.append(self.classes[node])
            node = self.parents[node]
        return label[::-1]


def search_texts(
    codec: CtcCodec, probabilities: NDArray[np.floating], temperature: float, search: Search
) -> list[Decoded]:
    """The most probable allowed text of each image, the steps its characters come from, and the next best texts.

    Args:
        codec: the vocabulary and the blank.
        probabilities: (images, steps, classes), each step's summing to 1.
        temperature: divides the logits.
        search: what is searched for. Where no text that its constraint allows fits the steps, the text is empty and
            has confidence 0.
    """
    calibrated = with_temperature(probabilities, temperature).astype(np.float64)
    return [_search_image(codec, image, search) for image in calibrated]


def _search_image(codec: CtcCodec, probabilities: Floats, search: Search) -> Decoded:
    texts = most_probable_texts(codec, probabilities, search.constraint, width=BEAM_WIDTH)
    value = most_probable_sum((text.text, text.confidence) for text in texts) if search.evaluate else None
    if not texts:
        return Decoded("", 0.0, (), sum=value)
    spans = codec.align(probabilities, texts[0].text)
    return Decoded(texts[0].text, texts[0].confidence, spans, tuple(texts[: search.alternatives]), value)


def most_probable_texts(
    codec: CtcCodec, probabilities: Floats, constraint: Automaton, *, width: int
) -> list[Alternative]:
    """Prefix beam search (Graves et al., ICML 2006; Hannun et al., arXiv:1408.2873, Algorithm 1).

    The probability of a prefix that no allowed text can come of is left out, blank and character ends apart.
    So the beam never dies out: its best prefix always has a continuation that some allowed text comes of, and
    with a beam as wide as there are prefixes the search is exact, but for what underflows. A text of
    probability 0 is found only where no allowed text has more.

    Args:
        codec: the vocabulary and the blank.
        probabilities: (steps, classes), each step's summing to 1.
        constraint: allows the texts.
        width: how many prefixes are kept after each step.

    Returns:
        At most `width` texts, best first, with their probabilities summed over all alignments; none if no
        allowed text fits the steps.
    """
    shares = np.where(probabilities < SMALLEST, 0.0, probabilities)
    reachable = completions(codec, constraint, shares > 0)
    if not reachable.possible:
        shares = np.maximum(probabilities, SMALLEST)
        reachable = completions(codec, constraint, shares > 0)
    if not reachable.possible:
        return []
    texts = _search(codec, shares, constraint, reachable, width)
    repeated = np.broadcast_to(probabilities, (len(texts), *probabilities.shape))
    confidences = codec.text_probabilities(repeated, texts)
    # Stable: where all is 0, the beam's order stands.
    return [Alternative(texts[place], float(confidences[place])) for place in np.argsort(-confidences, kind="stable")]


def completions(codec: CtcCodec, constraint: Automaton, possible: Booleans) -> Completions:
    """From where an allowed text can still be reached, computed backwards from the last step.

    Args:
        codec: the vocabulary and the blank.
        constraint: allows the texts.
        possible: (steps, classes); the classes that have a probability.
    """
    steps, classes = possible.shape
    reads = _reads_classes(codec, constraint)
    after_blank = np.empty((steps + 1, len(reads)), np.bool_)
    after_character = np.empty((steps + 1, len(reads), classes), np.bool_)
    after_blank[steps] = constraint.accepting
    after_character[steps] = constraint.accepting[:, np.newaxis]
    for step in reversed(range(steps)):
        next_character = constraint.follows @ (after_character[step + 1] & reads & possible[step])
        another_character = next_character.sum(axis=1, keepdims=True) > next_character
        blank = after_blank[step + 1] & possible[step, codec.blank_index]
        after_blank[step] = blank | next_character.any(axis=1)
        # The same character again is no new one: it needs a blank between.
        after_character[step] = (after_character[step + 1] & possible[step]) | blank[:, np.newaxis] | another_character
    return Completions(after_blank, after_character)


def _search(
    codec: CtcCodec, shares: Floats, constraint: Automaton, reachable: Completions, width: int
) -> Sequence[str]:
    """The texts in the beam after the last step, best first."""
    tree = _Tree(codec.blank_index)
    reads = _reads_classes(codec, constraint)
    start = np.arange(len(reads))[np.newaxis] == 0
    beam = _Beam([0], np.ones(1), np.zeros(1), start)
    for step, share in enumerate(shares, start=1):
        after_blank, after_character = reachable.after_blank[step], reachable.after_character[step]
        onward = beam.states @ constraint.follows
        last = np.array([tree.classes[node] for node in beam.nodes])
        in_blank, in_character, longer = _extend(tree, beam, last, share)
        in_blank *= (beam.states & after_blank).any(axis=1)
        in_character *= (beam.states & after_character[:, last].T).any(axis=1)
        longer *= onward @ (reads & after_character)
        stay, (rows, classes) = _best(in_blank + in_character, longer, width)
        kept = _Beam(
            [beam.nodes[row] for row in stay]
            + [tree.child(beam.nodes[row], int(index)) for row, index in zip(rows, classes, strict=True)],
            np.concatenate([in_blank[stay], np.zeros(len(rows))]),
            np.concatenate([in_character[stay], longer[rows, classes]]),
            np.concatenate([beam.states[stay], onward[rows] & reads[:, classes].T]),
        )
        # Only ratios matter here; products over many steps would become 0.
        scale = (kept.in_blank + kept.in_character).max()
        beam = _Beam(kept.nodes, kept.in_blank / scale, kept.in_character / scale, kept.states)
    order = np.argsort(-(beam.in_blank + beam.in_character), kind="stable")
    return [codec.text(tree.label(beam.nodes[row])) for row in order]


def _extend(tree: _Tree, beam: _Beam, last: NDArray[np.intp], share: Floats) -> tuple[Floats, Floats, Floats]:
    """One step on: the prefixes that stay, ending in a blank and in their last character, and the longer ones.

    Args:
        tree: the prefixes.
        beam: those that are followed.
        last: (prefixes,), the class of each one's last character; the blank for the empty prefix.
        share: (classes,), the step's probabilities.

    Returns:
        (prefixes,), (prefixes,), and (prefixes, classes) for each with each class added, without those that
        are in the beam already: they are counted there.
    """
    blank_index = tree.classes[0]
    rows = np.arange(len(last))
    total = beam.in_blank + beam.in_character
    in_character = beam.in_character * share[last]
    longer = np.outer(total, share)
    longer[rows, last] = beam.in_blank * share[last]
    longer[:, blank_index] = 0
    row_of = {node: row for row, node in enumerate(beam.nodes)}
    for row, node in enumerate(beam.nodes):
        parent = row_of.get(tree.parents[node])
        if parent is not None:
            in_character[row] += longer[parent, last[row]]
            longer[parent, last[row]] = 0
    return total * share[blank_index], in_character, longer


def _best(
    stays: Floats, longer: Floats, width: int
) -> tuple[NDArray[np.intp], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The rows of the best of the prefixes that stay, and the rows and classes of the best of the longer ones."""
    scores = np.concatenate([stays, longer.ravel()])
    best = np.flatnonzero(scores)
    if len(best) > width:
        best = best[np.argpartition(-scores[best], width - 1)[:width]]
    rows, classes = np.divmod(best[best >= len(stays)] - len(stays), longer.shape[1])
    return best[best < len(stays)], (rows, classes)


def _reads_classes(codec: CtcCodec, constraint: Automaton) -> Booleans:
    """What each state reads, (states, classes): no state reads the blank."""
    return np.insert(constraint.reads, codec.blank_index, False, axis=1)
