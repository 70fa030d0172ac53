"""Size limits of images."""

from dataclasses import dataclass

from app.inference.images.errors import ImageTooLargeError


@dataclass(frozen=True)
class ImageLimits:
    """Size limits, checked against the header before any pixel is decoded."""

    max_pixels: int = 4_000_000
    max_side: int = 8192

    def check(self, width: int, height: int) -> None:
        """Raise `ImageTooLargeError` if the size in a header, in pixels, exceeds the limits."""
        if max(width, height) > self.max_side or width * height > self.max_pixels:
            raise ImageTooLargeError(f"The image is {width}×{height} pixels; {self}")

    def __str__(self) -> str:
        """Return the limits as the end of a sentence."""
        return f"at most {self.max_pixels:,} pixels, and {self.max_side} per side, are allowed."


DEFAULT_LIMITS = ImageLimits()
