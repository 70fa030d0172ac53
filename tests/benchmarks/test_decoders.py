"""PNG decoders, timed in turn."""

import io

import numpy as np
import pytest
from PIL import Image

from app.inference.images import check_image
from app.inference.images.limits import DEFAULT_LIMITS
from benchmarks.sections.decoders import DECODERS, decode_in_turn


@pytest.fixture
def upload() -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (50, 200, 4), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def test_each_decoder_takes_its_time(upload: bytes) -> None:
    times = decode_in_turn([upload])
    assert times.keys() == DECODERS.keys()
    assert all(microseconds > 0 for microseconds in times.values())


def test_each_decoder_decodes_all_channels(upload: bytes) -> None:
    image = check_image(upload, DEFAULT_LIMITS)
    for name, decode in DECODERS.items():
        assert np.asarray(decode(image.data, image.width, image.height)).shape == (50, 200, 4), name
