"""Engines of bulk reading behind one protocol: processes of this machine, or Ray."""

from collections.abc import Generator
from typing import NamedTuple, Protocol

from app.bulk.job import Job


class Counts(NamedTuple):
    """Counts of finished images."""

    images: int
    errors: int
    before: int = 0
    """Images of these that an interrupted run had read."""


class Engine(Protocol):
    """Reader of the images that a command line names, and writer of their rows.

    Created from the command line's paths and output.
    """

    def check(self) -> None:
        """Check in advance that the paths can be read and the output can be written.

        Raises:
            BulkError: if a path or the output cannot be used.
            ClusterError: if Ray or its cluster is not available.
        """

    def read(self, job: Job) -> Generator[Counts, None, None]:
        """Read all images; resume an interrupted reading.

        Yields:
            Counts of finished images; each image is counted once.

        Raises:
            BulkError: if the model, the constraints or the output cannot be used, or a process ended.
            ClusterError: if Ray or its cluster is not available.
            OSError: if the output cannot be written.
        """
