"""Labels in file names: the whole name, the text before the first `_`, or the text after the last `_`."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

COPY = re.compile(r"(?P<label>.+?) (?:\(\d+\)|- Copy(?: \(\d+\))?)")
"""How operating systems and browsers rename a second file of the same name."""
STARTS = re.compile(r"(?P<label>[^_]+)_.+")
ENDS = re.compile(r".+_(?P<label>[^_]+)")
MIN_FRACTION = 0.9
"""Fraction of the names that must match for a rule to apply to all."""
MIN_COUNTED = 3
MIN_DENSITY = 0.8
"""Minimum fraction of the numbers between the smallest and the largest that must occur in a numbered series."""
DEVICES = re.compile(
    r"(img|image|dsc[fn]?|pxl|mvimg|vid|photo|pic|picture|scan|screen ?shot|whatsapp image|captcha|frame|file|download"
    r"|page|untitled|sample|crop)[^a-z]*",
    re.IGNORECASE,
)
"""Prefixes used by cameras, phones and programs."""
COUNTED = re.compile(r"(?P<prefix>.*?)\(?(?P<number>\d{1,18})\)?")
CHECKSUM = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
TIME = re.compile(r".*(?<!\d)\d{4}-?[01]\d-?[0-3]\d[ T_-]?(at )?\d{2}.?\d{2}.*")


def whole(stem: str) -> str:
    """Return the whole name in NFC, without the suffix of a copy such as ` (2)`."""
    return _cut(COPY, unicodedata.normalize("NFC", stem))


def start(stem: str) -> str:
    """Return the text before the first `_`."""
    return _cut(STARTS, whole(stem))


def end(stem: str) -> str:
    """Return the text after the last `_`."""
    return _cut(ENDS, whole(stem))


def look_like_file_names(stems: Sequence[str]) -> str | None:
    """Say what the names look like if they are not labels, such as "checksums"; return None if they may be labels."""
    names = [whole(stem) for stem in stems]
    for pattern, what in ((CHECKSUM, "checksums"), (TIME, "dates and times")):
        if _fraction(pattern, names) >= MIN_FRACTION:
            return what
    prefix = _counted_prefix(stems)
    if prefix is None:
        return None
    return f'"{prefix}" and a number' if prefix else "numbers that count the images"


def best_rule(stems: Sequence[str]) -> str:
    """Return the rule for the part of the name that is the label: "names", "name-starts" or "name-ends"."""
    names = [whole(stem) for stem in stems]
    if _fraction(STARTS, names) < MIN_FRACTION:
        return "names"
    starts = [start(stem) for stem in stems]
    are_labels = len(starts) == 1 or (len(set(starts)) > 1 and _counted_prefix(starts) is None)
    return "name-starts" if are_labels else "name-ends"


def _cut(pattern: re.Pattern[str], name: str) -> str:
    found = pattern.fullmatch(name)
    return found["label"] if found else name


def _fraction(pattern: re.Pattern[str], names: Sequence[str]) -> float:
    return sum(pattern.fullmatch(name) is not None for name in names) / len(names)


def _counted_prefix(names: Sequence[str]) -> str | None:
    """Return the prefix of names that are only numbered, such as "img"; None if they are not."""
    found = [match for match in map(COUNTED.fullmatch, names) if match]
    if len(found) < max(MIN_COUNTED, MIN_FRACTION * len(names)):
        return None
    prefix, count = Counter(match["prefix"] for match in found).most_common(1)[0]
    numbers = {int(match["number"]) for match in found if match["prefix"] == prefix}
    if count < MIN_FRACTION * len(names) or len(numbers) < count:
        return None
    by_device = DEVICES.fullmatch(prefix) is not None
    counts = len(numbers) / (max(numbers) - min(numbers) + 1) >= MIN_DENSITY
    return prefix if by_device or counts else None
