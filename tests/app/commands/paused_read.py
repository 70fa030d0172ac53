"""`python -m app read` that pauses after some rows until a signal ends it, however late that comes."""

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice

from app.__main__ import main
from app.bulk.engines import processes
from app.bulk.job import Chunk, Job
from app.bulk.run import read_all

CHUNKS = 3
"""Number of chunks to read before the pause."""


def read_some(job: Job, paths: Iterator[str], workers: int) -> Generator[Chunk, None, None]:
    """Yield the first chunks, then wait forever."""
    with closing(read_all(job, paths, workers)) as chunks:
        yield from islice(chunks, CHUNKS)
        threading.Event().wait()


if __name__ == "__main__":
    processes.read_all = read_some  # type: ignore[attr-defined]
    main()
