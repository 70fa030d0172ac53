"""The table of formats, and those that are refused with what to do instead."""

import io
from itertools import chain

import pytest
from PIL import Image

from app.inference.images import ACCEPTED, FORMATS, SUFFIXES, ImageLimits, UnsupportedImageError, check_image
from app.inference.images.formats.format import Format

LIMITS = ImageLimits()


def file_of(file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, file_format, **options)
    return buffer.getvalue()


def message(data: bytes) -> str:
    with pytest.raises(UnsupportedImageError) as caught:
        check_image(data, LIMITS)
    return str(caught.value)


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
class TestEachFormat:
    def test_its_files_are_told_by_their_content(self, one: Format) -> None:
        data = file_of(one.name.upper())
        assert [other.name for other in FORMATS if other.recognises(data)] == [one.name]
        assert check_image(data, LIMITS).format == one.name

    def test_what_is_accepted_names_it(self, one: Format) -> None:
        assert one.name in ACCEPTED


def test_no_two_formats_share_a_suffix_or_a_media_type() -> None:
    assert len(set(SUFFIXES)) == len(SUFFIXES) == len(list(chain.from_iterable(one.suffixes for one in FORMATS)))
    assert len({one.media_type for one in FORMATS}) == len(FORMATS)


def test_suffixes_are_small_letters_behind_a_dot() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


SVGS = {
    "bare": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "as XML": b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="9" height="9"></svg>',
    "with a type": b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd"><svg></svg>',
    "with a prefix": b"<svg:svg></svg:svg>",
}


@pytest.mark.parametrize("svg", SVGS.values(), ids=SVGS)
def test_svg_is_refused_with_what_to_do(svg: bytes) -> None:
    assert message(svg) == "SVG is not a picture of pixels: export it as PNG."


REFUSED = {
    "AVIF": (file_of("AVIF"), "AVIF is not read: export it as PNG."),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(12), "HEIC is not read: export it as PNG."),
    "JPEG 2000": (file_of("JPEG2000"), "JPEG 2000 is not read: export it as PNG."),
    "JPEG XL": (b"\xff\x0a" + bytes(20), "JPEG XL is not read: export it as PNG."),
    "PDF": (file_of("PDF"), "PDF is a document and not a picture: export the page as PNG."),
    "PostScript": (file_of("EPS"), "PostScript is a document and not a picture: export the page as PNG."),
    "PSD": (b"8BPS\0\1" + bytes(20), "Photoshop (PSD) holds layers: export them as one PNG."),
    "ICO": (file_of("ICO"), "ICO holds several pictures: export the largest as PNG."),
    "PPM": (file_of("PPM"), "Netpbm is not read: export it as PNG."),
    "PCX": (file_of("PCX"), "PCX is not read: export it as PNG."),
    "DDS": (file_of("DDS"), "DDS is not read: export it as PNG."),
    "BigTIFF": (file_of("TIFF", big_tiff=True), "BigTIFF is not read: save it as TIFF or PNG."),
    "MP4": (b"\0\0\0\x18ftypisom" + bytes(12), "A video (MP4) is not read: send a still frame."),
    "ZIP": (b"PK\3\4" + bytes(30), "A ZIP archive is not an image: unpack it and send what is in it."),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_known_formats_are_refused_with_what_to_do(data: bytes, words: str) -> None:
    assert message(data) == words


@pytest.mark.parametrize("data", [b"words", b"<html><svg></svg></html>", b"<?xml version='1.0'?><a/>", bytes(100)])
def test_anything_else_is_refused_with_what_is_accepted(data: bytes) -> None:
    assert message(data) == f"The upload is not an image that is read here; send {ACCEPTED}."


def test_a_text_that_looks_like_the_start_of_an_svg_costs_nothing() -> None:
    for start in (b"<!--" * 200_000, b"<?xml " * 200_000, b" " * 1_000_000, b"<!DOCTYPE svg" * 80_000):
        assert "not an image" in message(start)
