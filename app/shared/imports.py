"""What is imported, and what is not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let imports meanwhile not find modules that have not been imported yet: those that do without them are faster."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: "there is no such module"
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
