"""The images of a folder: listed once; no other file can be read."""

from dataclasses import dataclass
from pathlib import Path

import cv2

from app.inference.images import ACCEPTED, SUFFIXES, ImageError, Pixels, decode_image, load_image
from app.inference.images.paths import image_paths
from app.shared.suggestions import did_you_mean
from training.data.dataset import DataError

MAX_FILE_BYTES = 32_000_000
PNG_EFFORT = 1
"""PNG compression level, 0 to 9: the page is local, so speed matters and size does not."""


@dataclass(frozen=True)
class ImageFolder:
    """The images below a folder.

    Attributes:
        root: the folder, with links resolved.
        names: the images' paths relative to it, with slashes. Elsewhere an image is identified by its index here, so
            that no other file can be requested.
        left_out: the files that were skipped, and why.
    """

    root: Path
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def path(self, number: int) -> Path:
        """Return an image's path."""
        return self.root / self.names[number]

    def pixels(self, number: int) -> Pixels:
        """Return an image as the input of networks.

        Raises:
            ImageError: the image cannot be read, or has become a link to a file outside the folder.
        """
        path = self.path(number)
        if not _lies_in(path, self.root):
            raise ImageError("The file no longer exists, or it is a link to a file outside the folder.")
        return decode_image(load_image(path, MAX_FILE_BYTES))


def find_images(folder: Path) -> ImageFolder:
    """List the images in a folder, recursively, in the same order on every machine.

    Hidden files and links to folders are skipped.

    Raises:
        DataError: the folder does not exist or has no images.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder of the images.{did_you_mean(folder)}")
    root = folder.resolve()
    names: list[str] = []
    left_out: list[str] = []
    for path in map(Path, image_paths([str(root)])):
        name = path.relative_to(root).as_posix()
        complaint = _complaint(path, root)
        if complaint is None:
            names.append(name)
        else:
            left_out.append(f"{name.encode(errors='backslashreplace').decode()} {complaint}")
    if not names:
        kinds = ", ".join(SUFFIXES)
        found = f" Skipped: {'; '.join(left_out[:3])}." if left_out else ""
        raise DataError(f"{folder} holds no images ({ACCEPTED}; files that end in {kinds}).{found}")
    return ImageFolder(root, tuple(names), tuple(left_out))


def as_png(pixels: Pixels) -> bytes:
    """Return an image as PNG, for a browser: exactly what networks see, written by our own encoder."""
    _, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT])
    return data.tobytes()


def _complaint(path: Path, root: Path) -> str | None:
    if path.suffix.lower() not in SUFFIXES:
        return "is a folder that cannot be listed"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    return None if _lies_in(path, root) else "is a link to a file outside the folder"


def _lies_in(path: Path, root: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise RuntimeError for circular links
        return False
