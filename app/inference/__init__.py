"""Reading of images: image files, models, decoding, the request queue, and `Reader`, the public API.

Contains no HTTP and no training.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.inference.reader import Reader

__all__ = ["Reader"]


def __getattr__(name: str) -> Any:
    """Import `Reader` on demand, so that importing a submodule does not load ONNX Runtime."""
    if name == "Reader":
        from app.inference.reader import Reader

        return Reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
