"""How large an image may be."""

from dataclasses import dataclass

from app.inference.images.errors import ImageTooLargeError


@dataclass(frozen=True)
class ImageLimits:
    """What is accepted, checked on the header before any pixel is decoded."""

    max_pixels: int = 4_000_000
    max_side: int = 8192

    def check(self, width: int, height: int) -> None:
        """Compare the size that a header states, in pixels, with the limits.

        Raises:
            ImageTooLargeError: it is over them.
        """
        if max(width, height) > self.max_side or width * height > self.max_pixels:
            raise ImageTooLargeError(f"The image is {width}×{height} pixels; {self}")

    def __str__(self) -> str:
        """Return the limits in words, as the end of a sentence."""
        return f"at most {self.max_pixels:,} pixels and {self.max_side} a side are read."


DEFAULT_LIMITS = ImageLimits()
