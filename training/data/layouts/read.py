"""Labelled images from a folder or a list of any layout, with notes on what was found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from app.inference.images import ACCEPTED
from app.inference.images.paths import image_paths, in_words, is_image, other_files
from app.shared.command_line import pasteable
from app.shared.csv_files import with_formula
from app.shared.suggestions import did_you_mean
from training.data.dataset import SPLITS, TRAIN, DataError, Sample
from training.data.labels import clean
from training.data.layouts.listing import Listing, read_text, split_of
from training.data.layouts.names import best_rule, look_like_file_names, whole
from training.data.layouts.places import find_images
from training.data.layouts.table import LAYOUTS, LayoutName
from training.data.suspects import lists_suspects
from training.data.words import counted, some_of

LIST_ENDINGS = {".csv", ".tsv", ".txt", ".json", ".jsonl"}


class Dataset(NamedTuple):
    """Labelled images and how they were found.

    Attributes:
        samples: the images, in the same order on every machine.
        layout: the layout, recognised or given.
        notes: what was found where, and what was skipped, one message each.
    """

    samples: list[Sample]
    layout: LayoutName
    notes: list[str]


class _List(NamedTuple):
    """A recognised list of labels."""

    file: Path
    layout: LayoutName
    listing: Listing


def read_dataset(source: Path, images: Path | None = None, labels_from: LayoutName | None = None) -> Dataset:
    """Find the labelled images of a folder or of a list of labels.

    The images of a list are looked up in `images` if given. The layout is recognised if `labels_from` is None.

    Folders are searched recursively. A list at the top of a folder takes precedence over image names. Folders or lists
    called train, val and test split the images.

    Raises:
        DataError: the source does not exist or has no labelled images, or a label or an image is missing.
        OSError: a list cannot be read.
    """
    if source.is_dir():
        lists = [] if _is_of_names(labels_from) else _lists_in(source, labels_from)
        found = _from_lists(lists, source, images) if lists else _from_names(source, labels_from)
    elif source.is_file():
        found = _from_lists([_read_list(source, labels_from)], source, images)
    else:
        raise DataError(f"{source} does not exist.{did_you_mean(source)}")
    if not found.samples:
        raise DataError(f"{source} lists no images.")
    return found


def read_samples(source: Path, images: Path | None = None) -> list[Sample]:
    """Return only the samples of `read_dataset`."""
    return read_dataset(source, images).samples


def _is_of_names(layout: LayoutName | None) -> bool:
    return layout is not None and LAYOUTS[layout].read is None


def _recognise(file: Path, layout: LayoutName | None) -> _List | None:
    text = read_text(file)
    for name in LAYOUTS if layout is None else [layout]:
        read = LAYOUTS[name].read
        listing = None if read is None or text is None else read(text, file)
        if listing is not None:
            return _List(file, name, listing)
    return None


def _read_list(file: Path, layout: LayoutName | None) -> _List:
    found = _recognise(file, layout)
    if found is not None:
        return found
    if _is_of_names(layout):
        raise DataError(f"{file} is a file; --labels-from {layout} is for the images of a folder.")
    if is_image(file.name):
        raise DataError(f"{file} is an image; give its folder.")
    kind = f"not a list of the layout {layout}" if layout else "not a list of images and labels in a known layout"
    raise DataError(f"{file} is {kind}; the simplest is a UTF-8 CSV file with the columns path,label.")


def _lists_in(folder: Path, layout: LayoutName | None) -> list[_List]:
    """Return the lists at the top of a folder; if there are none, those in its folders train, val and test."""
    below = sorted(path for path in folder.iterdir() if path.is_dir() and split_of(path.name))
    for places in ([folder], below):
        files = sorted(path for place in places for path in place.iterdir() if path.suffix.lower() in LIST_ENDINGS)
        # A list of suspects is not training data.
        files = [file for file in files if not lists_suspects(read_text(file) or "")]
        lists = [found for file in files if (found := _recognise(file, layout)) is not None]
        if lists:
            return lists
    if layout is not None:
        raise DataError(f"{folder} holds no list of the layout {layout}; give the file with --data.")
    return []


def _from_lists(lists: Sequence[_List], source: Path, images: Path | None) -> Dataset:
    """Return the images of a list, or of several lists that are the splits of one data set."""
    splits = [split_of(one.file.stem) or split_of(one.file.parent.name) for one in lists]
    if len(lists) > 1 and (len(set(splits)) < len(lists) or "" in splits):
        names = ", ".join(one.file.name for one in lists)
        raise DataError(f"{source} holds several lists of labels ({names}): choose one with --data.")
    samples: list[Sample] = []
    notes: list[str] = []
    for one, split in zip(lists, splits, strict=True):
        rows = one.listing.rows
        paths = find_images([row.path for row in rows], one.file, images)
        labels = [clean(with_formula(row.label)) for row in rows]
        parts = [row.split or (split if len(lists) > 1 else "") for row in rows]
        samples += map(Sample, paths, labels, parts)
        notes.append(f"found {counted(len(rows), 'label')} in {one.file} ({one.layout}): {one.listing.how}")
        notes += one.listing.left_out
        trimmed = sum(row.label.strip() != row.label for row in rows)
        notes += [f"spaces around {counted(trimmed, 'label')} removed"] if trimmed else []
    if source.is_dir():
        notes += _not_listed(source, samples, [one.file for one in lists])
    return _dataset(samples, lists[0].layout, notes)


def _from_names(folder: Path, layout: LayoutName | None) -> Dataset:
    paths = list(map(Path, image_paths([str(folder)])))
    skipped = _skipped(other_files(str(folder)))
    if not paths:
        raise DataError(" ".join([f"{folder} holds no images ({ACCEPTED}) and no list of labels.", *skipped]))
    stems = [path.stem for path in paths]
    if layout is None:
        _check_names(stems, folder)
        layout = LayoutName(best_rule(stems))
    label_of = LAYOUTS[layout].label_of or whole
    samples = [Sample(path, clean(label_of(path.stem)), split_of(path.relative_to(folder).parts[0])) for path in paths]
    return _dataset(samples, layout, [_found_in_names(samples, layout), *skipped])


def _dataset(samples: Sequence[Sample], layout: LayoutName, notes: Sequence[str]) -> Dataset:
    """Keep the splits of the data if there are several."""
    counts = Counter(sample.split or TRAIN for sample in samples)
    if len(counts) < 2:
        return Dataset([replace(sample, split="") for sample in samples], layout, list(notes))
    parts = ", ".join(f"{counts[split]:,} {split}" for split in SPLITS if counts[split])
    return Dataset(list(samples), layout, [*notes, f"split as in the data: {parts}"])


def _check_names(stems: Sequence[str], folder: Path) -> None:
    what = look_like_file_names(stems)
    if what is not None:
        label = pasteable("training", "label", folder)
        raise DataError(
            f"The names in {folder} look like file names, not labels: {what} ({some_of(stems)}). "
            f"Label the images with\n  {label}\n"
            "or list them in a CSV file with the columns path,label. If the names are the labels after all: "
            f"--labels-from {LayoutName.NAMES}."
        )


def _found_in_names(samples: Sequence[Sample], layout: LayoutName) -> str:
    found = f"found {counted(len(samples), 'label')} in names"
    first = f"{samples[0].path.name}: {samples[0].label}"
    if layout == LayoutName.NAMES:
        partly = sum("_" in sample.label for sample in samples)
        return found + (
            f'; {partly:,} of them with "_": if the label ends there, --labels-from {LayoutName.NAME_STARTS}'
            if partly
            else ""
        )
    where = "before" if layout == LayoutName.NAME_STARTS else "behind"
    return f'{found} {where} "_" ({first}); if the whole name is the label: --labels-from {LayoutName.NAMES}'


def _not_listed(folder: Path, samples: Sequence[Sample], lists: Sequence[Path]) -> list[str]:
    """Describe the files of a folder that its lists do not name."""
    listed = {sample.path.resolve() for sample in samples}
    rest = [path.name for path in map(Path, image_paths([str(folder)])) if path.resolve() not in listed]
    others = Counter(other_files(str(folder)))
    others.subtract(Counter(path.suffix.lower() for path in lists))
    left_out = [f"{counted(len(rest), 'image')} not listed: {some_of(rest)}"] if rest else []
    return left_out + _skipped({ending: count for ending, count in others.items() if count > 0})


def _skipped(others: Mapping[str, int]) -> list[str]:
    return [f"skipped {in_words(others)}"] if others else []
