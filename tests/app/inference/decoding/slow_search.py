"""CTC prefix beam search with every class tried for every prefix: slow and obviously right."""

from collections import defaultdict
from collections.abc import Iterable

from app.inference.decoding.automaton import Automaton, members, set_of
from app.inference.decoding.completions import all_completions, over_classes
from tests.app.inference.decoding.brute_force import Probabilities

Prefix = tuple[int, ...]


def slow_search(shares: Probabilities, constraint: Automaton, blank_index: int, width: int) -> set[Prefix]:
    """The prefixes, as classes, that are in a beam of this width after the last step (Hannun et al., Algorithm 1).

    Args:
        shares: (steps, classes), none of them 0.
        constraint: allows the texts, one of which fits the steps.
        blank_index: the class of the blank.
        width: how many prefixes are kept after each step.
    """
    automaton = over_classes(constraint, blank_index)
    every = (1 << shares.shape[1]) - 1
    completions = all_completions(automaton, [set_of(step > 0) for step in shares], blank_index, every)
    beam: dict[Prefix, tuple[float, float]] = {(): (1.0, 0.0)}
    for share, after in zip(shares.tolist(), completions[1:], strict=True):
        in_blank: dict[Prefix, float] = defaultdict(float)
        in_character: dict[Prefix, float] = defaultdict(float)
        for prefix, (blank, character) in beam.items():
            in_blank[prefix] += (blank + character) * share[blank_index]
            for index, likely in enumerate(share):
                if prefix and index == prefix[-1]:
                    in_character[prefix] += character * likely
                    in_character[(*prefix, index)] += blank * likely
                elif index != blank_index:
                    in_character[(*prefix, index)] += (blank + character) * likely
        scores: dict[Prefix, tuple[float, float]] = {}
        for prefix in {**in_blank, **in_character}:
            states = set(states_after(automaton, prefix))
            blank = in_blank[prefix] * any(after.after_blank >> state & 1 for state in states)
            viable = any(after.after_character[state] >> prefix[-1] & 1 for state in states) if prefix else False
            scores[prefix] = (blank, in_character[prefix] * viable)
        best = sorted(scores, key=lambda prefix: -sum(scores[prefix]))[:width]
        scale = sum(scores[best[0]])
        beam = {
            prefix: (scores[prefix][0] / scale, scores[prefix][1] / scale) for prefix in best if any(scores[prefix])
        }
    return set(beam)


def states_after(automaton: Automaton, prefix: Prefix) -> Iterable[int]:
    """The states that characters lead to."""
    states = {0}
    for index in prefix:
        following = {after for state in states for after in members(automaton.follows[state])}
        states = {state for state in following if automaton.reads[state] >> index & 1}
    return states
