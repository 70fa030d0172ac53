"""GIF (87a and 89a): still images, and animations, whose frames are combined.

Pillow decodes each frame as a separate image, so it never parses extensions, comments or other frames. Placement and
disposal of the frames are implemented here.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.inference.images.checked import SMALL_PIXELS, CheckedImage
from app.inference.images.composition import compose
from app.inference.images.decoders import with_pillow
from app.inference.images.errors import ImageTooLargeError, damaged, truncated
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits
from app.inference.images.pixels import DecodedPixels, on_white

MAX_BLOCKS = 200_000
"""Maximum number of sub-blocks, which have up to 255 bytes each."""
MAX_PARTS = 5000
"""Maximum number of extensions and frames."""
MAX_FRAMES, QUICK_FRAMES = 1000, 10
MAX_FRAMES_PIXELS = 4
"""Maximum pixels of all frames, as a multiple of the limit per image."""
MAX_COMPOSED_FRAMES, MAX_COMPOSED_PIXELS = 32, 4_000_000
"""Maximum number and total pixels of the frames combined; evenly spaced ones are chosen from a larger animation."""
FRAME_PIXELS = 4000
"""Pixels that take as long to decode as the rest of a frame."""

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_PADDING = re.compile(rb"\0*")
_CONTROL = bytes([0xF9, 4])
"""Label and length at the start of a graphic control extension."""
_HAS_PALETTE, _PALETTE_BITS, _INTERLACED, _HAS_TRANSPARENCY = 0x80, 0x07, 0x40, 0x01
_TO_BACKGROUND, _TO_PREVIOUS = 2, 3
_SCREEN = struct.Struct("<6sHHBBB")
_DESCRIPTOR = struct.Struct("<HHHHB")


class _Control(NamedTuple):
    """Transparency and disposal of the next frame."""

    disposal: int = 0
    transparent: int | None = None


class _Frame(NamedTuple):
    """Frame: its position on the canvas, its palette, and the start and end of its compressed palette indices."""

    left: int
    top: int
    width: int
    height: int
    is_interlaced: bool
    palette: bytes
    control: _Control
    start: int
    end: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Return its rows and columns of the canvas."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def _inspect(data: bytes, limits: ImageLimits) -> CheckedImage:
    frames = [frame for frame in _frames(data) if frame.width and frame.height]
    if not frames:
        raise damaged("GIF", "it has no image")
    _, width, height, *_ = _SCREEN.unpack_from(data)
    width = max(width, *(frame.left + frame.width for frame in frames))
    height = max(height, *(frame.top + frame.height for frame in frames))
    limits.check(width, height)
    pixels = sum(frame.width * frame.height for frame in frames)
    if pixels > MAX_FRAMES_PIXELS * limits.max_pixels:
        raise ImageTooLargeError(
            f"The GIF animation has {len(frames):,} frames of {pixels:,} pixels in total; "
            f"the limit is {MAX_FRAMES_PIXELS * limits.max_pixels:,}; send one of its frames."
        )
    is_quick = len(frames) <= QUICK_FRAMES and len(frames) * width * height <= SMALL_PIXELS
    composed = _composed_frames(len(frames), width, height) * width * height if len(frames) > 1 else 0
    more_pixels = max(pixels, composed) + len(frames) * FRAME_PIXELS
    decoder = partial(_decode, frames=frames)
    return CheckedImage("GIF", data, width, height, decoder, is_quick=is_quick, more_pixels=more_pixels)


GIF = Format(
    name="GIF",
    suffixes=(".gif",),
    media_type="image/gif",
    kinds=f"Still images, and animations of up to {MAX_FRAMES:,} frames, which are combined.",
    recognises=lambda data: data.startswith((b"GIF87a", b"GIF89a")),
    inspect=_inspect,
)


def _frames(data: bytes) -> Iterator[_Frame]:
    """Yield the frames; raise for a truncated one, but do not require an end marker."""
    if len(data) < _SCREEN.size:
        raise truncated("GIF")
    shared_palette, position = _palette(data, _SCREEN.size, data[10])
    control, frames, blocks, parts = _Control(), 0, 0, 0
    while (position := _skip_padding(data, position)) < len(data) and data[position] != _END:
        if data[position] == _EXTENSION:
            if data[position + 1 : position + 3] == _CONTROL:
                control = _read_control(data[position + 3 : position + 7])
            position, blocks = _skip_blocks(data, position + 2, blocks)
        elif data[position] == _IMAGE:
            place, palette, start = _read_descriptor(data, position + 1)
            position, blocks = _skip_blocks(data, start + 1, blocks)
            frames += 1
            if frames > MAX_FRAMES:
                raise ImageTooLargeError(
                    f"The GIF animation has more than {MAX_FRAMES:,} frames; send one of its frames."
                )
            yield _Frame(*place, palette or shared_palette, control, start, position)
            control = _Control()
        else:
            raise damaged("GIF", "it has a block of an unknown type")
        parts += 1
        if parts > MAX_PARTS:
            raise damaged("GIF", f"it has more than {MAX_PARTS:,} extensions and frames")


def _read_descriptor(data: bytes, position: int) -> tuple[tuple[int, int, int, int, bool], bytes, int]:
    """Return a frame's position, size and interlacing, its own palette, and the start of its pixels."""
    if position + _DESCRIPTOR.size > len(data):
        raise truncated("GIF")
    left, top, width, height, flags = _DESCRIPTOR.unpack_from(data, position)
    palette, start = _palette(data, position + _DESCRIPTOR.size, flags)
    return (left, top, width, height, bool(flags & _INTERLACED)), palette, start


