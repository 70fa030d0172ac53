"""CTC prefix beam search: the most probable texts of an image, under constraints."""

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
"""So many classes are tried first at each step; others only where one of them could be among the best."""
LEAST = np.nextafter(0.0, 1.0)
"""Less than every probability but 0."""

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
    return [
        _search_image(codec, with_temperature(image[np.newaxis], temperature)[0].astype(np.float64), search)
        for image in probabilities
    ]


def _search_image(codec: CtcCodec, probabilities: Floats, search: Search) -> Decoded:
    texts = most_probable_texts(codec, probabilities, search.constraint, width=BEAM_WIDTH)
    if texts and codec.prior is not None:
        texts = _weighed(codec, codec.prior, probabilities, search.constraint, texts)
    value = most_probable_sum((text.text, text.confidence) for text in texts) if search.evaluate else None
    if not texts:
        return Decoded("", 0.0, (), sum=value)
    spans = codec.align(probabilities, texts[0].text)
    return Decoded(texts[0].text, texts[0].confidence, spans, tuple(texts[: search.alternatives]), value)


def _weighed(
    codec: CtcCodec, prior: TextPrior, probabilities: Floats, constraint: Automaton, found: Sequence[Alternative]
) -> list[Alternative]:
    """Weigh texts by a prior, of which the allowed texts come in."""
    likelihoods = {text.text: text.confidence for text in found}
    weighed = prior.weigh(codec, likelihoods, probabilities)
    allowed = {*likelihoods, *(text for text in weighed if constraint.accepts(map(codec.vocab.index, text)))}
    return [Alternative(text, confidence) for text, confidence in weighed.items() if text in allowed]


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
    sets = _state_sets(constraint, codec.blank_index, codec.classes)
    shares = np.where(probabilities < SMALLEST, 0.0, probabilities)
    completions = _completions(sets, shares, codec.blank_index)
    if not completions[0].is_possible:
        shares = np.maximum(probabilities, SMALLEST)
        completions = _completions(sets, shares, codec.blank_index)
    if not completions[0].is_possible:
        return []
    labels = _search(codec.blank_index, shares, sets, completions, width)
    confidences = probabilities_of_labels(labels, [probabilities] * len(labels), codec.blank_index)
    # Stable: where all is 0, the beam's order stands.
    order = np.argsort(-confidences, kind="stable")
    return [Alternative(codec.text(labels[place]), float(confidences[place])) for place in order]


@lru_cache(maxsize=32)
def _state_sets(constraint: Automaton, blank_index: int, classes: int) -> StateSets:
    return StateSets(over_classes(constraint, blank_index), classes)


def _completions(sets: StateSets, shares: Floats, blank_index: int) -> list[Completions]:
    possible = shares > 0
    whole = np.all(possible, axis=1)
    classes = [sets.all_classes if whole[step] else set_of(possible[step]) for step in range(len(shares))]
    return all_completions(sets.constraint, classes, blank_index, sets.all_classes)


class _Tree:
    """All prefixes that were ever in the beam, each its parent's and one class more.

    Attributes:
        parents: (nodes,).
        classes: (nodes,); of the first two it is the blank.
    """

    NONE, EMPTY = 0, 1
    """No prefix, and the empty one."""

    def __init__(self, most: int, classes: int, blank_index: int) -> None:
        """Make room for so many."""
        self.parents = np.full(most, self.NONE)
        self.classes = np.full(most, blank_index)
        self._all_classes = classes
        self._rows = np.zeros(most, np.intp)
        self._numbers: dict[int, int] = {}
        self._next = self.EMPTY + 1

    def children(self, parents: Classes, classes: Classes) -> Classes:
        """The prefixes that are one class longer, one for each pair."""
        pairs = (parents * self._all_classes + classes).tolist()
        free = range(self._next, self._next + len(pairs))
        self._next = free.stop
        nodes = np.fromiter(map(self._numbers.setdefault, pairs, free), np.intp, len(pairs))
        self.parents[nodes], self.classes[nodes] = parents, classes
        return nodes

    def rows_of_parents(self, nodes: Classes) -> Classes:
        """In which row of these, the first of which is none, the parent of each is; 0 where it is in no row."""
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
    """The prefixes that are followed, and how probable they are; the axis of all fields.

    The first row is no prefix and has no probability: it stands for parents that are not in the beam.

    Attributes:
        nodes: in the tree.
        in_blank, in_character: of the paths that end in a blank, and in the last character.
        states: of the automaton.
    """

    nodes: Classes
    in_blank: Floats
    in_character: Floats
    states: States


def _search(
    blank_index: int, shares: Floats, sets: StateSets, completions: Sequence[Completions], width: int
) -> list[list[int]]:
    """The texts in the beam after the last step as classes, best first."""
    steps, classes = shares.shape
    tree = _Tree(steps * width + 2, classes, blank_index)
    viabilities = {after: Viability(sets, after) for after in dict.fromkeys(completions)}
    beam = _Beam(
        np.array([tree.NONE, tree.EMPTY]), np.array([0.0, 1.0]), np.zeros(2), np.concatenate([sets.every, sets.start])
    )
    # Of classes that no state tells apart so many suffice: even without the extensions of a prefix that are in the beam
    # already, that by its last character, and one that no text comes of, they fill a beam and are as probable.
    candidates, first = _candidates(shares, sets.groups, 2 * width + 2)
    for share, likeliest, after in zip(shares, candidates, completions[1:], strict=True):
        viability = viabilities[after]
        tried = likeliest if viability.is_regular else _candidates(share[np.newaxis], sets.groups, classes)[0][0]
        beam = _Step(tree, sets, beam, share, tried, viability).next_beam(first, width)
    order = np.argsort(-(beam.in_blank + beam.in_character)[1:], kind="stable")
    return [tree.label(node) for node in beam.nodes[1:][order].tolist()]


