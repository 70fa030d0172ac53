"""TIFF (revision 6.0): the first page; bilevel, grey, palette, colour and CMYK, 1 to 16 bits, in strips or tiles.

The decoder receives a new TIFF of only the tags and strips of the image: other pages, metadata and unknown tags, which
libtiff would follow and warn about, never reach it.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from app.inference.images.checked import SMALL_PIXELS, CheckedImage
from app.inference.images.decoders import with_opencv, with_pillow
from app.inference.images.errors import ImageTooLargeError, UnsupportedImageError, damaged, truncated, unreadable_header
from app.inference.images.exif import UPRIGHT
from app.inference.images.formats import tiff_directory as tag
from app.inference.images.formats.format import Format
from app.inference.images.formats.jpeg import MAX_TABLE_BYTES
from app.inference.images.formats.jpeg import picture_of as jpeg_picture_of
from app.inference.images.formats.tiff_directory import Tags, byte_order, read_tags, write_tiff
from app.inference.images.limits import ImageLimits
from app.inference.images.pixels import DecodedPixels

NONE, GROUP_3, GROUP_4, LZW, JPEG_STRIPS, DEFLATE, OLD_DEFLATE, PACK_BITS = 1, 3, 4, 5, 7, 8, 32946, 32773
COMPRESSIONS = {
    NONE: "none",
    GROUP_3: "CCITT group 3",
    GROUP_4: "CCITT group 4",
    LZW: "LZW",
    JPEG_STRIPS: "JPEG",
    DEFLATE: "Deflate",
    OLD_DEFLATE: "Deflate",
    PACK_BITS: "PackBits",
}
"""The size in the tags bounds the inflated size of each strip or tile."""
WHITE_IS_ZERO, BLACK_IS_ZERO, COLOUR, WITH_PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, COLOUR: 3, WITH_PALETTE: 1, CMYK: 4, YCBCR: 3}
DEPTHS = {
    WHITE_IS_ZERO: (1, 2, 4, 8, 16),
    BLACK_IS_ZERO: (1, 2, 4, 8, 16),
    COLOUR: (8, 16),
    WITH_PALETTE: (1, 2, 4, 8),
    CMYK: (8, 16),
    YCBCR: (8,),
}
"""Valid bits per channel of each colour space."""
TOGETHER, SEPARATE = 1, 2
"""Planar configurations."""
MAX_EXTRA_SAMPLES = 1
UNSIGNED, NO_PREDICTION, DIFFERENCES = 1, 1, 2
MAX_PIECES, QUICK_PIECES = 10_000, 300
MAX_JPEG_PIECES, MAX_JPEG_SEGMENTS = 1024, 20
"""Each JPEG strip is parsed as a separate file; one that shares the page's tables has five segments."""
TILE_SIDE = 16
"""Tile sides are multiples of this."""
MAX_TILES_PIXELS = 2
"""Maximum pixels of all tiles, as a multiple of the limit per image."""
_KEPT = (tag.WIDTH, tag.HEIGHT, tag.COMPRESSION, tag.SAMPLES, tag.PLANES, tag.FILL_ORDER, tag.PREDICTOR)
_KEPT_IF_THERE = (tag.EXTRA_SAMPLES, tag.SUBSAMPLING)
_DEFAULTS = {tag.COMPRESSION: NONE, tag.SAMPLES: 1, tag.PLANES: 1, tag.FILL_ORDER: 1, tag.PREDICTOR: 1, tag.BITS: 1}


class _Page(NamedTuple):
    """Properties of the first page."""

    width: int
    height: int
    compression: int
    photometric: int
    bits: int
    samples: int
    is_separate: bool


class _Pieces(NamedTuple):
    """Strips or tiles: their size in pixels, and the number of them in the image."""

    width: int
    height: int
    number: int

    @property
    def pixels(self) -> int:
        """Return the pixels of all, including those of tiles beyond the edges of the image."""
        return self.number * self.width * self.height


