"""Fetches a zip archive of labelled images, the tutorial's by default, checks it and unpacks it."""

import errno
import hashlib
import json
import mmap
import re
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import httpx

from app.inference.images import SUFFIXES

DEFAULT_URL = "https://github.com/AakashKumarNain/CaptchaCracker/raw/master/captcha_images_v2.zip"
CHECKSUMS = Path(__file__).with_name("captcha_images_v2.sha256")
MARKER = ".download.json"
LABEL_SUFFIXES = frozenset({".csv", ".txt"})
MAX_ARCHIVE_BYTES = 200_000_000
MAX_UNPACKED_BYTES = 500_000_000
MAX_ENTRIES = 200_000
FIRST_PAUSE = 0.5  # seconds; doubles with every further attempt

Progress = Callable[[int, int | None], None]

_RETRIED = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
_UNSOUND_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError)


class DownloadError(Exception):
    """The data set could not be had; the message says what was wrong and what would be right."""


class _InterruptedError(Exception):
    """This attempt failed; the next may not."""


@dataclass(frozen=True)
class DownloadReport:
    """What a download left in the destination."""

    destination: Path
    images: int
    already_present: bool


def download(
    destination: Path,
    *,
    url: str = DEFAULT_URL,
    sha256: str | None = None,
    timeout: float = 30.0,
    attempts: int = 5,
    on_progress: Progress = lambda _received, _total: None,
) -> DownloadReport:
    """Fetches the archive at `url` and unpacks its images into `destination`, whole or not at all.

    The images of the default address are held against the packaged list of checksums. What a
    broken run has received stays in `<destination>.zip.part`; the next run goes on from there.

    Args:
        destination: The folder to make. It may exist if it is empty or holds this very download.
        url: The http or https address of a zip archive.
        sha256: The SHA-256 the archive must have, in hexadecimal.
        timeout: Seconds the server may stay silent.
        attempts: How often to ask before giving up.
        on_progress: Called with the bytes received and, where known, the bytes in all.

    Returns:
        Where the images are and how many, and whether they already were there.

    Raises:
        DownloadError: If the server, the archive or the destination is not as it should be.
        ValueError: If `attempts` or `timeout` is not positive.
    """
    if attempts < 1 or timeout <= 0:
        raise ValueError("attempts and timeout must be positive")
    if not re.match(r"(?i)https?://[^/]", url):
        raise DownloadError(f"{url!r} is not an address that starts with https:// or http://.")
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DownloadError(f"{sha256!r} is not a SHA-256: that is 64 hexadecimal digits.")
    expected = sha256.lower() if sha256 else None
    target = destination.resolve()  # siblings of a link's target are on the same file system
    try:
        present = _images_present(target, url, expected)
        if present is not None:
            return DownloadReport(destination, present, already_present=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        transfer = _Transfer(url, target.with_name(f"{target.name}.zip.part"), on_progress)
        transfer.run(timeout, attempts)
        try:
            images = _install(transfer.archive, target, url, expected)
        finally:
            transfer.discard()
    except OSError as error:
        raise DownloadError(f"{error.filename or destination}: {error.strerror or error}.") from error
    return DownloadReport(destination, images, already_present=False)


@dataclass(frozen=True)
class _Transfer:
    """An archive on its way, with a note beside it of what it is the beginning of."""

    url: str
    archive: Path
    on_progress: Progress

    @property
    def note(self) -> Path:
        return self.archive.with_name(f"{self.archive.name}.json")

    def discard(self) -> None:
        self.archive.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def run(self, timeout: float, attempts: int) -> None:
        reason = ""
        # Compressed on the way, the bytes could be neither counted nor continued.
        headers = {"Accept-Encoding": "identity"}
        with httpx.Client(follow_redirects=True, timeout=timeout, headers=headers) as client:
            for attempt in range(attempts):
                if attempt:
                    time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
                try:
                    return self._attempt(client)
                except (_InterruptedError, *_RETRIED) as error:
                    reason = str(error) or type(error).__name__
                except (
                    httpx.HTTPError,
                    httpx.InvalidURL,
                    UnicodeError,
                ) as error:  # the last: a host too long
                    raise DownloadError(f"{self.url} cannot be fetched: {str(error).rstrip('.')}.") from error
        raise DownloadError(
            f"{self.url} was not received, attempt {attempts} of {attempts} failed ({reason}); "
            "run it again later: it goes on from what has arrived if the server allows that."
        )

    def _attempt(self, client: httpx.Client) -> None:
        note = _read_json(self.note)
        known = note.get("url") == self.url and note.get("etag") and self.archive.is_file()
        offset = self.archive.stat().st_size if known else 0
        headers = {"Range": f"bytes={offset}-", "If-Range": str(note["etag"])} if offset else {}
        with client.stream("GET", self.url, headers=headers) as response:
            if offset and response.status_code == 206:
                total: int | None = self._total_of_range(response, offset, str(note["etag"]))
            else:
                self._check_status(response)
                length = response.headers.get("Content-Length")
                offset, total = 0, int(length) if length else None
            received = total if total and total > MAX_ARCHIVE_BYTES else self._store(response, offset, total)
        if received > MAX_ARCHIVE_BYTES:
            self.discard()
            raise DownloadError(f"{self.url} is larger than the limit of {MAX_ARCHIVE_BYTES:,} bytes.")
        if total is not None and received != total:
            raise _InterruptedError(f"{received} of {total} bytes arrived")

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        answer = f"the server answered {status} {response.reason_phrase}".rstrip()
        if status == 416:
            self.discard()
        if status in {408, 416, 429} or status >= 500:
            raise _InterruptedError(answer)
        if status != 200:
            raise DownloadError(f"{self.url} cannot be fetched, {answer}; give the address of a zip archive.")

    def _total_of_range(self, response: httpx.Response, offset: int, etag: str) -> int:
        stated = response.headers.get("Content-Range", "no Content-Range")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", stated)
        if not match or int(match[1]) != offset or response.headers.get("ETag", etag) != etag:
            self.discard()
            raise DownloadError(
                f"{self.url} was to go on from byte {offset}, but the server sent another piece ({stated}); "
                "run it again to start from the beginning."
            )
        return int(match[2])

    def _store(self, response: httpx.Response, received: int, total: int | None) -> int:
        """Appends the body; returns the bytes the archive now has, or would have were it not too large."""
        with self.archive.open("ab" if received else "wb") as file:
            if not received:  # the old bytes are gone by now: the note never vouches for others
                etag = response.headers.get("ETag", "W/")
                # A weak ETag does not promise the same bytes, so it cannot join two pieces.
                usable = etag.isascii() and not etag.startswith("W/")
                note = {"url": self.url, "etag": etag if usable else None}
                self.note.write_text(json.dumps(note), encoding="utf-8")
            self.on_progress(received, total)
            for chunk in response.iter_raw():
                received += len(chunk)
                if received > MAX_ARCHIVE_BYTES:
                    break
                file.write(chunk)
                self.on_progress(received, total)
        return received


def _read_json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_image(path: PurePosixPath) -> bool:
    return path.suffix.lower() in SUFFIXES and not _is_hidden(path)


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _images_in(folder: Path) -> dict[str, Path]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: path for name, path in found.items() if _is_image(PurePosixPath(name)) and path.is_file()}