def _palette(data: bytes, start: int, flags: int) -> tuple[bytes, int]:
    """Return the palette, empty unless the flags announce one, and its end."""
    end = start + (3 << (flags & _PALETTE_BITS) + 1 if flags & _HAS_PALETTE else 0)
    return data[start:end], end


def _read_control(body: bytes) -> _Control:
    if len(body) < 4:
        raise truncated("GIF")
    return _Control(body[0] >> 2 & 7, body[3] if body[0] & _HAS_TRANSPARENCY else None)


def _skip_padding(data: bytes, position: int) -> int:
    """Return the start of the next block; some programs write zeros in between."""
    padding = _PADDING.match(data, position)
    return position if padding is None else padding.end()


def _skip_blocks(data: bytes, position: int, blocks: int) -> tuple[int, int]:
    """Return the end of a chain of sub-blocks, and their number added to `blocks`."""
    try:
        while size := data[position]:
            position, blocks = position + 1 + size, blocks + 1
            if blocks > MAX_BLOCKS:
                raise damaged("GIF", f"it has more than {MAX_BLOCKS:,} blocks")
    except IndexError:
        raise truncated("GIF") from None
    return position + 1, blocks


def _decode(data: bytes, _: str, width: int, height: int, *, frames: Sequence[_Frame]) -> DecodedPixels:
    count = _composed_frames(len(frames), width, height)
    chosen = frozenset(np.linspace(len(frames) - 1, 0, count).astype(int).tolist())  # the last frame, if only one
    played = enumerate(_play(data, frames, (height, width)))
    shown = np.stack([canvas.copy() for number, canvas in played if number in chosen])
    pixels = shown.view(np.uint8).reshape(len(shown) * height, width, 4)
    if len(shown) == 1:
        return pixels
    # All frames as one tall image, so that `on_white` treats all in the same way.
    opaque = on_white(pixels)
    return compose(opaque.reshape(len(shown), height, width, *opaque.shape[2:]))


def _composed_frames(frames: int, width: int, height: int) -> int:
    return min(frames, MAX_COMPOSED_FRAMES, max(1, MAX_COMPOSED_PIXELS // (width * height)))


def _play(data: bytes, frames: Sequence[_Frame], shape: tuple[int, int]) -> Iterator[NDArray[np.uint32]]:
    """Yield the canvas after each frame: BGRA packed in uint32 (height, width).

    It is the same array each time.
    """
    canvas = np.zeros(shape, np.uint32)
    for frame in frames:
        region = canvas[frame.place]
        before = region.copy() if frame.control.disposal == _TO_PREVIOUS else None
        indices = with_pillow(_still(data, frame), "GIF", frame.width, frame.height)
        colours = _colours(frame.palette)[indices]
        if frame.control.transparent is None:
            region[:] = colours
        else:
            np.copyto(region, colours, where=indices != frame.control.transparent)
        yield canvas
        if before is not None:
            region[:] = before
        elif frame.control.disposal == _TO_BACKGROUND:
            region[:] = 0  # transparent, like browsers


def _still(data: bytes, frame: _Frame) -> bytes:
    """Return a GIF of this frame alone without a palette, which Pillow decodes to palette indices."""
    size = frame.width, frame.height
    descriptor = _DESCRIPTOR.pack(0, 0, *size, _INTERLACED if frame.is_interlaced else 0)
    screen = _SCREEN.pack(b"GIF87a", *size, 0, 0, 0)
    return b"".join([screen, bytes([_IMAGE]), descriptor, data[frame.start : frame.end], bytes([_END])])


def _colours(palette: bytes) -> NDArray[np.uint32]:
    """Return the BGRA colour of each index: greys without a palette, black beyond its end."""
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 3] = 255
    if palette:
        given = np.frombuffer(palette, np.uint8)[: len(palette) // 3 * 3].reshape(-1, 3)
        colours[: len(given), :3] = given[:, ::-1]
    else:
        colours[:, :3] = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    return colours.view(np.uint32)[:, 0]
