"""Reading of all images of a job, in this process or several."""

from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice

from app.bulk.job import CHUNK, Chunk, Job

IN_PROCESS_IMAGES = 2 * CHUNK
"""Up to this many images are read faster than processes start."""


def read_all(job: Job, paths: Iterator[str], workers: int) -> Generator[Chunk, None, None]:
    """Read images in at most `workers` processes; few images, or with one worker, in this process.

    Returns:
        Chunks in the order of the paths, which are taken only as they can be read.

    Raises:
        BulkError: if the model or the constraints cannot be used, or a process ended.
    """
    first = list(islice(paths, max(IN_PROCESS_IMAGES + 1, workers * CHUNK)))
    chunks = _chunks(chain(first, paths))
    if workers == 1 or len(first) <= IN_PROCESS_IMAGES:
        from app.bulk.reader import open_reader

        yield from map(open_reader(job), chunks)
    else:
        from app.bulk.processes import read_in_processes

        yield from read_in_processes(job, chunks, min(workers, -(-len(first) // CHUNK)))


def _chunks(paths: Iterator[str]) -> Iterator[Sequence[str]]:
    while chunk := list(islice(paths, CHUNK)):
        yield chunk
