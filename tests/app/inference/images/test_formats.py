"""The table of formats, and unsupported formats refused with advice."""

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
    def test_its_files_are_recognised_by_content(self, one: Format) -> None:
        data = file_of(one.name.upper())
        assert [other.name for other in FORMATS if other.recognises(data)] == [one.name]
        assert check_image(data, LIMITS).format == one.name

    def test_it_is_in_the_list_of_accepted_formats(self, one: Format) -> None:
        assert one.name in ACCEPTED


def test_no_two_formats_share_a_suffix_or_a_media_type() -> None:
    assert len(set(SUFFIXES)) == len(SUFFIXES) == len(list(chain.from_iterable(one.suffixes for one in FORMATS)))
    assert len({one.media_type for one in FORMATS}) == len(FORMATS)


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


SVGS = {
    "bare": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "as XML": b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="9" height="9"></svg>',
    "with a type": b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd"><svg></svg>',
    "with a prefix": b"<svg:svg></svg:svg>",
}


@pytest.mark.parametrize("svg", SVGS.values(), ids=SVGS)
def test_svg_is_refused_with_advice(svg: bytes) -> None:
    assert message(svg) == "SVG is a vector format: export it as PNG."


REFUSED = {
    "AVIF": (file_of("AVIF"), "AVIF is not supported: export it as PNG."),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(12), "HEIC is not supported: export it as PNG."),
    "JPEG 2000": (file_of("JPEG2000"), "JPEG 2000 is not supported: export it as PNG."),
    "JPEG XL": (b"\xff\x0a" + bytes(20), "JPEG XL is not supported: export it as PNG."),
    "PDF": (file_of("PDF"), "PDF is a document, not an image: export the page as PNG."),
    "PostScript": (file_of("EPS"), "PostScript is a document, not an image: export the page as PNG."),
    "PSD": (b"8BPS\0\1" + bytes(20), "Photoshop (PSD) contains layers: export them as one PNG."),
    "ICO": (file_of("ICO"), "ICO contains several images: export the largest as PNG."),
    "PPM": (file_of("PPM"), "Netpbm is not supported: export it as PNG."),
    "PCX": (file_of("PCX"), "PCX is not supported: export it as PNG."),
    "DDS": (file_of("DDS"), "DDS is not supported: export it as PNG."),
    "BigTIFF": (file_of("TIFF", big_tiff=True), "BigTIFF is not supported: save it as TIFF or PNG."),
    "MP4": (b"\0\0\0\x18ftypisom" + bytes(12), "A video (MP4) is not supported: send a frame."),
    "ZIP": (b"PK\3\4" + bytes(30), "A ZIP archive is not an image: unpack it and send its content."),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_known_formats_are_refused_with_advice(data: bytes, words: str) -> None:
    assert message(data) == words


@pytest.mark.parametrize("data", [b"words", b"<html><svg></svg></html>", b"<?xml version='1.0'?><a/>", bytes(100)])
def test_anything_else_is_refused_with_the_accepted_formats(data: bytes) -> None:
    assert message(data) == f"The upload is not a supported image; send {ACCEPTED}."


def test_a_text_like_the_start_of_an_svg_is_refused_at_once() -> None:
    for start in (b"<!--" * 200_000, b"<?xml " * 200_000, b" " * 1_000_000, b"<!DOCTYPE svg" * 80_000):
        assert "not a supported image" in message(start)
