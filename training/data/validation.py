"""Looks labelled data over before anything is trained on it."""

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

RARE = 5
FEW = 20
"""From fewer images, a training learns next to nothing."""
MAX_SHOWN = 5
MIN_LABELS_COMPARED, MIN_FRACTION = 10, 0.75
"""How many labels there must be for something to be said of most of them, and which part that is."""
MIXED = 0.1
"""The part of the labels that may have letters of both cases where the case may not count."""

Certainty = Literal["certain", "likely", "possible"]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the data.

    Attributes:
        what: is wrong.
        certainty: how sure that is.
        mend: what to do, or the command that does it.
        images: the files that it is wrong with.
    """

    what: str
    certainty: Certainty
    mend: str
    images: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people: in a few lines, however many images there are."""
        shown = ", ".join(self.images[:MAX_SHOWN])
        more = f" and {len(self.images) - MAX_SHOWN:,} more" if len(self.images) > MAX_SHOWN else ""
        where = f": {shown}{more}" if shown else ""
        sure = "" if self.certainty == "certain" else f" ({self.certainty})"
        return f"{self.what}{sure}{where}. {self.mend}."


@dataclass
class DataReport:
    """What was found. Errors stop a training; warnings are worth a look.

    Attributes:
        images: how many labelled images there are.
        vocabulary: their characters, sorted.
        label_lengths: how many labels have how many characters.
        sizes: how many images have which (width, height), most frequent first.
    """

    images: int
    vocabulary: str
    label_lengths: dict[int, int]
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For `validate --json`."""
        sizes = [{"width": width, "height": height, "images": count} for (width, height), count in self.sizes.items()]
        return asdict(self) | {"sizes": sizes}


OnImage = Callable[[Sample, bytes, Pixels], None]
"""What is done with an image that was opened: with its file's content and its pixels."""


def validate_samples(samples: Sequence[Sample], max_steps: int, on_image: OnImage | None = None) -> DataReport:
    """Check labels and images.

    A label that needs more than the network's output steps cannot be learned. Each image that can be read is handed to
    `on_image`, so that nobody opens it again.
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
        mend = f"At least 2 are needed, and some {FEW} to learn anything; 100 are a good start"
        yield Finding("there is only one labelled image", "certain", mend)
    elif len({sample.label for sample in samples}) == 1:
        what = f"all {len(samples):,} images have the same label {samples[0].label!r}"
        yield Finding(what, "certain", "There is nothing to tell apart: label each image with the text in it")
    if empty := [sample for sample in samples if not sample.label]:
        mend = "Type what they show, or leave out what nobody can read"
        yield Finding(f"{_labels(len(empty))} empty", "certain", mend, _names(empty))
    if hidden := [sample for sample in samples if hidden_character(sample.label)]:
        number = ord(hidden_character(hidden[0].label) or "")
        what = f"{_labels(len(hidden))} with a character that no image shows, such as U+{number:04X} (a line break?)"
        yield Finding(what, "certain", "An image has one line of text: cut lines apart", _names(hidden))
    needed = {sample: codec.steps_needed(sample.label) for sample in samples}
    if too_long := [sample for sample in samples if needed[sample] > max_steps]:
        most = max(needed[sample] for sample in too_long)
        what = (
            f"{_labels(len(too_long))} too long: the longest needs {most} output steps and the network has {max_steps}"
        )
        yield Finding(what, "certain", "A greater --width gives more steps", _names(too_long))


def _warnings_of_labels(samples: Sequence[Sample]) -> Iterator[Finding]:
    labels = [sample.label for sample in samples]
    counts = Counter(character for label in labels for character in label)
    if rare := {character: count for character, count in sorted(counts.items()) if count < RARE}:
        listed = ", ".join(f"{character!r} {count}" for character, count in rare.items())
        what = f"characters seen fewer than {RARE} times, so hardly learned: {listed}"
        yield Finding(what, "certain", "Label more images that have them, or correct labels that have them by mistake")
    if 2 <= len(samples) < FEW:
        what = f"only {len(samples)} labelled images, from which little is learned"
        yield Finding(what, "likely", f"Label more: some {FEW} are the least, 100 a good start")
    text, count = Counter(labels).most_common(1)[0]
    if len(samples) >= MIN_LABELS_COMPARED and MIN_FRACTION * len(samples) <= count < len(samples):
        same = _names([sample for sample in samples if sample.label == text])
        what = f"{count:,} of {len(samples):,} images have the same label {text!r}"
        yield Finding(what, "possible", "Look whether they show it", same)
    yield from _check_case(samples)
    if changed := [sample for sample in samples if to_logical(to_visual(sample.label)) != sample.label]:
        what = f"{_labels(len(changed))} of mixed directions, and will be read as if it began from the right"
        yield Finding(what, "certain", "Type first what is read first", _names(changed))


def _check_case(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Ask about labels of which each is in one case and some are in the other: the images may not tell."""
    small = [sample for sample in samples if sample.label.islower()]
    capital = [sample for sample in samples if sample.label.isupper()]
    letters = {character for sample in small for character in sample.label if character.isalpha()}
    of_both = letters & {character.lower() for sample in capital for character in sample.label}
    mixed = sum(sample.label.lower() != sample.label.upper() for sample in samples) - len(small) - len(capital)
    rarer = min(small, capital, key=len)
    if len(of_both) >= 3 and mixed < MIXED * len(samples):
        what = f"{_labels(len(small))} in small letters and {len(capital):,} in capitals, of the same letters"
        mend = "If the case does not count, write all in one: training convert --lower"
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
        what = f"{_images(len(files))} cannot be read ({reason})"
        report.errors.append(Finding(what, "certain", "Leave them out, or save them anew", _names(files)))
    groups = [group for group in same_pixels.values() if len(group) > 1]
    report.errors += _with_different_labels(groups)
    report.warnings += [*_in_several_parts(groups), *_several_times(groups)]


