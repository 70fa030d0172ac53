"""Reference CTC prefix beam search that tries every class for every prefix."""

from collections import defaultdict
from collections.abc import Iterable

from app.inference.decoding.automaton import Automaton, members, set_of
from app.inference.decoding.completions import all_completions, over_classes
from tests.app.inference.decoding.brute_force import Probabilities

Prefix = tuple[int, ...]


def slow_search(emissions: Probabilities, constraint: Automaton, blank_index: int, width: int) -> set[Prefix]:
    """Return the prefixes, as classes, in a beam of this width after the last step (Hannun et al., Algorithm 1).

    Args:
        emissions: (steps, classes), none of them 0.
        constraint: defines the allowed texts, one of which fits the steps.
        blank_index: the class of the blank.
        width: number of prefixes kept after each step.
    """
    automaton = over_classes(constraint, blank_index)
    every = (1 << emissions.shape[1]) - 1
    completions = all_completions(automaton, [set_of(step > 0) for step in emissions], blank_index, every)
    beam: dict[Prefix, tuple[float, float]] = {(): (1.0, 0.0)}
    for share, after in zip(emissions.tolist(), completions[1:], strict=True):
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
    """Return the states reached by characters."""
    states = {0}
    for index in prefix:
        following = {after for state in states for after in members(automaton.follows[state])}
        states = {state for state in following if automaton.reads[state] >> index & 1}
    return states
