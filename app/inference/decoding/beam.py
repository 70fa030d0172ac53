"""CTC prefix beam search for the most probable texts of an image under constraints."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.automaton import Automaton, set_of
from app.inference.decoding.completions import Completions, all_completions, over_classes
from app.inference.decoding.ctc import SMALLEST, Alternative, CtcCodec, Decoded, with_temperature
from app.inference.decoding.forward import probabilities_of_labels
from app.inference.decoding.prior import TextPrior
from app.inference.decoding.state_sets import Classes, States, StateSets, Viability
from app.inference.decoding.sums import Evaluation, most_probable_sum

BEAM_WIDTH = 64
FIRST_CLASSES = 32
"""Classes that are tried first at each step; others are tried only if one of them could be among the best."""
MIN_POSITIVE = np.nextafter(0.0, 1.0)
"""Smallest positive float."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Search:
    """Options of a search."""

    constraint: Automaton
    """Defines the allowed texts."""
    alternatives: int
    """Number of texts to list, best first."""
    evaluate: Evaluation | None = None
    """Evaluation of the texts, if any."""


def search_texts(
    codec: CtcCodec, probabilities: NDArray[np.floating], temperature: float, search: Search
) -> list[Decoded]:
    """Return the most probable allowed text of each image, the steps of its characters, and the alternatives.

    Args:
        codec: the vocabulary and the blank.
        probabilities: (images, steps, classes), each step's summing to 1.
        temperature: divides the logits.
        search: options. If no allowed text fits the steps, the text is empty and has confidence 0.
    """
    return [
        _search_image(codec, with_temperature(image[np.newaxis], temperature)[0].astype(np.float64), search)
        for image in probabilities
    ]


def _search_image(codec: CtcCodec, probabilities: Floats, search: Search) -> Decoded:
    texts = most_probable_texts(codec, probabilities, search.constraint, width=BEAM_WIDTH)
    if texts and codec.prior is not None:
        texts = _apply_prior(codec, codec.prior, probabilities, search.constraint, texts)
    value = most_probable_sum((text.text, text.confidence) for text in texts) if search.evaluate else None
    if not texts:
        return Decoded("", 0.0, (), sum=value)
    (spans,) = codec.align(probabilities[np.newaxis], [texts[0].text])
    return Decoded(texts[0].text, texts[0].confidence, spans, tuple(texts[: search.alternatives]), value)


def _apply_prior(
    codec: CtcCodec, prior: TextPrior, probabilities: Floats, constraint: Automaton, found: Sequence[Alternative]
) -> list[Alternative]:
    """Weigh texts by a prior, which may add other allowed texts."""
    likelihoods = {text.text: text.confidence for text in found}
    weighed = prior.weigh(codec, likelihoods, probabilities)
    allowed = {*likelihoods, *(text for text in weighed if constraint.accepts(map(codec.vocab.index, text)))}
    return [Alternative(text, confidence) for text, confidence in weighed.items() if text in allowed]


def most_probable_texts(
    codec: CtcCodec, probabilities: Floats, constraint: Automaton, *, width: int
) -> list[Alternative]:
    """Search for the most probable texts (Graves et al., ICML 2006; Hannun et al., arXiv:1408.2873, Algorithm 1).

    Prefixes that cannot be completed to an allowed text get no probability, separately for paths that end in a blank
    and in a character. So the beam never becomes empty: its best prefix always has an allowed completion. With a beam
    of unlimited width the search is exact, apart from underflow. A text of probability 0 is found only if no allowed
    text has more.

    Args:
        codec: the vocabulary and the blank.
        probabilities: (steps, classes), each step's summing to 1.
        constraint: defines the allowed texts.
        width: number of prefixes kept after each step.

    Returns:
        At most `width` texts, best first, with their probabilities summed over all alignments; empty if no allowed text
        fits the steps.
    """
    sets = _state_sets(constraint, codec.blank_index, codec.classes)
    emissions = np.where(probabilities < SMALLEST, 0.0, probabilities)
    completions = _completions(sets, emissions, codec.blank_index)
    if not completions[0].is_possible:
        emissions = np.maximum(probabilities, SMALLEST)
        completions = _completions(sets, emissions, codec.blank_index)
    if not completions[0].is_possible:
        return []
    labels = _search(codec.blank_index, emissions, sets, completions, width)
    confidences = probabilities_of_labels(labels, [probabilities] * len(labels), codec.blank_index)
    # Stable: if all are 0, the beam's order remains.
    order = np.argsort(-confidences, kind="stable")
    return [Alternative(codec.text(labels[index]), float(confidences[index])) for index in order]