def _with_different_labels(groups: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    for labels, of_case in (("different labels", False), ("labels that differ in their case", True)):
        found = [group for group in groups if _differ(group) and _differ_in_case_alone(group) == of_case]
        if found:
            shown = tuple(" = ".join(f"{sample.path} ({sample.label})" for sample in group) for group in found)
            mend = "If the case does not count: training convert --lower" if of_case else "Correct the wrong ones"
            yield Finding(f"{_pictures(len(found))} with {labels}", "certain", mend, shown)


def _in_several_parts(groups: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    found = [group for group in groups if len({sample.split for sample in group}) > 1]
    if found:
        shown = tuple(" = ".join(f"{sample.path} ({sample.split or 'train'})" for sample in group) for group in found)
        what = f"{_pictures(len(found))} in several of train, val and test, whose figures so flatter"
        yield Finding(what, "certain", "Keep each picture in one of them", shown)


def _several_times(groups: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    found = [group for group in groups if not _differ(group) and len({sample.split for sample in group}) == 1]
    if found:
        shown = tuple(" = ".join(str(sample.path) for sample in group) for group in found)
        what = f"{_pictures(len(found))} several times"
        yield Finding(
            what, "certain", "Keep one of each: the others say nothing new, and can flatter the figures", shown
        )


def _differ(group: Sequence[Sample]) -> bool:
    return len({sample.label for sample in group}) > 1


def _differ_in_case_alone(group: Sequence[Sample]) -> bool:
    return len({sample.label.casefold() for sample in group}) == 1


def _names(samples: Sequence[Sample]) -> tuple[str, ...]:
    return tuple(f"{sample.path} ({sample.label})" if sample.label else str(sample.path) for sample in samples)


def _labels(count: int) -> str:
    return f"{count:,} label{' is' if count == 1 else 's are'}"


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _pictures(count: int) -> str:
    return f"the same picture{'' if count == 1 else f', {count:,} pictures,'}"