def _images_present(target: Path, url: str, sha256: str | None) -> int | None:
    """How many images a finished download left here, or None if the place is free."""
    if not target.exists():
        return None
    if not target.is_dir():
        raise DownloadError(f"{target} is a file; name a folder that is new or empty.")
    if not any(target.iterdir()):
        return None
    images = _images_in(target)
    wrong = _difference(images) if url == DEFAULT_URL else _marker_fault(target, url, sha256, len(images))
    if wrong:
        raise DownloadError(
            f"{target} is not empty and not this download ({wrong}); "
            "nothing in it was touched: move it away or name a folder that is new or empty."
        )
    return len(images)


def _marker_fault(target: Path, url: str, sha256: str | None, images: int) -> str:
    marker = _read_json(target / MARKER)
    if not marker:
        return f"it has no readable {MARKER}"
    if marker.get("url") != url:
        return f"it was downloaded from {marker.get('url')}"
    if sha256 and marker.get("sha256") != sha256:
        return f"its archive had the SHA-256 {marker.get('sha256')}"
    if marker.get("images") != images:
        return f"it holds {images} images where {marker.get('images')} were unpacked"
    return ""


def _difference(images: dict[str, Path]) -> str:
    """In words, how images differ from the packaged list; empty if they do not."""
    lines = CHECKSUMS.read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    shared = listed.keys() & images.keys()
    faults = {
        "missing": listed.keys() - images.keys(),
        "extra": images.keys() - listed.keys(),
        "different": {name for name in shared if _sha256_of(images[name]) != listed[name]},
    }
    found = [f"{len(names)} {fault}: {_some(names)}" for fault, names in faults.items() if names]
    return f"against the {len(listed)} images of the list, {'; '.join(found)}" if found else ""


