"""An image file after its checks and before its decoding."""

from collections.abc import Callable
from dataclasses import dataclass

from app.inference.images.exif import UPRIGHT
from app.inference.images.pixels import DecodedPixels, Pixels, finish

SMALL_BYTES, SMALL_PIXELS = 65_536, 100_000


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """An image file whose header and structure are sound; no pixel is decoded yet.

    Attributes:
        format: the name of its format, such as "PNG".
        data: what of the file the decoder is given.
        width, height: in pixels, as stored.
        decoder: decodes `data`, given the format's name, width and height; raises a `DamagedImageError` if it cannot.
        orientation: of EXIF; 1 is upright.
        is_quick: whether decoding takes about as long as the size says; not of files that make decoders work more.
    """

    format: str
    data: bytes
    width: int
    height: int
    decoder: Callable[[bytes, str, int, int], DecodedPixels]
    orientation: int = UPRIGHT
    is_quick: bool = True

    @property
    def is_small(self) -> bool:
        """Whether the event loop may decode it: that does not take long, whatever its content."""
        return self.is_quick and len(self.data) <= SMALL_BYTES and self.width * self.height <= SMALL_PIXELS

    def decode(self) -> Pixels:
        """Decode it; turn it upright; lay transparency on white. 16 bits a channel become 8, and grey stays grey.

        Raises:
            DamagedImageError: the pixels cannot be decoded, or there are many more than the header says.
        """
        return finish(self.decoder(self.data, self.format, self.width, self.height), self.orientation)
