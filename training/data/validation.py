"""Validation of labelled data before training."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from app.inference.decoding.bidi import to_logical, to_visual
from app.inference.decoding.ctc import CtcCodec
from app.inference.images import ImageError, Pixels
from training.data.dataset import Sample, open_image, vocabulary_of
from training.data.labels import hidden_character
from training.data.words import counted

RARE = 5
MIN_USEFUL_IMAGES = 20
"""With fewer images a training learns almost nothing."""
MAX_SHOWN = 5
MIN_LABELS_COMPARED, MIN_FRACTION = 10, 0.75
"""Minimum number of labels compared, and the fraction of them that counts as most."""
MIXED = 0.1
"""Maximum fraction of mixed-case labels for which the case may be irrelevant."""

Certainty = Literal["certain", "likely", "possible"]


@dataclass(frozen=True)
class Finding:
    """A problem with the data, how to mend it (possibly by a command), and the affected images."""

    what: str
    certainty: Certainty
    mend: str
    images: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Format the finding in a few lines."""
        shown = ", ".join(self.images[:MAX_SHOWN])
        more = f" and {len(self.images) - MAX_SHOWN:,} more" if len(self.images) > MAX_SHOWN else ""
        where = f": {shown}{more}" if shown else ""
        sure = "" if self.certainty == "certain" else f" ({self.certainty})"
        return f"{self.what}{sure}{where}. {self.mend}."


@dataclass
class DataReport:
    """The result of a validation. Errors stop a training; warnings do not.

    Attributes:
        images: number of labelled images.
        vocabulary: the characters of the labels, sorted.
        label_lengths: number of labels of each length.
        sizes: number of images of each (width, height), most frequent first.
    """

    images: int
    vocabulary: str
    label_lengths: dict[int, int]
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report for `validate --json`."""
        sizes = [{"width": width, "height": height, "images": count} for (width, height), count in self.sizes.items()]
        return asdict(self) | {"sizes": sizes}


OnImage = Callable[[Sample, bytes, Pixels], None]
"""Called for each readable image with the sample, the content of its file and its pixels."""


def validate_samples(samples: Sequence[Sample], max_steps: int, on_image: OnImage | None = None) -> DataReport:
    """Check labels and images.

    A label that needs more output steps than `max_steps` cannot be learned. Each readable image is passed to
    `on_image`, so that it need not be opened again.
    """
    report = DataReport(
        images=len(samples),
        vocabulary=vocabulary_of(samples),
        label_lengths=dict(sorted(Counter(len(sample.label) for sample in samples).items())),
    )
    report.errors += _errors_of_labels(samples, max_steps)
    report.warnings += _warnings_of_labels(samples)
    _check_images(samples, report, on_image)
    return report


def _errors_of_labels(samples: Sequence[Sample], max_steps: int) -> Iterator[Finding]:
    codec = CtcCodec(vocabulary_of(samples))
    if len(samples) < 2:
        mend = f"At least 2 are needed, about {MIN_USEFUL_IMAGES} to learn anything; 100 are a good start"
        yield Finding("there is only one labelled image", "certain", mend)
    elif len({sample.label for sample in samples}) == 1:
        what = f"all {len(samples):,} images have the same label {samples[0].label!r}"
        yield Finding(what, "certain", "Label each image with the text in it")
    if empty := [sample for sample in samples if not sample.label]:
        mend = "Type what they show, or remove images that nobody can read"
        yield Finding(f"{_labels(len(empty))} empty", "certain", mend, _names(empty))
    if hidden := [sample for sample in samples if hidden_character(sample.label)]:
        number = ord(hidden_character(hidden[0].label) or "")
        what = f"{_labels(len(hidden))} with a character that no image can show, such as U+{number:04X} (a line break?)"
        yield Finding(what, "certain", "An image must have one line of text: split the lines", _names(hidden))
    needed = {sample: codec.steps_needed(sample.label) for sample in samples}
    if too_long := [sample for sample in samples if needed[sample] > max_steps]:
        most = max(needed[sample] for sample in too_long)
        what = (
            f"{_labels(len(too_long))} too long: the longest needs {most} output steps and the network has {max_steps}"
        )
        yield Finding(what, "certain", "Use a larger --width for more steps", _names(too_long))


def _warnings_of_labels(samples: Sequence[Sample]) -> Iterator[Finding]:
    labels = [sample.label for sample in samples]
    counts = Counter(character for label in labels for character in label)
    if rare := {character: count for character, count in sorted(counts.items()) if count < RARE}:
        listed = ", ".join(f"{character!r} {count}" for character, count in rare.items())
        what = f"characters that occur fewer than {RARE} times and are hardly learned: {listed}"
        yield Finding(what, "certain", "Label more images with them, or correct labels that have them by mistake")
    if 2 <= len(samples) < MIN_USEFUL_IMAGES:
        what = f"only {len(samples)} labelled images, too few to learn much"
        yield Finding(what, "likely", f"Label more: at least about {MIN_USEFUL_IMAGES}, better 100")
    text, count = Counter(labels).most_common(1)[0]
    if len(samples) >= MIN_LABELS_COMPARED and MIN_FRACTION * len(samples) <= count < len(samples):
        same = _names([sample for sample in samples if sample.label == text])
        what = f"{count:,} of {len(samples):,} images have the same label {text!r}"
        yield Finding(what, "possible", "Check whether they show it", same)
    yield from _check_case(samples)
    if changed := [sample for sample in samples if to_logical(to_visual(sample.label)) != sample.label]:
        what = f"{_labels(len(changed))} of mixed text direction and will be read starting from the right"
        yield Finding(what, "certain", "Type the characters in reading order", _names(changed))


def _check_case(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Report labels of the same letters, some all lower and some all upper case: images may not show the case."""
    small = [sample for sample in samples if sample.label.islower()]
    capital = [sample for sample in samples if sample.label.isupper()]
    letters = {character for sample in small for character in sample.label if character.isalpha()}
    of_both = letters & {character.lower() for sample in capital for character in sample.label}
    mixed = sum(sample.label.lower() != sample.label.upper() for sample in samples) - len(small) - len(capital)
    rarer = min(small, capital, key=len)
    if len(of_both) >= 3 and mixed < MIXED * len(samples):
        what = f"{_labels(len(small))} in lower case and {len(capital):,} in upper case, with the same letters"
        mend = "If case does not matter, convert all: training convert --lower"
        yield Finding(what, "possible", mend, _names(rarer))


