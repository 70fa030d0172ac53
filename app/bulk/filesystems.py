"""Files and folders behind URLs: S3, Google Cloud Storage, Azure, and whatever else pyarrow opens."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from app.bulk.job import BulkError
from app.bulk.paths import check_paths
from app.bulk.reader import load_file, too_large
from app.inference.images import ImageError
from app.inference.images.paths import MAGIC, fixed_parts, image_paths, match, walk

AT_A_TIME = 16
"""Files that a worker fetches from behind URLs at the same time, for it is the way there that takes time."""


class Url(NamedTuple):
    """`s3://bucket/folder/*.png?endpoint_override=host:9000&scheme=http`, taken apart."""

    root: str
    """`s3://bucket`, which the paths of files begin with."""
    path: str
    options: str
    """How the file system is reached, see `pyarrow.fs.FileSystem.from_uri`."""


def is_url(argument: str) -> bool:
    """Return whether an argument is a URL and no path of this machine."""
    return "://" in argument


def parse_url(argument: str) -> Url:
    """Take a URL apart."""
    scheme, _, rest = argument.partition("://")
    location, _, options = rest.partition("?")
    root, _, path = location.partition("/")
    return Url(f"{scheme}://{root}", path.strip("/"), options)


@lru_cache
def open_root(root: str, options: str) -> tuple[Any, str]:
    """Return the file system behind a URL's root, and the path that the root has in it.

    Raises:
        BulkError: there is none.
    """
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    try:
        filesystem, path = FileSystem.from_uri(f"{root}/?{options}" if options else f"{root}/")
    except (pa.ArrowException, OSError, ImportError, ValueError) as error:
        raise BulkError(f"{root} cannot be opened: {error}.") from error
    return filesystem, path.rstrip("/")


def open_location(argument: str) -> tuple[Any, str]:
    """Return the file system that a URL or a path of this machine is in, and where it is there.

    Raises:
        BulkError: there is none.
    """
    if is_url(argument):
        url = parse_url(argument)
        filesystem, base = open_root(url.root, url.options)
        return filesystem, f"{base}/{url.path}"
    from pyarrow.fs import LocalFileSystem

    return LocalFileSystem(), str(Path(argument).absolute())


def roots_of(arguments: Iterable[str]) -> dict[str, str]:
    """Return the options of each root that URLs name.

    Raises:
        BulkError: two URLs of the same root have different options.
    """
    roots: dict[str, str] = {}
    for url in map(parse_url, filter(is_url, arguments)):
        if roots.setdefault(url.root, url.options) != url.options:
            raise BulkError(f"{url.root} is named with different options: {roots[url.root]} and {url.options}.")
    return roots


def check_arguments(arguments: Sequence[str]) -> None:
    """Look whether there is what a command line names.

    Raises:
        BulkError: a path does not exist, a glob matches no image, or a URL cannot be opened.
    """
    check_paths(argument for argument in arguments if not is_url(argument))
    for argument in filter(is_url, arguments):
        try:
            found = next(_expand(argument), None)
        except OSError as error:
            raise BulkError(f"{argument} cannot be looked for: {error.strerror or error}.") from error
        if found is None:
            raise BulkError(f"No image matches {argument}.")


def list_images(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the images of a command line as `image_paths` has them, and in the same way those behind URLs.

    An image behind a URL comes as its URL without options. In URLs, `?` begins the options and is no part of a glob.
    """
    for argument in arguments:
        yield from _expand(argument) if is_url(argument) else image_paths([argument])


def _expand(argument: str) -> Iterator[str]:
    from pyarrow.fs import FileType

    url = parse_url(argument)
    filesystem, base = open_root(url.root, url.options)
    list_names = partial(_names, filesystem, base, url.root)
    kind = filesystem.get_file_info(f"{base}/{url.path}").type
    if kind == FileType.File:
        yield f"{url.root}/{url.path}"
    elif kind == FileType.Directory:
        yield from walk(f"{url.root}/{url.path}".rstrip("/") + "/", list_names)
    elif MAGIC.search(url.path):
        parts = url.path.split("/")
        fixed = fixed_parts(parts)
        if filesystem.get_file_info("/".join([base, *fixed])).type == FileType.Directory:
            yield from match("/".join([url.root, *fixed, ""]), parts[len(fixed) :], list_names)


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
    """The content of images, those behind URLs fetched several at a time."""

    def __init__(self, roots: Mapping[str, str], folder: Path, max_bytes: int) -> None:
        """Prepare to fetch: roots are the URLs' with their options; paths of this machine are below the folder."""
        self._roots = roots
        self._folder = folder
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(AT_A_TIME)
        self._under_way: dict[str, Future[bytes]] = {}

    def begin(self, paths: Iterable[str]) -> None:
        """Begin to fetch what is asked for next."""
        self._under_way = {path: self._threads.submit(self._fetch, path) for path in set(filter(is_url, paths))}

    def load(self, path: str, max_bytes: int) -> bytes:
        """Return the content of an image; see `app.bulk.reader.Load`."""
        return self._under_way[path].result() if is_url(path) else load_file(str(self._folder / path), max_bytes)

    def _fetch(self, path: str) -> bytes:
        root = "/".join(path.split("/", 3)[:3])  # not by `parse_url`: in the path of an image, ? is any character
        filesystem, base = open_root(root, self._roots[root])
        try:
            with filesystem.open_input_file(base + path.removeprefix(root)) as file:
                if file.size() > self._max_bytes:
                    raise too_large(self._max_bytes)
                return bytes(file.read())
        except OSError as error:
            raise ImageError(f"The file cannot be read: {error.strerror or error}.") from error
