"""`decode_image` compared with Pillow for every supported kind of image."""

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from app.inference.images import Pixels, decode_image

HEIGHT, WIDTH = 24, 40
NOISE = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
SMOOTH = cv2.GaussianBlur(NOISE, (0, 0), 3)
ALL_ORIENTATIONS = range(1, 9)
TIFF_COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")


def file_of(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(size: tuple[int, int], depth: int, colour_type: int, rows: Iterable[bytes], trns: bytes = b"") -> bytes:
    """Build a PNG that Pillow does not write, from rows of packed samples."""
    header = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"tRNS", trns) if trns else b"")
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def png_16_bits(samples: NDArray[np.uint16], trns: bytes = b"") -> bytes:
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[samples.shape[2]]
    rows = (row.astype(">u2").tobytes() for row in samples)
    return raw_png((samples.shape[1], samples.shape[0]), 16, colour_type, rows, trns)


def pillows_view(data: bytes) -> Pixels:
    """Return Pillow's image upright, on white, as BGR."""
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    white = Image.new("RGBA", upright.size, "white")
    white.alpha_composite(upright)
    return np.asarray(white.convert("RGB"))[..., ::-1]


def in_colour(pixels: Pixels) -> Pixels:
    return np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels


def assert_seen_as_pillow_sees_it(data: bytes, tolerance: int = 0) -> None:
    decoded, expected = in_colour(decode_image(data)), pillows_view(data)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= tolerance


def noise(mode: str) -> Image.Image:
    return Image.fromarray(NOISE).convert("RGB").quantize(16) if mode == "P" else Image.fromarray(NOISE).convert(mode)


def smooth(mode: str) -> Image.Image:
    return Image.fromarray(SMOOTH).convert(mode)


LOSSLESS = {
    "png grey": file_of(noise("L"), "PNG"),
    "png colour": file_of(noise("RGB"), "PNG"),
    "png colour, alpha": file_of(noise("RGBA"), "PNG"),
    "png grey, alpha": file_of(noise("LA"), "PNG"),
    "png palette of 4 bits": file_of(noise("P"), "PNG", bits=4),
    "png palette of 8 bits": file_of(noise("P"), "PNG", bits=8),
    "png palette, one colour transparent": file_of(noise("P"), "PNG", transparency=3),
    "png palette, each colour with its alpha": file_of(noise("P"), "PNG", transparency=bytes(range(15, 255, 16))),
    "png 1 bit": file_of(noise("1"), "PNG"),
    "png colour, one transparent": file_of(noise("RGB"), "PNG", transparency=tuple(NOISE[3, 4, :3].tolist())),
    "png grey, one transparent": file_of(noise("L"), "PNG", transparency=noise("L").getpixel((4, 3))),
    "png optimised": file_of(smooth("RGB"), "PNG", optimize=True),
    "png of one frame as APNG": file_of(noise("RGB"), "PNG", save_all=True),
    "webp lossless": file_of(noise("RGB"), "WEBP", lossless=True),
    "webp lossless, alpha": file_of(noise("RGBA"), "WEBP", lossless=True, exact=True),
    "webp lossless grey": file_of(noise("L"), "WEBP", lossless=True),
    "gif palette": file_of(noise("P"), "GIF"),
    "gif grey": file_of(noise("L"), "GIF"),
    "gif of two colours": file_of(noise("1"), "GIF"),
    "gif interlaced": file_of(noise("P"), "GIF", interlace=1),
    "gif not interlaced": file_of(noise("P"), "GIF", interlace=0),
    "gif, one colour transparent": file_of(noise("P"), "GIF", transparency=3),
    "bmp 1 bit": file_of(noise("1"), "BMP"),
    "bmp grey": file_of(noise("L"), "BMP"),
    "bmp palette": file_of(noise("P"), "BMP"),
    "bmp colour": file_of(noise("RGB"), "BMP"),
    "bmp colour, alpha": file_of(noise("RGBA"), "BMP"),
    **{f"tiff {mode}": file_of(noise(mode), "TIFF") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")},
    **{f"tiff {name}": file_of(noise("RGB"), "TIFF", compression=name) for name in TIFF_COMPRESSIONS},
    **{f"tiff 1 bit {name}": file_of(noise("1"), "TIFF", compression=name) for name in ("group3", "group4")},
    "tiff in strips": file_of(noise("RGB"), "TIFF", strip_size=WIDTH * 3 * 5, compression="tiff_lzw"),
    "tiff predicted": file_of(noise("RGB"), "TIFF", tiffinfo={317: 2}, compression="tiff_lzw"),
    "tiff of pages": file_of(noise("L"), "TIFF", save_all=True, append_images=[noise("RGB")]),
}
LOSSY = {
    "jpeg grey": file_of(smooth("L"), "JPEG", quality=90),
    "jpeg colour": file_of(smooth("RGB"), "JPEG", quality=90),
    "jpeg without subsampling": file_of(smooth("RGB"), "JPEG", quality=90, subsampling=0),
    "jpeg progressive": file_of(smooth("RGB"), "JPEG", quality=90, progressive=True),
    "jpeg progressive grey": file_of(smooth("L"), "JPEG", quality=90, progressive=True),
    "jpeg cmyk": file_of(smooth("CMYK"), "JPEG", quality=90),
    "webp lossy": file_of(smooth("RGB"), "WEBP", quality=90),
    "webp lossy, alpha": file_of(smooth("RGBA"), "WEBP", quality=90),
    "tiff jpeg": file_of(smooth("RGB"), "TIFF", compression="jpeg", quality=90),
    "tiff jpeg grey": file_of(smooth("L"), "TIFF", compression="jpeg", quality=90),
    "tiff jpeg cmyk": file_of(smooth("CMYK"), "TIFF", compression="jpeg", quality=90),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_images_are_decoded_exactly(kind: str) -> None:
    assert_seen_as_pillow_sees_it(LOSSLESS[kind])


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_images_are_decoded_like_by_pillow(kind: str) -> None:
    # Decoders round YCbCr and CMYK in their own ways.
    assert_seen_as_pillow_sees_it(LOSSY[kind], tolerance=2)


@pytest.mark.parametrize(
    "data",
    [
        LOSSLESS["png grey"],
        LOSSLESS["png 1 bit"],
        LOSSY["jpeg grey"],
        LOSSLESS["bmp grey"],
        LOSSLESS["bmp 1 bit"],
        LOSSLESS["tiff L"],
        LOSSLESS["tiff 1"],
    ],
)
def test_grey_images_stay_grey(data: bytes) -> None:
    assert decode_image(data).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY])