def _candidates(shares: Floats, groups: Sequence[Classes], most: int) -> tuple[Classes, int]:
    """The classes that may make prefixes longer at each step, (steps, classes), and how many of them come first.

    First come the likeliest of each group, so that most prefixes can be made longer; then the others, the likeliest
    first. Of each group there are so many at most.
    """
    each = max(1, FIRST_CLASSES // max(1, len(groups)))
    nothing = np.empty((len(shares), 0), np.intp)
    first, others = [nothing], [nothing]
    for group in groups:
        if len(group) > most:
            classes = group[np.argpartition(-shares[:, group], most, axis=1)[:, :most]]
        else:
            classes = np.broadcast_to(group, (len(shares), len(group)))
        classes = _sorted(shares, classes)
        first.append(classes[:, :each])
        others.append(classes[:, each:])
    likeliest = np.concatenate(first, axis=1)
    return np.concatenate([likeliest, _sorted(shares, np.concatenate(others, axis=1))], axis=1), likeliest.shape[1]


def _sorted(shares: Floats, classes: Classes) -> Classes:
    """Classes (steps, classes) of each step, the likeliest first."""
    order = np.argsort(-np.take_along_axis(shares, classes, axis=1), axis=1)
    return np.take_along_axis(classes, order, axis=1)


class _Step:
    """What becomes of the prefixes in the beam in one step."""

    def __init__(
        self, tree: _Tree, sets: StateSets, beam: _Beam, share: Floats, classes: Classes, viability: Viability
    ) -> None:
        """Find how probable the prefixes are that stay.

        Args:
            tree: the prefixes.
            sets: the moves of the automaton.
            beam: those that are followed.
            share: (classes,), the step's probabilities.
            classes: those that may make prefixes longer, see `_candidates`.
            viability: says which prefixes are left out.
        """
        self._tree, self._sets, self._beam, self._viability = tree, sets, beam, viability
        self._classes, self._likely = classes, share[classes]
        self._total = beam.in_blank + beam.in_character
        last = tree.classes[beam.nodes]
        self._parents = parents = tree.rows_of_parents(beam.nodes)
        # What comes of another prefix in the beam is counted here; the same character is a new one only after a blank.
        arriving = np.where(last[parents] == last, beam.in_blank[parents], self._total[parents])
        self._in_character = beam.in_character * share[last] + arriving * share[last]
        self._in_blank = self._total * share[tree.classes[tree.EMPTY]]
        if not viability.is_certain:
            self._in_blank *= viability.of_blank(beam.states)
            self._in_character *= viability.of_character(beam.states, last)
        self._onward = sets.onward(beam.states)
        self._again = beam.in_blank * share[last]
        columns = np.full(len(share), len(share))
        columns[classes] = np.arange(len(classes))
        self._column_of_last = columns[last]

    def next_beam(self, first: int, width: int) -> _Beam:
        """The best prefixes after the step, `width` of them; the `first` classes are always tried."""
        count = first
        scores = self._scores(count)
        least = _least_of_best(scores, width)
        most = self._total.max()
        if count < len(self._classes) and most * self._likely[count] >= least:
            count += int(np.count_nonzero(most * self._likely[count:] >= least))
            scores = self._scores(count)
        (best,) = (scores >= least).nonzero()
        if len(best) > width:
            best = best[np.argpartition(scores[best], -width)[-width:]]
        rows, columns = np.divmod(best, count + 1)
        is_longer = columns < count
        stay = np.concatenate([[0], rows[~is_longer]])
        rows, classes = rows[is_longer], self._classes[columns[is_longer]]
        # Only ratios matter here; products over many steps would become 0.
        scale = scores[best].max()
        return _Beam(
            np.concatenate([self._beam.nodes[stay], self._tree.children(self._beam.nodes[rows], classes)]),
            np.concatenate([self._in_blank[stay], np.zeros(len(rows))]) / scale,
            np.concatenate([self._in_character[stay], scores[best[is_longer]]]) / scale,
            np.concatenate([self._beam.states[stay], self._sets.entered(self._onward[rows], classes)]),
        )

    def _scores(self, count: int) -> Floats:
        """Of each prefix made longer by each of the first classes, and left as it is: flat (prefixes, count + 1)."""
        scores = np.empty((len(self._total), count + 1))
        np.multiply(self._total[:, np.newaxis], self._likely[:count], out=scores[:, :count])
        column_of_last = np.minimum(self._column_of_last, count)
        scores[np.arange(len(scores)), column_of_last] = self._again
        scores[self._parents, column_of_last] = 0.0
        viable = self._viability.of_longer(self._onward, self._classes[:count])
        if viable is not None:
            scores[:, :count] *= viable
        scores[:, count] = self._in_blank + self._in_character
        return scores.ravel()


def _least_of_best(scores: Floats, width: int) -> float:
    """The least of so many of the best scores; where no more than these are above 0, what only 0 is below."""
    positive = scores[scores > 0]
    return float(np.partition(positive, -width)[-width]) if len(positive) > width else LEAST
