"""Where the images of a list lie: people move files, and lists of other machines name other folders."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from app.shared.suggestions import did_you_mean
from training.data.dataset import DataError

MAX_SHOWN = 3


def find_images(written: Sequence[str], file: Path, images: Path | None) -> list[Path]:
    r"""Find the images that a list names, in the folder `images` if it is given.

    A relative path is looked for beside the list, then below the current folder; what is in neither, such as
    `C:\scans\sub\0.png`, beside the list by as many of its last parts as lead to a file.

    Raises:
        DataError: an image is not there, or two names lead to the same file.
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
            raise DataError(f"{file}: {names[path]} and {name} both lead to {path}, of which only one can be meant.")
        found.append(path)
    if missing:
        shown = ", ".join(missing[:MAX_SHOWN]) + (" …" if len(missing) > MAX_SHOWN else "")
        where = f"in {images}" if images else "where it says"
        raise DataError(
            f"{file}: {len(missing):,} of {len(written):,} images are not {where} ({shown}). "
            "Say where the images lie with --images FOLDER."
        )
    return found


def _places(name: str, beside: Path, images: Path | None) -> Iterator[Path]:
    """Yield where an image may lie, the likeliest place first."""
    if images is None:
        yield beside / name  # which is the path itself if it is absolute
        yield Path(name)
    parts = PurePosixPath(_as_path(name.strip())).parts
    for start in range(len(parts)):
        yield (beside if images is None else images).joinpath(*parts[start:])
    yield (images or beside) / name


def _as_path(name: str) -> str:
    r"""Return what a URL or a path of Windows names, as a relative path with slashes.

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
    except (OSError, ValueError):  # a name too long, or with a null byte
        return False
