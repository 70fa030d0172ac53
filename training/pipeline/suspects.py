"""Labels that are probably wrong: models that have not seen the image confidently read something else.

Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021, for texts instead of classes.
"""

from collections.abc import Sequence

from training.data.suspects import Suspect
from training.pipeline.crossval import PartResult

MIN_CONFIDENCE = 0.5
"""Minimum confidence of a contradicting reading: it is more likely than all other texts together."""


def find_suspects(results: Sequence[PartResult]) -> list[Suspect]:
    """Return the labels that a cross-validation contradicts, most confident first."""
    suspects = [
        Suspect(line.path, line.label, line.prediction, line.confidence)
        for result in results
        for line in result.lines
        if line.error is None and not line.right and line.confidence >= MIN_CONFIDENCE
    ]
    return sorted(suspects, key=lambda suspect: -suspect.confidence)