def _some(names: set[str]) -> str:
    return " ".join(sorted(names)[:3]) + (" …" if len(names) > 3 else "")


def _install(archive: Path, target: Path, url: str, sha256: str | None) -> int:
    digest = _sha256_of(archive)
    if sha256 and digest != sha256:
        raise DownloadError(f"The archive at {url} has the SHA-256 {digest}; it should have {sha256}.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as holder:
        folder = Path(holder) / "unpacked"  # the holder itself is closed to other users
        folder.mkdir()
        try:
            _unpack(archive, folder)
        except (OSError, *_UNSOUND_ZIP) as error:
            # A wrong offset in the zip is a seek to nowhere, EINVAL; a full disk is not the zip's fault.
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise
            raise DownloadError(f"What {url} sent is not a sound zip archive ({error}).") from error
        images = _images_in(folder)
        if url != DEFAULT_URL:
            marker = {"url": url, "sha256": digest, "images": len(images)}
            (folder / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
        elif wrong := _difference(images):
            raise DownloadError(f"The archive at {url} should hold the tutorial's images but does not: {wrong}.")
        if target.exists():
            target.rmdir()  # fails, as it should, if someone has filled it meanwhile
        folder.rename(target)
    return len(images)


def _unpack(archive: Path, folder: Path) -> None:
    # Counted before ZipFile sees them: it keeps every entry in memory, however many there are.
    with archive.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for count, _ in enumerate(re.finditer(rb"PK\x01\x02", content), start=1):
            if count > MAX_ENTRIES:
                raise DownloadError(f"The archive has more entries than the limit of {MAX_ENTRIES:,}.")
    with zipfile.ZipFile(archive) as opened:
        left = MAX_UNPACKED_BYTES
        for path, entry in _wanted(opened.infolist()).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, (folder / path).open("xb") as file:
                while chunk := source.read(1 << 16):
                    left -= len(chunk)  # what the headers declare may be a lie
                    if left < 0:
                        raise DownloadError(f"The archive unpacks to more than {MAX_UNPACKED_BYTES:,} bytes.")
                    file.write(chunk)


def _wanted(entries: list[zipfile.ZipInfo]) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The images and label files by where they go; a top folder that has them all is left out."""
    files: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for entry in entries:
        path = _safe_path(entry.orig_filename)
        _check_entry(entry)
        if path in files:
            raise DownloadError(f"The archive has {entry.filename!r} twice; it should have it once.")
        if not entry.is_dir():
            files[path] = entry
    images = {path: entry for path, entry in files.items() if _is_image(path)}
    if not images:
        raise DownloadError(f"The archive has no image; it should have some ({' '.join(SUFFIXES)}).")
    labels = {path for path in files if path.suffix.lower() in LABEL_SUFFIXES and not _is_hidden(path)}
    wanted = images | {path: files[path] for path in labels}
    # A table beside the folder names its images by it, so then the folder stays.
    tops = {path.parts[0] if len(path.parts) > 1 else "" for path in wanted}
    if len(tops) > 1 or "" in tops:
        return wanted
    return {path.relative_to(path.parts[0]): entry for path, entry in wanted.items()}


def _safe_path(name: str) -> PurePosixPath:
    """An entry's name as a path that stays, on every system, in the folder it is joined to."""
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or re.search(r"[\\\x00-\x1f\x7f]", name)
        # ".." and what Windows makes of ".. "; and a drive starts a path anew even in its middle
        or any(not part.strip(". ") or PureWindowsPath(part).drive for part in path.parts)
    ):
        raise DownloadError(f"The archive has an entry {name!r}; its names should be plain relative paths.")
    return path


def _check_entry(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:  # 0: made where there are no Unix modes
        fault = "is a link or a device"
    elif entry.flag_bits & 0x1:
        fault = "is encrypted"
    elif entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        fault = f"is compressed by method {entry.compress_type}"
    else:
        return
    raise DownloadError(f"The archive's {entry.filename!r} {fault}; it should be a plain file, stored or deflated.")