def test_pixels_are_bytes_in_one_or_three_channels(kind: str) -> None:
    decoded = decode_image({**LOSSLESS, **LOSSY}[kind])
    assert decoded.dtype == np.uint8
    assert decoded.shape in {(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)}


def test_channels_are_blue_green_red() -> None:
    red_left_of_blue = np.zeros((2, 2, 3), np.uint8)
    red_left_of_blue[:, 0, 0] = red_left_of_blue[:, 1, 2] = 255
    decoded = decode_image(file_of(Image.fromarray(red_left_of_blue), "PNG"))
    assert decoded[0].tolist() == [[0, 0, 255], [255, 0, 0]]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_is_scaled_from_black_to_white(depth: int) -> None:
    # All values, packed into bytes of 8 / depth samples.
    values = np.arange(2**depth, dtype=np.uint8).repeat(8)
    bits = np.unpackbits(values[:, np.newaxis], axis=1)[:, -depth:]
    decoded = decode_image(raw_png((len(values), 1), depth, 0, [np.packbits(bits).tobytes()]))
    np.testing.assert_array_equal(decoded[0], np.linspace(0, 255, 2**depth).astype(int).repeat(8))


def test_16_bits_of_grey_become_8_by_rounding() -> None:
    samples = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, 1)).astype(np.uint16)
    np.testing.assert_array_equal(decode_image(png_16_bits(samples)), np.rint(samples[..., 0] / 257))


def test_16_bits_of_colour_become_8_by_rounding() -> None:
    samples = np.random.default_rng(2).integers(0, 65536, (HEIGHT, WIDTH, 3)).astype(np.uint16)
    np.testing.assert_array_equal(decode_image(png_16_bits(samples))[..., ::-1], np.rint(samples / 257))


