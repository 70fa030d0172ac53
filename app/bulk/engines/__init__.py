"""What carries out a bulk reading: processes of this machine, or Ray, behind one protocol."""

from collections.abc import Generator
from typing import NamedTuple, Protocol

from app.bulk.job import Job


class Counts(NamedTuple):
    """What came of some images."""

    images: int
    errors: int
    before: int = 0
    """Those of them that an interrupted reading had read."""


class Engine(Protocol):
    """Reads the images that a command line names, and writes their rows.

    It is made from the command line's paths and where the rows go.
    """

    def check(self) -> None:
        """Look whether the paths can be read and the output written, before anything is.

        Raises:
            BulkError: a path or the output cannot be used.
            ClusterError: what the engine runs on is not there.
        """

    def read(self, job: Job) -> Generator[Counts, None, None]:
        """Read all images; go on with a reading that was interrupted.

        Yields:
            Counts of the images as they are done; each image is in one of them.

        Raises:
            BulkError: the model, the constraints or the output cannot be used, or a process ended.
            ClusterError: what the engine runs on is not there.
            OSError: the output cannot be written.
        """
