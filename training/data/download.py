"""Download, verification and unpacking of a zip archive of labelled images, by default the tutorial's."""

import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pooch
import requests

from app.inference.images import SUFFIXES
from app.shared.errors import UserError
from training.data.words import some_of

DEFAULT_URL = "https://github.com/AakashKumarNain/CaptchaCracker/raw/master/captcha_images_v2.zip"
CHECKSUMS = Path(__file__).with_name("captcha_images_v2.sha256")
LABEL_SUFFIXES = (".csv", ".txt")
MAX_ARCHIVE_BYTES = 200_000_000
MAX_UNPACKED_BYTES = 500_000_000
MAX_ENTRIES = 200_000
RETRIES = 4
TRANSIENT_STATUSES = {408, 429}
"""Statuses below 500 that are worth a retry."""
CHUNK_BYTES = 1 << 16

Progress = Callable[[int, int | None], None]

_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class DownloadError(UserError):
    """A failed download; the message says why and how to fix it."""


def download(
    destination: Path,
    *,
    url: str = DEFAULT_URL,
    sha256: str | None = None,
    timeout: float = 30.0,
    on_progress: Progress = lambda _received, _total: None,
) -> tuple[int, bool]:
    """Fetch an archive and unpack its images and label lists, completely or not at all.

    The images of the default URL are checked against the packaged checksums.

    Args:
        destination: the folder to create. It may exist if it is empty or holds the images of the default URL.
        url: the http or https URL of a zip archive.
        sha256: expected checksum of the archive, in hexadecimal.
        timeout: maximum seconds without data from the server.
        on_progress: called with the number of bytes received and the total, if known.

    Returns:
        The number of images, and whether they were already present.

    Raises:
        DownloadError: the server, the archive or the destination has a problem.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DownloadError(f"{sha256!r} is not a SHA-256 of 64 hexadecimal digits.")
    target = destination.resolve()  # siblings of a link's target are on the same file system
    try:
        present = _images_present(target, url)
        if present is not None:
            return present, True
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as holder:
            archive = _fetch(url, Path(holder), timeout, on_progress)
            images = _install(archive, target, url, sha256)
    except OSError as error:
        raise DownloadError(f"{error.filename or destination}: {error.strerror or error}.") from error
    return images, False


class _ProgressBar:
    """Progress bar for pooch that also limits the size."""

    def __init__(self, url: str, on_progress: Progress) -> None:
        self._url, self._on_progress = url, on_progress
        self._received = self.total = 0

    def update(self, received: int) -> None:
        self._received += received
        # The count grows by whole chunks.
        if self.total > MAX_ARCHIVE_BYTES or self._received > MAX_ARCHIVE_BYTES + CHUNK_BYTES:
            raise _too_large(self._url)
        self._on_progress(min(self._received, self.total or self._received), self.total or None)

    def reset(self) -> None:
        self._received = 0

    def close(self) -> None:
        """Do nothing."""


def _fetch(url: str, folder: Path, timeout: float, on_progress: Progress) -> Path:
    def transfer(url: str, file: str, source: pooch.Pooch) -> None:
        try:
            pooch.HTTPDownloader(_ProgressBar(url, on_progress), CHUNK_BYTES, timeout=timeout)(url, file, source)
        except (requests.RequestException, ValueError) as error:
            if _is_transient(error):
                raise
            raise DownloadError(
                f"{url} cannot be fetched: {error}; give the URL of a zip archive, https://…."
            ) from error

    pooch.get_logger().setLevel("ERROR")
    source = pooch.create(folder, url, registry={"archive": None}, urls={"archive": url}, retry_if_failed=RETRIES)
    try:
        archive = Path(source.fetch("archive", downloader=transfer))
    except requests.RequestException as error:
        raise DownloadError(f"{url} failed in {RETRIES + 1} attempts ({error}); try again later.") from error
    if archive.stat().st_size > MAX_ARCHIVE_BYTES:
        raise _too_large(url)
    return archive


def _too_large(url: str) -> DownloadError:
    return DownloadError(f"{url} is larger than the limit of {MAX_ARCHIVE_BYTES:,} bytes.")


def _is_transient(error: Exception) -> bool:
    """Return whether a retry may succeed."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code in TRANSIENT_STATUSES
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, passing)


def _install(archive: Path, target: Path, url: str, sha256: str | None) -> int:
    digest = pooch.file_hash(str(archive))
    if sha256 and digest != sha256.lower():
        raise DownloadError(f"The archive at {url} has the SHA-256 {digest}; expected {sha256.lower()}.")
    try:
        folder = _unpack(archive)
    except _ZIP_ERRORS as error:
        raise DownloadError(f"{url} is not a valid zip archive ({error}).") from error
    images = _images_in(folder)
    if url == DEFAULT_URL and (wrong := _difference(images)):
        raise DownloadError(f"The archive at {url} does not hold exactly the tutorial's images: {wrong}.")
    if target.exists():
        target.rmdir()  # fails on purpose if it is no longer empty
    folder.rename(target)
    return len(images)


def _unpack(archive: Path) -> Path:
    """Unpack images and label files beside an archive; return their folder, or its only subfolder if that has all."""
    folder = archive.with_name("unpacked")
    with zipfile.ZipFile(archive) as opened:
        entries = [entry for entry in opened.infolist() if _is_wanted(PurePosixPath(entry.filename))]
        if not any(entry.filename.lower().endswith(SUFFIXES) for entry in entries):
            raise DownloadError(f"The archive contains no images ({' '.join(SUFFIXES)}).")
        if len(entries) > MAX_ENTRIES:
            raise DownloadError(f"The archive has more entries than the limit of {MAX_ENTRIES:,}.")
        # The declared sizes are an upper limit: zipfile reads no further.
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
            raise DownloadError(f"The archive unpacks to more than {MAX_UNPACKED_BYTES:,} bytes.")
        opened.extractall(folder, entries)
    (top, *others) = folder.iterdir()
    # A table beside the folder refers to images by folder name, so the folder is kept.
    return top if top.is_dir() and not others else folder


def _is_wanted(path: PurePosixPath) -> bool:
    is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in {*SUFFIXES, *LABEL_SUFFIXES} and not is_hidden


def _images_in(folder: Path) -> dict[str, Path]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if name.lower().endswith(SUFFIXES)}


def _images_present(target: Path, url: str) -> int | None:
    """Return the number of images from an earlier download of the default URL; None if the destination is free."""
    if not target.exists():
        return None
    if not target.is_dir():
        raise DownloadError(f"{target} is a file; choose a new or empty folder.")
    if not any(target.iterdir()):
        return None
    images = _images_in(target)
    wrong = _difference(images) if url == DEFAULT_URL else "its content was not checked"
    if wrong:
        raise DownloadError(
            f"{target} is not empty ({wrong}); "
            "nothing in it was changed. Move it away, or choose a new or empty folder."
        )
    return len(images)


def _difference(images: dict[str, Path]) -> str:
    """Describe how images differ from the packaged list; return "" if they do not."""
    lines = CHECKSUMS.read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    shared = listed.keys() & images.keys()
    faults = {
        "missing": listed.keys() - images.keys(),
        "extra": images.keys() - listed.keys(),
        "different": {name for name in shared if pooch.file_hash(str(images[name])) != listed[name]},
    }
    found = [f"{len(names)} {fault}: {some_of(sorted(names))}" for fault, names in faults.items() if names]
    return f"compared with the {len(listed)} listed images: {'; '.join(found)}" if found else ""