@pytest.mark.parametrize("channels", [2, 4])
def test_16_bits_with_alpha_are_put_on_white(channels: int) -> None:
    samples = np.random.default_rng(3).integers(0, 65536, (HEIGHT, WIDTH, channels)).astype(np.uint16)
    colour, alpha = samples[..., :-1] / 65535, samples[..., -1:] / 65535
    expected = np.broadcast_to(255 * (colour * alpha + 1 - alpha), (HEIGHT, WIDTH, 3))
    decoded = in_colour(decode_image(png_16_bits(samples)))[..., ::-1]
    assert np.abs(decoded - expected).max() <= 1.5


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_the_transparent_grey_becomes_white(depth: int) -> None:
    values = np.arange(2**depth, dtype=np.uint8).repeat(8)
    bits = np.unpackbits(values[:, np.newaxis], axis=1)[:, -depth:]
    row = np.packbits(bits).tobytes()
    transparent = 2 ** (depth - 1) + 1
    decoded = decode_image(raw_png((len(values), 1), depth, 0, [row], struct.pack(">H", transparent)))
    expected = np.where(values == transparent, 255, values * (255 // (2**depth - 1)))
    np.testing.assert_array_equal(in_colour(decoded)[0], np.dstack([expected] * 3)[0])


def test_the_transparent_grey_of_16_bits_becomes_white() -> None:
    samples = np.array([[[0], [1000], [1001], [65535]]], np.uint16)
    decoded = decode_image(png_16_bits(samples, struct.pack(">H", 1000)))
    assert in_colour(decoded)[0, :, 0].tolist() == [0, 255, 4, 255]


def test_the_transparent_colour_of_16_bits_becomes_white() -> None:
    samples = np.array([[[0, 0, 0], [1000, 2000, 3000], [1000, 2000, 3001]]], np.uint16)
    decoded = decode_image(png_16_bits(samples, struct.pack(">HHH", 1000, 2000, 3000)))
    assert decoded[0].tolist() == [[0, 0, 0], [255, 255, 255], [12, 8, 4]]


def ink(shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Pixels:
    """Return the alpha channel of a text on a transparent background."""
    image = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(image).text((4, 4), "4gm8x", fill=255)
    return np.asarray(image)


def written_in(colour: tuple[int, int, int], file_format: str = "PNG") -> bytes:
    pixels = np.dstack([np.full((HEIGHT, WIDTH, 3), colour, np.uint8), ink()])
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    return file_of(Image.fromarray(pixels), file_format, **options)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (248, 250, 255)])
def test_text_only_in_the_alpha_channel_is_dark_on_white(colour: tuple[int, int, int], file_format: str) -> None:
    decoded = in_colour(decode_image(written_in(colour, file_format)))
    np.testing.assert_array_equal(decoded, np.dstack([255 - ink()] * 3))


def test_transparent_text_in_a_colour_is_blended_with_white() -> None:
    decoded = decode_image(written_in((200, 0, 0)))
    opacity = ink()[..., np.newaxis] / 255
    np.testing.assert_array_equal(decoded, np.rint(opacity * (0, 0, 200) + (1 - opacity) * 255))


def test_white_ink_of_a_palette_is_dark_on_white() -> None:
    image = Image.fromarray((ink() > 100).astype(np.uint8), "P")
    image.putpalette([255, 255, 255, 255, 255, 255])
    decoded = in_colour(decode_image(file_of(image, "PNG", transparency=0)))
    np.testing.assert_array_equal(decoded[..., 0], np.where(ink() > 100, 0, 255))


@pytest.mark.parametrize("colour", [0, 90, 255])
def test_a_fully_transparent_image_is_white(colour: int) -> None:
    pixels = np.full((HEIGHT, WIDTH, 4), colour, np.uint8)
    pixels[..., 3] = 0
    decoded = decode_image(file_of(Image.fromarray(pixels), "PNG"))
    np.testing.assert_array_equal(in_colour(decoded), np.full((HEIGHT, WIDTH, 3), 255))


@pytest.mark.parametrize("opacity", [255, 128])
def test_a_faint_image_of_uniform_opacity_stays_faint(opacity: int) -> None:
    faint = np.where(ink() > 100, 245, 255).astype(np.uint8)
    image = Image.fromarray(np.dstack([faint, faint, faint, np.full_like(faint, opacity)]))
    expected = np.rint(faint * (opacity / 255) + 255 - opacity)
    np.testing.assert_array_equal(decode_image(file_of(image, "PNG")), np.dstack([expected] * 3))


def oriented(orientation: int, file_format: str, mode: str = "RGB") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if file_format == "WEBP" else {}
    return file_of(smooth(mode), file_format, exif=exif, **options)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", ALL_ORIENTATIONS)
def test_images_are_turned_upright(orientation: int, file_format: str) -> None:
    data = oriented(orientation, file_format)
    assert decode_image(data).shape[:2] == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))
    assert_seen_as_pillow_sees_it(data, tolerance=2)


@pytest.mark.parametrize("orientation", ALL_ORIENTATIONS)
@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_grey_and_transparent_images_are_turned_upright(orientation: int, mode: str) -> None:
    assert_seen_as_pillow_sees_it(oriented(orientation, "PNG", mode))


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_invalid_orientation_is_ignored(orientation: int) -> None:
    assert decode_image(oriented(orientation, "JPEG")).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\x08\0", b"Exif\0\0no TIFF at all"])
def test_unreadable_metadata_are_ignored(file_format: str, exif: bytes) -> None:
    plain = decode_image(file_of(smooth("RGB"), file_format))
    np.testing.assert_array_equal(decode_image(file_of(smooth("RGB"), file_format, exif=exif)), plain)


def test_bytes_after_the_end_are_ignored() -> None:
    kinds = ("png colour", "webp lossless", "gif palette", "bmp palette", "tiff RGB")
    for data in (LOSSY["jpeg colour"], *(LOSSLESS[kind] for kind in kinds)):
        np.testing.assert_array_equal(decode_image(data + b"\xff\x00trailing"), decode_image(data))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_smallest_images_are_decoded(size: tuple[int, int], file_format: str) -> None:
    width, height = size
    decoded = decode_image(file_of(Image.new("RGB", size, (9, 9, 9)), file_format))
    assert decoded.shape == (height, width, 3)
    assert np.abs(decoded.astype(int) - 9).max() <= 2


def test_a_preview_in_a_photo_is_ignored() -> None:
    photo, preview = Image.new("L", (60, 40), 90), Image.new("L", (6, 4), 200)
    file = io.BytesIO()
    photo.save(file, format="MPO", save_all=True, append_images=[preview])
    pixels = decode_image(file.getvalue())
    assert pixels.shape[:2] == (40, 60)
    assert abs(int(pixels.mean()) - 90) <= 2
