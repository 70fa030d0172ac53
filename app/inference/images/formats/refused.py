"""Unsupported formats that are recognised, so that the error message can suggest what to send instead."""

import re
from typing import NamedTuple

from app.inference.images.errors import UnsupportedImageError

_AS_PNG = "export it as PNG"
_SVG = re.compile(rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE\s+svg[^>]*>\s*)*<(?:\w+:)?svg[\s>]", re.DOTALL)
_START = 1024
"""Number of bytes searched for an SVG tag."""
_BOM = b"\xef\xbb\xbf"


class Refused(NamedTuple):
    """Unsupported format.

    Attributes:
        name: usual name.
        starts: offsets and bytes of its signatures.
        why: end of the error message, after the name: what is wrong and what to send instead.
    """

    name: str
    starts: tuple[tuple[int, bytes], ...]
    why: str = f"is not supported: {_AS_PNG}"


def _brands(*brands: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return the signatures of ISO base media files (ISO/IEC 14496-12) of these major brands."""
    return tuple((4, b"ftyp" + brand) for brand in brands)


REFUSED = (
    # Its decoder ignores the size in the header: 1 kB with a size of 10×10 decoded to 36,000,000 pixels.
    Refused("AVIF", _brands(b"avif", b"avis")),
    Refused("HEIC", _brands(b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")),
    Refused("JPEG XL", ((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL \r\n\x87\n"))),
    Refused("JPEG 2000", ((0, b"\0\0\0\x0cjP  \r\n\x87\n"), (0, b"\xff\x4f\xff\x51"))),
    Refused("PDF", ((0, b"%PDF-"),), "is a document, not an image: export the page as PNG"),
    Refused("PostScript", ((0, b"%!PS"),), "is a document, not an image: export the page as PNG"),
    Refused("Photoshop (PSD)", ((0, b"8BPS"),), "contains layers: export them as one PNG"),
    Refused("ICO", ((0, b"\0\0\1\0"), (0, b"\0\0\2\0")), "contains several images: export the largest as PNG"),
    Refused("Netpbm", tuple((0, b"P%d%c" % (kind, end)) for kind in range(1, 8) for end in b" \n\r\t")),
    Refused("OpenEXR", ((0, b"v/1\x01"),)),
    Refused("Radiance HDR", ((0, b"#?RADIANCE"), (0, b"#?RGBE"))),
    Refused("PCX", tuple((0, b"\x0a" + version + b"\1") for version in (b"\0", b"\2", b"\3", b"\4", b"\5"))),
    Refused("DDS", ((0, b"DDS "),)),
    Refused("BigTIFF", ((0, b"II+\0"), (0, b"MM\0+")), "is not supported: save it as TIFF or PNG"),
    Refused("WMF", ((0, b"\xd7\xcd\xc6\x9a"),), f"is a vector format: {_AS_PNG}"),
    Refused("A video (MP4)", _brands(b"isom", b"mp42", b"iso2", b"avc1", b"qt  "), "is not supported: send a frame"),
    Refused("A ZIP archive", ((0, b"PK\3\4"),), "is not an image: unpack it and send its content"),
    Refused("A gzip file", ((0, b"\x1f\x8b"),), "is not an image: unpack it and send its content"),
)
SVG = "SVG is a vector format: export it as PNG."


def refusal(data: bytes, accepted: str) -> UnsupportedImageError:
    """Return the error for a file of an unsupported format: its format, if known, and what to send instead."""
    for one in REFUSED:
        if any(data.startswith(start, place) for place, start in one.starts):
            return UnsupportedImageError(f"{one.name} {one.why}.")
    if _SVG.match(data[:_START].removeprefix(_BOM)):
        return UnsupportedImageError(SVG)
    return UnsupportedImageError(f"The upload is not a supported image; send {accepted}.")
