"""Image files that are checked but not yet decoded."""

from collections.abc import Callable
from dataclasses import dataclass

from app.inference.images.exif import UPRIGHT
from app.inference.images.pixels import DecodedPixels, Pixels, finish

SMALL_BYTES, SMALL_PIXELS = 65_536, 100_000


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """Image file with a valid header and structure; no pixel is decoded yet.

    Attributes:
        format: name of its format, such as "PNG".
        data: the parts of the file that the decoder needs.
        width, height: in pixels, as stored.
        decoder: decodes `data`, given the format's name, width and height; raises `DamagedImageError` on failure.
        orientation: of EXIF; 1 is upright.
        is_quick: whether the decoding time follows from the size; False for files that take decoders longer.
        more_pixels: pixels of all frames or tiles, for formats that decode more pixels than the image has.
    """

    format: str
    data: bytes
    width: int
    height: int
    decoder: Callable[[bytes, str, int, int], DecodedPixels]
    orientation: int = UPRIGHT
    is_quick: bool = True
    more_pixels: int = 0

    @property
    def decoded_pixels(self) -> int:
        """Return the number of pixels to decode, which determines the time."""
        return max(self.width * self.height, self.more_pixels)

    @property
    def is_small(self) -> bool:
        """Return whether it is fast enough to decode in the event loop."""
        return self.is_quick and len(self.data) <= SMALL_BYTES and self.width * self.height <= SMALL_PIXELS

    def decode(self) -> Pixels:
        """Decode the image, turned upright, on a white background, with 8 bits a channel; grey stays grey.

        Raises:
            DamagedImageError: if the pixels cannot be decoded, or there are many more than in the header.
        """
        return finish(self.decoder(self.data, self.format, self.width, self.height), self.orientation)
