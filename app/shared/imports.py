"""Control over imports."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Hide optional modules from imports in this context, to speed them up; modules already imported stay visible."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: import fails
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