def _inspect(data: bytes, limits: ImageLimits) -> CheckedImage:
    tags = read_tags(data)
    page = _read_page(tags)
    limits.check(page.width, page.height)  # before counting strips, of which there may be one per row
    pieces = _read_pieces(tags, page, limits)
    contents = _contents(data, tags, page, pieces)
    picture = write_tiff(byte_order(data), _kept_tags(tags, page, pieces), contents)
    is_quick = pieces.number <= QUICK_PIECES and pieces.pixels <= SMALL_PIXELS
    orientation = _one(tags, tag.ORIENTATION, UPRIGHT)
    decoder = partial(_decode, page=page)
    return CheckedImage("TIFF", picture, page.width, page.height, decoder, orientation, is_quick, pieces.pixels)


TIFF = Format(
    name="TIFF",
    suffixes=(".tif", ".tiff"),
    media_type="image/tiff",
    kinds=f"The first page; 1 to 16 bits a channel; compression {', '.join(dict.fromkeys(COMPRESSIONS.values()))}.",
    recognises=lambda data: data.startswith((b"II*\0", b"MM\0*")),
    inspect=_inspect,
)


def _decode(data: bytes, name: str, width: int, height: int, *, page: _Page) -> DecodedPixels:
    # OpenCV misreads alpha channels and CMYK; with Pillow, libtiff logs each row of a damaged fax image.
    decode = with_opencv if page.compression in {GROUP_3, GROUP_4} else with_pillow
    pixels = decode(data, name, width, height)
    return np.invert(pixels) if page.photometric == WHITE_IS_ZERO else pixels


def _read_page(tags: Tags) -> _Page:
    width, height = _one(tags, tag.WIDTH), _one(tags, tag.HEIGHT)
    if not width or not height:
        raise unreadable_header("TIFF")
    compression = _one(tags, tag.COMPRESSION)
    if compression not in COMPRESSIONS:
        known = ", ".join(dict.fromkeys(COMPRESSIONS.values()))
        raise UnsupportedImageError(
            f"The TIFF image has an unsupported compression; save it with one of these: {known}."
        )
    photometric = _one(tags, tag.PHOTOMETRIC, WHITE_IS_ZERO)
    bits, samples = set(tags.get(tag.BITS, (1,))), _one(tags, tag.SAMPLES)
    extra = tags.get(tag.EXTRA_SAMPLES, ())
    is_separate = _one(tags, tag.PLANES) == SEPARATE
    is_known = (
        photometric in CHANNELS
        and len(bits) == 1
        and bits <= set(DEPTHS[photometric])
        and 0 <= samples - CHANNELS[photometric] <= MAX_EXTRA_SAMPLES
        and len(extra) <= MAX_EXTRA_SAMPLES
        and set(tags.get(tag.SAMPLE_FORMAT, (UNSIGNED,))) == {UNSIGNED}
        and _one(tags, tag.PREDICTOR) in {NO_PREDICTION, DIFFERENCES}
        and _one(tags, tag.PLANES) in {TOGETHER, SEPARATE}
        and _one(tags, tag.FILL_ORDER) in {1, 2}
        and (photometric != YCBCR or compression == JPEG_STRIPS)
        and (photometric != WHITE_IS_ZERO or samples == 1)
        and not (is_separate and compression == NONE and bits == {16})  # misread by Pillow
    )
    if not is_known:
        raise UnsupportedImageError(
            "The TIFF image has an unsupported pixel format; save it as grey or RGB with 8 or 16 bits a channel, "
            "or as PNG."
        )
    return _Page(width, height, compression, photometric, bits.pop(), samples, is_separate)


def _read_pieces(tags: Tags, page: _Page, limits: ImageLimits) -> _Pieces:
    planes = page.samples if page.is_separate else 1
    if tag.TILE_WIDTH in tags:
        width, height = _one(tags, tag.TILE_WIDTH), _one(tags, tag.TILE_HEIGHT)
        if not width or not height or width % TILE_SIDE or height % TILE_SIDE:
            raise damaged("TIFF", "its tiles have an invalid size")
    else:
        width, height = page.width, min(_one(tags, tag.ROWS_PER_STRIP, page.height) or page.height, page.height)
    pieces = _Pieces(width, height, math.ceil(page.width / width) * math.ceil(page.height / height) * planes)
    if pieces.pixels > MAX_TILES_PIXELS * planes * limits.max_pixels:
        raise ImageTooLargeError(f"The tiles of the TIFF image are too large; {limits}")
    max_pieces = MAX_JPEG_PIECES if page.compression == JPEG_STRIPS else MAX_PIECES
    if pieces.number > max_pieces:
        raise damaged("TIFF", f"it has more than {max_pieces:,} strips or tiles")
    return pieces


