"""From pictures to texts: images, models, decoding, the queue before them, and `Reader`, the front door.

Nothing of HTTP and nothing of training comes in.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.inference.reader import Reader

__all__ = ["Reader"]


def __getattr__(name: str) -> Any:
    """Import `Reader` when it is asked for: who needs only the names of model folders does not load ONNX Runtime."""
    if name == "Reader":
        from app.inference.reader import Reader

        return Reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
