"""Reading of an image: its text, with confidences and boxes."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from app.inference.decoding.boxes import Box
from app.inference.decoding.ctc import CONFIDENCE_DIGITS, Alternative
from app.inference.decoding.sums import Sum


class Character(NamedTuple):
    """Character of a reading."""

    character: str
    confidence: float
    box: Box | None
    """None if the network's output steps do not correspond to columns of the image."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Text of an image; confidences are probabilities, 0…1."""

    text: str
    confidence: float
    characters: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = ()
    """Most probable texts, best first, if requested."""
    sum: Sum | None = None
    """Value of the sum in the image, if requested."""

    def to_dict(self) -> dict[str, Any]:
        """Return the reading for JSON, with confidences rounded to `CONFIDENCE_DIGITS`."""
        fields: dict[str, Any] = {
            "text": self.text,
            "confidence": round(self.confidence, CONFIDENCE_DIGITS),
            "characters": [
                {
                    "character": character,
                    "confidence": round(confidence, CONFIDENCE_DIGITS),
                    "box": None if box is None else box.to_dict(),
                }
                for character, confidence, box in self.characters
            ],
        }
        if self.alternatives:
            fields["alternatives"] = [alternative.to_dict() for alternative in self.alternatives]
        if self.sum is not None:
            fields["sum"] = {"value": self.sum.value, "confidence": round(self.sum.confidence, CONFIDENCE_DIGITS)}
        return fields
