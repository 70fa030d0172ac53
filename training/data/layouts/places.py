"""Search for the images of a list, even if they were moved or the list comes from another machine."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from app.shared.suggestions import did_you_mean
from training.data.dataset import DataError
from training.data.words import some_of


def find_images(written: Sequence[str], file: Path, images: Path | None) -> list[Path]:
    r"""Find the images that a list names, in the folder `images` if it is given.

    A relative path is looked up beside the list, then in the current folder. Otherwise, as with `C:\scans\sub\0.png`,
    the longest ending of the path that exists beside the list is used.

    Raises:
        DataError: an image does not exist, or two names lead to the same file.
    """
    if images is not None and not images.is_dir():
        raise DataError(f"{images} is not a folder of images.{did_you_mean(images)}")
    found: list[Path] = []
    missing: list[str] = []
    names: dict[Path, str] = {}
    for name in written:
        path = next((place for place in _places(name, file.parent, images) if _is_there(place)), None)
        if path is None:
            missing.append(name)
            continue
        if names.setdefault(path, name) != name:
            raise DataError(f"{file}: {names[path]} and {name} both lead to {path}; only one can be right.")
        found.append(path)
    if missing:
        where = f"in {images}" if images else "at the listed paths"
        raise DataError(
            f"{file}: {len(missing):,} of {len(written):,} images are not {where} ({some_of(missing)}). "
            "Give the folder of the images with --images FOLDER."
        )
    return found


def _places(name: str, beside: Path, images: Path | None) -> Iterator[Path]:
    """Yield possible locations of an image, the most likely first."""
    if images is None:
        yield beside / name  # the path itself if it is absolute
        yield Path(name)
    parts = PurePosixPath(_as_path(name.strip())).parts
    for start in range(len(parts)):
        yield (beside if images is None else images).joinpath(*parts[start:])
    yield (images or beside) / name


def _as_path(name: str) -> str:
    r"""Return the path in a URL or Windows path as a relative path with slashes.

    Label Studio writes `/data/local-files/?d=images/0.png`, `s3://bucket/0.png` and `http://host/0.png`.
    """
    if "://" in name or "?d=" in name:
        url = urlsplit(name)
        name = parse_qs(url.query).get("d", [unquote(url.path)])[0]
    slashed = name.replace("\\", "/")
    without_drive = slashed[2:] if slashed[1:2] == ":" else slashed
    return without_drive.strip("/")


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # the name is too long or has a null byte
        return False
