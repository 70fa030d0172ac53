"""Download of models into a model store, from a folder or an archive, verified by SHA-256."""

import hashlib
import re
import shutil
import tarfile
import tempfile
import urllib.request
import zlib
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from app.inference.models.configs import CONFIGS_FILE
from app.inference.models.folders import MAX_FILE_BYTES, VALID_NAME, model_folders, version_folders
from app.inference.models.integrity import MAX_BYTES, SUMS_FILE, read_sums
from app.inference.models.model import MODEL_FILE, ModelError
from app.inference.models.trial import load_tried
from app.shared.files import FileError, error_in_words

ARCHIVES = (".tar.gz", ".tgz")
MAX_MEMBERS = 1000
TIMEOUT_SECONDS = 30
"""Socket timeout of a download."""
CHUNK_BYTES = 1 << 16
SCHEMES = {"http", "https", "file"}
RESERVED = "!#$%&'()*+,/:;=?@[]~"
"""Characters that have a meaning in a URL, besides letters and digits; others, such as spaces and ü, are escaped."""
HUGGING_FACE = re.compile(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


class FetchError(Exception):
    """A model cannot be fetched; the message says what is wrong and what is valid."""


def fetch_models(url: str, sha256: str, store: Path) -> list[Path]:
    """Fetch models and add them to a store if their checksums match and they read their golden images.

    Args:
        url: of a version's folder `…/<name>/<version>` with a `SHA256SUMS`, or of a `.tar.gz` or `.tgz` archive of
            `<name>/<version>/` folders. It starts with `https://`, `http://`, `file://` or
            `hf://owner/repository[@revision]/`, or is a local path.
        sha256: of the archive, or of the folder's `SHA256SUMS`, in hexadecimal.
        store: the model store; created if missing.

    Returns:
        The folders of the new versions.

    Raises:
        FetchError: if the URL, the download or its content is invalid, or the version exists already. The store is
            then unchanged.
    """
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", sha256):
        raise FetchError(f"{sha256!r} is not a SHA-256 of 64 hexadecimal digits.")
    address = _address(url)
    try:
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=store, prefix=".pull-") as temporary:
            folder = Path(temporary)
            if urlsplit(address).path.endswith(ARCHIVES):
                _fetch_archive(address, sha256.lower(), folder)
            else:
                _fetch_folder(address, sha256.lower(), folder)
            return _move_in(folder, store)
    except (FileError, tarfile.TarError, EOFError, zlib.error) as error:
        raise FetchError(f"{url}: {error}.") from error
    except (OSError, HTTPException) as error:
        raise FetchError(f"{url} cannot be fetched: {_reason(error, store)}.") from error


def _reason(error: OSError | HTTPException, store: Path) -> str:
    match error:
        case HTTPError() | HTTPException():
            return str(error)
        case URLError(reason=OSError(strerror=str(said)) as cause):
            return ": ".join(filter(None, [cause.filename, said]))
        case URLError(reason=reason):
            return str(reason)
    return error_in_words(error, store)


def _address(url: str) -> str:
    """Return the URL in a form that `urllib` accepts; raise FetchError if there is none."""
    if "://" not in url:
        return Path(url).absolute().as_uri()
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise FetchError(f"{url!r} is not a URL: {error}.") from error
    if scheme == "hf":
        match = HUGGING_FACE.fullmatch(url)
        if match is None:
            raise FetchError(f"{url!r} must have the form hf://owner/repository[@revision]/path.")
        repository, revision, path = match.groups()
        url = f"https://huggingface.co/{repository}/resolve/{revision or 'main'}/{path}"
    elif scheme not in SCHEMES:
        raise FetchError(f"{url!r} must start with https://, http://, hf://owner/repository/ or file://, or be a path.")
    return quote(url, safe=RESERVED).rstrip("/")


def _fetch_archive(address: str, sha256: str, folder: Path) -> None:
    archive = folder / ".archive"
    _download(address, archive, MAX_FILE_BYTES, sha256)
    with tarfile.open(archive, "r:gz") as content:
        left = MAX_FILE_BYTES
        for count, member in enumerate(content):
            left -= member.size
            if left < 0 or count >= MAX_MEMBERS:
                raise FetchError(f"The archive has more than {MAX_FILE_BYTES:,} bytes or {MAX_MEMBERS:,} entries.")
            if not member.isfile() and not member.isdir():
                raise FetchError(f"The archive contains {member.name!r}, which is neither a file nor a folder.")
            content.extract(member, folder, filter="data")
    archive.unlink()


def _fetch_folder(address: str, sha256: str, folder: Path) -> None:
    """Fetch the files in `SHA256SUMS`; the last two parts of the address are model and version."""
    parts = urlsplit(address).path.split("/")
    if len(parts) < 3 or not all(VALID_NAME.fullmatch(part) for part in parts[-2:]):
        raise FetchError(f"{address} must end in <model>/<version>, or name an archive ({' or '.join(ARCHIVES)}).")
    version = folder / parts[-2] / parts[-1]
    version.mkdir(parents=True)
    _download(f"{address}/{SUMS_FILE}", version / SUMS_FILE, MAX_BYTES, sha256)
    listed = read_sums(version / SUMS_FILE)
    for name in (MODEL_FILE, CONFIGS_FILE):
        if name not in listed:
            raise FetchError(f"{SUMS_FILE} does not list {name}.")
    for name, expected in listed.items():
        _download(f"{address}/{name}", version / name, MAX_FILE_BYTES, expected)


def _download(address: str, file: Path, max_bytes: int, sha256: str) -> None:
    left, digest = max_bytes, hashlib.sha256()
    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer, file.open("wb") as opened:  # noqa: S310
        while chunk := answer.read(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise FetchError(f"{address} is larger than the limit of {max_bytes:,} bytes.")
            digest.update(chunk)
            opened.write(chunk)
        if missing := getattr(answer, "length", None):  # of the announced length, over HTTP
            raise FetchError(f"The download of {address} broke off, {missing:,} bytes before its end; try again.")
    if digest.hexdigest() != sha256:
        raise FetchError(f"{address} has the SHA-256 {digest.hexdigest()}; expected {sha256}.")


def _move_in(folder: Path, store: Path) -> list[Path]:
    """Load each version, and move them into the store if all are usable."""
    versions = [version for model in model_folders(folder) for version in version_folders(model)]
    if not versions:
        raise FetchError("The archive contains no model; it must contain <model>/<version>/ folders.")
    for version in versions:
        place = f"{version.parent.name}/{version.name}"
        if (store / place).exists():
            raise FetchError(f"{store / place} already exists; remove it first to replace it.")
        try:
            load_tried(version, bool)
        except ModelError as error:
            raise FetchError(f"{place} cannot be used: {error}.") from error
    moved: list[Path] = []
    try:
        for version in versions:
            destination = store / version.parent.name / version.name
            destination.parent.mkdir(exist_ok=True)
            version.rename(destination)
            moved.append(destination)
    except OSError:
        for destination in moved:
            shutil.rmtree(destination)
        raise
    return moved
