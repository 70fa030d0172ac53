"""Files and folders at URLs: S3, Google Cloud Storage, Azure, and others that pyarrow supports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from app.bulk.job import BulkError
from app.bulk.paths import check_paths
from app.bulk.reader import load_file, too_large
from app.inference.images import ImageError
from app.inference.images.paths import MAGIC, fixed_parts, image_paths, match, walk

CONCURRENT_FETCHES = 16
"""Files that a worker fetches at the same time, since latency dominates."""


def is_url(argument: str) -> bool:
    """Return whether an argument is a URL and not a local path."""
    return "://" in argument


def parse_url(argument: str) -> tuple[str, str, str]:
    """Parse a URL such as `s3://bucket/folder/*.png?endpoint_override=host:9000&scheme=http`.

    Returns:
        The root `s3://bucket`, the path, and options of the file system, see `pyarrow.fs.FileSystem.from_uri`.
    """
    scheme, _, rest = argument.partition("://")
    location, _, options = rest.partition("?")
    root, _, path = location.partition("/")
    return f"{scheme}://{root}", path.strip("/"), options


@lru_cache
def open_root(root: str, options: str) -> tuple[Any, str]:
    """Return the file system of a URL's root, and the path of the root in it.

    Raises:
        BulkError: if it cannot be opened.
    """
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    try:
        filesystem, path = FileSystem.from_uri(f"{root}/?{options}" if options else f"{root}/")
    except (pa.ArrowException, OSError, ImportError, ValueError) as error:
        raise BulkError(f"{root} cannot be opened: {error}.") from error
    return filesystem, path.rstrip("/")


def open_location(argument: str) -> tuple[Any, str]:
    """Return the file system of a URL or local path, and the path in it; raise like `open_root`."""
    if is_url(argument):
        root, path, options = parse_url(argument)
        filesystem, base = open_root(root, options)
        return filesystem, f"{base}/{path}"
    from pyarrow.fs import LocalFileSystem

    return LocalFileSystem(), str(Path(argument).absolute())


def roots_of(arguments: Iterable[str]) -> dict[str, str]:
    """Return the options of each root in the URLs.

    Raises:
        BulkError: if two URLs of the same root have different options.
    """
    roots: dict[str, str] = {}
    for root, _, options in map(parse_url, filter(is_url, arguments)):
        if roots.setdefault(root, options) != options:
            raise BulkError(f"{root} has different options: {roots[root]} and {options}.")
    return roots


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise `BulkError` if a path of a command line does not exist, a glob matches no image, or a URL is unusable."""
    check_paths(argument for argument in arguments if not is_url(argument))
    for argument in filter(is_url, arguments):
        try:
            found = next(_expand(argument), None)
        except OSError as error:
            raise BulkError(f"{argument} cannot be listed: {error.strerror or error}.") from error
        if found is None:
            raise BulkError(f"No image matches {argument}.")


def list_images(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the images of a command line: local ones as `image_paths` does, and those at URLs in the same way.

    A remote image is yielded as its URL without options. In URLs, `?` starts the options and is not a glob character.
    """
    for argument in arguments:
        yield from _expand(argument) if is_url(argument) else image_paths([argument])


def _expand(argument: str) -> Iterator[str]:
    from pyarrow.fs import FileType

    root, path, options = parse_url(argument)
    filesystem, base = open_root(root, options)
    list_names = partial(_names, filesystem, base, root)
    kind = filesystem.get_file_info(f"{base}/{path}").type
    if kind == FileType.File:
        yield f"{root}/{path}"
    elif kind == FileType.Directory:
        yield from walk(f"{root}/{path}".rstrip("/") + "/", list_names)
    elif MAGIC.search(path):
        parts = path.split("/")
        fixed = fixed_parts(parts)
        if filesystem.get_file_info("/".join([base, *fixed])).type == FileType.Directory:
            yield from match("/".join([root, *fixed, ""]), parts[len(fixed) :], list_names)


def _names(filesystem: Any, base: str, root: str, folder: str) -> list[str] | None:
    from pyarrow.fs import FileSelector, FileType

    try:
        found = filesystem.get_file_info(FileSelector(base + folder.removeprefix(root)))
    except OSError:
        return None
    return sorted(
        f"{entry.base_name}/" if entry.type == FileType.Directory else entry.base_name
        for entry in found
        if not entry.base_name.startswith(".")
    )


class Fetcher:
    """Loader of image files that fetches several URLs at a time."""

    def __init__(self, roots: Mapping[str, str], folder: Path, max_bytes: int) -> None:
        """Prepare to fetch; `roots` maps the URLs' roots to options, and local paths are relative to `folder`."""
        self._roots = roots
        self._folder = folder
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(CONCURRENT_FETCHES)
        self._pending: dict[str, Future[bytes]] = {}

    def begin(self, paths: Iterable[str]) -> None:
        """Start to fetch the paths that `load` will return next."""
        self._pending = {path: self._threads.submit(self._fetch, path) for path in set(filter(is_url, paths))}

    def load(self, path: str, max_bytes: int) -> bytes:
        """Return the content of an image; see `app.bulk.reader.Load`."""
        return self._pending[path].result() if is_url(path) else load_file(str(self._folder / path), max_bytes)

    def _fetch(self, path: str) -> bytes:
        root = "/".join(path.split("/", 3)[:3])  # not `parse_url`: an image's path may contain ?
        filesystem, base = open_root(root, self._roots[root])
        try:
            with filesystem.open_input_file(base + path.removeprefix(root)) as file:
                if file.size() > self._max_bytes:
                    raise too_large(self._max_bytes)
                return bytes(file.read())
        except OSError as error:
            raise ImageError(f"The file cannot be read: {error.strerror or error}.") from error