@lru_cache(maxsize=32)
def _state_sets(constraint: Automaton, blank_index: int, classes: int) -> StateSets:
    return StateSets(over_classes(constraint, blank_index), classes)


def _completions(sets: StateSets, emissions: Floats, blank_index: int) -> list[Completions]:
    possible = emissions > 0
    whole = np.all(possible, axis=1)
    classes = [sets.all_classes if whole[step] else set_of(possible[step]) for step in range(len(emissions))]
    return all_completions(sets.constraint, classes, blank_index, sets.all_classes)


class _Tree:
    """Tree of all prefixes that were ever in the beam; each extends its parent by one class.

    Attributes:
        parents: (nodes,).
        classes: (nodes,); the blank for the first two.
    """

    NONE, EMPTY = 0, 1
    """Nodes of no prefix and of the empty prefix."""

    def __init__(self, max_nodes: int, classes: int, blank_index: int) -> None:
        """Create a tree with a capacity of `max_nodes`."""
        self.parents = np.full(max_nodes, self.NONE)
        self.classes = np.full(max_nodes, blank_index)
        self._all_classes = classes
        self._rows = np.zeros(max_nodes, np.intp)
        self._numbers: dict[int, int] = {}
        self._next = self.EMPTY + 1

    def children(self, parents: Classes, classes: Classes) -> Classes:
        """Return the extension of each parent by its class."""
        pairs = (parents * self._all_classes + classes).tolist()
        free = range(self._next, self._next + len(pairs))
        self._next = free.stop
        nodes = np.fromiter(map(self._numbers.setdefault, pairs, free), np.intp, len(pairs))
        self.parents[nodes], self.classes[nodes] = parents, classes
        return nodes

    def rows_of_parents(self, nodes: Classes) -> Classes:
        """Return the row of each node's parent among the nodes, the first of which is `NONE`; 0 if it is not there."""
        self._rows[nodes] = np.arange(len(nodes))
        rows = self._rows[self.parents[nodes]]
        self._rows[nodes] = 0
        return rows

    def label(self, node: int) -> list[int]:
        label: list[int] = []
        while node != self.EMPTY:
            label.append(int(self.classes[node]))
            node = int(self.parents[node])
        return label[::-1]


class _Beam(NamedTuple):
    """Prefixes that are kept, and their probabilities; the first axis of all fields is the prefix.

    The first row is `NONE` with probability 0: the parent of prefixes whose parent is not in the beam.

    Attributes:
        nodes: of the tree.
        in_blank, in_character: probabilities of the paths that end in a blank and in the last character.
        states: sets of states of the automaton.
    """

    nodes: Classes
    in_blank: Floats
    in_character: Floats
    states: States


def _search(
    blank_index: int, emissions: Floats, sets: StateSets, completions: Sequence[Completions], width: int
) -> list[list[int]]:
    """Return the texts in the beam after the last step as classes, best first."""
    steps, classes = emissions.shape
    tree = _Tree(steps * width + 2, classes, blank_index)
    viabilities = {after: Viability(sets, after) for after in dict.fromkeys(completions)}
    beam = _Beam(
        np.array([tree.NONE, tree.EMPTY]), np.array([0.0, 1.0]), np.zeros(2), np.concatenate([sets.every, sets.start])
    )
    # Classes per group, which no state distinguishes: `width` to fill the beam, `width` that may already be in it, the
    # repeated last character, and one that cannot be completed.
    candidates, first = _candidates(emissions, sets.groups, 2 * width + 2)
    for emission, classes_to_try, after in zip(emissions, candidates, completions[1:], strict=True):
        viability = viabilities[after]
        if not viability.is_regular:
            classes_to_try = _candidates(emission[np.newaxis], sets.groups, classes)[0][0]  # noqa: PLW2901
        beam = _Step(tree, sets, beam, emission, classes_to_try, viability).next_beam(first, width)
    order = np.argsort(-(beam.in_blank + beam.in_character)[1:], kind="stable")
    return [tree.label(node) for node in beam.nodes[1:][order].tolist()]