def _contents(data: bytes, tags: Tags, page: _Page, pieces: _Pieces) -> list[bytes]:
    """Return the contents of the strips or tiles, none of which may overlap."""
    in_tiles = tag.TILE_WIDTH in tags
    starts = tags.get(tag.TILE_OFFSETS if in_tiles else tag.STRIP_OFFSETS, ())[: pieces.number]
    lengths = tags.get(tag.TILE_BYTES if in_tiles else tag.STRIP_BYTES, ())[: pieces.number]
    if not lengths and page.compression == NONE and len(starts) == pieces.number == 1:
        lengths = (_bytes_of(page, pieces.width, page.height),)  # omitted by old programs
    if len(starts) < pieces.number or len(lengths) < pieces.number:
        raise damaged("TIFF", "it has too few strips or tiles for its size")
    if sum(lengths) > len(data):
        raise truncated("TIFF")
    contents = [data[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    for number, (content, length) in enumerate(zip(contents, lengths, strict=True)):
        if len(content) < length or len(content) < _min_bytes(page, pieces, number, in_tiles=in_tiles):
            raise truncated("TIFF")
    if page.compression != JPEG_STRIPS:
        return contents
    return [jpeg_picture_of(content, MAX_JPEG_SEGMENTS)[0] for content in contents]


def _min_bytes(page: _Page, pieces: _Pieces, number: int, *, in_tiles: bool) -> int:
    """Return the minimum bytes of a strip or tile: all, if it is not compressed."""
    if page.compression != NONE:
        return 1
    rows = pieces.height
    if not in_tiles:  # the last may have fewer rows
        rows = min(rows, page.height - rows * (number % math.ceil(page.height / rows)))
    return _bytes_of(page, pieces.width, rows)


def _bytes_of(page: _Page, width: int, height: int) -> int:
    samples = 1 if page.is_separate else page.samples
    return math.ceil(width * samples * page.bits / 8) * height


def _kept_tags(tags: Tags, page: _Page, pieces: _Pieces) -> Tags:
    kept: Tags = {name: (_one(tags, name),) for name in _KEPT}
    kept |= {name: tags[name] for name in _KEPT_IF_THERE if tags.get(name)}
    kept[tag.BITS] = (page.bits,) * page.samples
    # Decoders invert only some variants of white-is-zero, so `_decode` inverts all.
    kept[tag.PHOTOMETRIC] = (BLACK_IS_ZERO if page.photometric == WHITE_IS_ZERO else page.photometric,)
    if tag.TILE_WIDTH in tags:
        kept |= {tag.TILE_WIDTH: (pieces.width,), tag.TILE_HEIGHT: (pieces.height,)}
    else:
        kept[tag.ROWS_PER_STRIP] = (pieces.height,)
    if page.photometric == WITH_PALETTE:
        kept[tag.PALETTE] = tags.get(tag.PALETTE, ())
        if len(kept[tag.PALETTE]) != 3 << page.bits:
            raise damaged("TIFF", "its palette has the wrong length")
    if page.compression == JPEG_STRIPS and (tables := tags.get(tag.JPEG_TABLES)):
        if len(tables) > MAX_TABLE_BYTES:
            raise damaged("TIFF", f"its JPEG tables take more than {MAX_TABLE_BYTES:,} bytes")
        kept[tag.JPEG_TABLES] = tables
    return kept


def _one(tags: Tags, name: int, default: int = 0) -> int:
    """Return the first value of a tag."""
    return next(iter(tags.get(name, ())), _DEFAULTS.get(name, default))