def _check_images(samples: Sequence[Sample], report: DataReport, on_image: OnImage | None) -> None:
    sizes: Counter[tuple[int, int]] = Counter()
    same_pixels: dict[bytes, list[Sample]] = defaultdict(list)
    unreadable: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        try:
            content, pixels = open_image(sample.path)
        except ImageError as error:
            reason = str(error).replace(sample.path.name, "The file", 1)
            unreadable[reason.rstrip(".")].append(sample)
        else:
            if on_image is not None:
                on_image(sample, content, pixels)
            sizes[pixels.shape[1], pixels.shape[0]] += 1
            same_pixels[hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()].append(sample)
    report.sizes = dict(sizes.most_common())
    for reason, files in unreadable.items():
        what = f"{counted(len(files), 'image')} cannot be read ({reason})"
        report.errors.append(Finding(what, "certain", "Remove them, or save them again", _names(files)))
    groups = [group for group in same_pixels.values() if len(group) > 1]
    report.errors += _with_different_labels(groups)
    report.warnings += [*_in_several_parts(groups), *_several_times(groups)]


def _with_different_labels(groups: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    for labels, of_case in (("different labels", False), ("labels that differ in case", True)):
        found = [group for group in groups if _differ(group) and _differ_in_case_alone(group) == of_case]
        if found:
            shown = tuple(" = ".join(f"{sample.path} ({sample.label})" for sample in group) for group in found)
            mend = "If case does not matter: training convert --lower" if of_case else "Correct the wrong ones"
            yield Finding(f"{_pictures(len(found))} with {labels}", "certain", mend, shown)


def _in_several_parts(groups: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    found = [group for group in groups if len({sample.split for sample in group}) > 1]
    if found:
        shown = tuple(" = ".join(f"{sample.path} ({sample.split or 'train'})" for sample in group) for group in found)
        what = f"{_pictures(len(found))} in more than one of train, val and test, which makes the metrics too good"
        yield Finding(what, "certain", "Keep each picture in one of them", shown)


def _several_times(groups: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    found = [group for group in groups if not _differ(group) and len({sample.split for sample in group}) == 1]
    if found:
        shown = tuple(" = ".join(str(sample.path) for sample in group) for group in found)
        what = f"{_pictures(len(found))} several times"
        yield Finding(
            what, "certain", "Keep one of each: the others add nothing and can make the metrics too good", shown
        )


def _differ(group: Sequence[Sample]) -> bool:
    return len({sample.label for sample in group}) > 1


def _differ_in_case_alone(group: Sequence[Sample]) -> bool:
    return len({sample.label.casefold() for sample in group}) == 1


def _names(samples: Sequence[Sample]) -> tuple[str, ...]:
    return tuple(f"{sample.path} ({sample.label})" if sample.label else str(sample.path) for sample in samples)


def _labels(count: int) -> str:
    return f"{count:,} label{' is' if count == 1 else 's are'}"


def _pictures(count: int) -> str:
    return f"the same picture{'' if count == 1 else f', {count:,} pictures,'}"