def _candidates(emissions: Floats, groups: Sequence[Classes], max_each: int) -> tuple[Classes, int]:
    """Return the classes that may extend prefixes at each step, (steps, classes), and the number to try first.

    The most probable classes of each group come first, so that most prefixes can be extended. Then come the others, the
    most probable first. Each group has at most `max_each`.
    """
    each = max(1, FIRST_CLASSES // max(1, len(groups)))
    no_classes = np.empty((len(emissions), 0), np.intp)
    first, others = [no_classes], [no_classes]
    for group in groups:
        if len(group) > max_each:
            classes = group[np.argpartition(-emissions[:, group], max_each, axis=1)[:, :max_each]]
        else:
            classes = np.broadcast_to(group, (len(emissions), len(group)))
        classes = _sorted(emissions, classes)
        first.append(classes[:, :each])
        others.append(classes[:, each:])
    leading = np.concatenate(first, axis=1)
    return np.concatenate([leading, _sorted(emissions, np.concatenate(others, axis=1))], axis=1), leading.shape[1]


def _sorted(emissions: Floats, classes: Classes) -> Classes:
    """Sort the classes (steps, classes) of each step, the most probable first."""
    order = np.argsort(-np.take_along_axis(emissions, classes, axis=1), axis=1)
    return np.take_along_axis(classes, order, axis=1)


class _Step:
    """Update of the beam by one step."""

    def __init__(
        self, tree: _Tree, sets: StateSets, beam: _Beam, emission: Floats, classes: Classes, viability: Viability
    ) -> None:
        """Compute the probabilities of the unchanged prefixes of a beam after a step with the emission (classes,).

        The classes may extend prefixes, see `_candidates`; `viability` excludes those that cannot be completed.
        """
        self._tree, self._sets, self._beam, self._viability = tree, sets, beam, viability
        self._classes, self._emissions = classes, emission[classes]
        self._total = beam.in_blank + beam.in_character
        last = tree.classes[beam.nodes]
        self._parents = parents = tree.rows_of_parents(beam.nodes)
        # Extensions that equal a prefix in the beam are added to it. A repeated character is new only after a blank.
        arriving = np.where(last[parents] == last, beam.in_blank[parents], self._total[parents])
        self._in_character = beam.in_character * emission[last] + arriving * emission[last]
        self._in_blank = self._total * emission[tree.classes[tree.EMPTY]]
        if not viability.is_certain:
            self._in_blank *= viability.of_blank(beam.states)
            self._in_character *= viability.of_character(beam.states, last)
        self._onward = sets.onward(beam.states)
        self._repeated = beam.in_blank * emission[last]
        columns = np.full(len(emission), len(emission))
        columns[classes] = np.arange(len(classes))
        self._column_of_last = columns[last]

    def next_beam(self, first: int, width: int) -> _Beam:
        """Return the `width` best prefixes after the step; the `first` classes are always tried."""
        count = first
        scores = self._scores(count)
        lowest = _score_threshold(scores, width)
        highest = self._total.max()
        if count < len(self._classes) and highest * self._emissions[count] >= lowest:
            count += int(np.count_nonzero(highest * self._emissions[count:] >= lowest))
            scores = self._scores(count)
        (best,) = (scores >= lowest).nonzero()
        if len(best) > width:
            best = best[np.argpartition(scores[best], -width)[-width:]]
        rows, columns = np.divmod(best, count + 1)
        is_longer = columns < count
        stay = np.concatenate([[0], rows[~is_longer]])
        rows, classes = rows[is_longer], self._classes[columns[is_longer]]
        # Scaled against underflow over many steps; only ratios matter here.
        scale = scores[best].max()
        return _Beam(
            np.concatenate([self._beam.nodes[stay], self._tree.children(self._beam.nodes[rows], classes)]),
            np.concatenate([self._in_blank[stay], np.zeros(len(rows))]) / scale,
            np.concatenate([self._in_character[stay], scores[best[is_longer]]]) / scale,
            np.concatenate([self._beam.states[stay], self._sets.entered(self._onward[rows], classes)]),
        )

    def _scores(self, count: int) -> Floats:
        """Score each prefix extended by each of the first classes, and unchanged: flat (prefixes, count + 1)."""
        scores = np.empty((len(self._total), count + 1))
        np.multiply(self._total[:, np.newaxis], self._emissions[:count], out=scores[:, :count])
        column_of_last = np.minimum(self._column_of_last, count)
        scores[np.arange(len(scores)), column_of_last] = self._repeated
        scores[self._parents, column_of_last] = 0.0
        viable = self._viability.of_longer(self._onward, self._classes[:count])
        if viable is not None:
            scores[:, :count] *= viable
        scores[:, count] = self._in_blank + self._in_character
        return scores.ravel()


def _score_threshold(scores: Floats, width: int) -> float:
    """Return the score number `width` from the best; `MIN_POSITIVE` if no more than `width` are above 0."""
    positive = scores[scores > 0]
    return float(np.partition(positive, -width)[-width]) if len(positive) > width else MIN_POSITIVE
