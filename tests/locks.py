"""What the processes which share the tests do one at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path, *, shared: bool = False) -> Iterator[None]:
    """Wait until no other process has a file locked, or with `shared` only others that share it, and lock it."""
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
