from pathlib import Path

import pytest

from app.inference.images import (
    DamagedImageError,
    ImageError,
    ImageLimits,
    ImageTooLargeError,
    UnsupportedImageError,
    decode_image,
)
from app.inference.models.model import ImageToTextModel, Reading
from app.inference.reading import read_uploads

LIMITS = ImageLimits()


@pytest.fixture(scope="module")
def model(shipped_model: Path) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


def texts(results: list[Reading | ImageError]) -> list[str | type[ImageError]]:
    return [result.text if isinstance(result, Reading) else type(result) for result in results]


def test_readings_are_in_the_order_of_the_uploads(model: ImageToTextModel, samples: dict[str, bytes]) -> None:
    labels = [*samples, *reversed(samples)]
    results = read_uploads(model, [samples[label] for label in labels], LIMITS)
    assert texts(results) == labels


def test_errors_stand_in_the_places_of_their_uploads(model: ImageToTextModel, samples: dict[str, bytes]) -> None:
    first, second, *_ = samples
    uploads = [b"", samples[first], samples[first][:200], samples[second], b"GIF89a"]
    results = read_uploads(model, uploads, LIMITS)
    assert texts(results) == [UnsupportedImageError, first, DamagedImageError, second, UnsupportedImageError]
    assert "empty" in str(results[0])


def test_an_upload_reads_the_same_beside_others(model: ImageToTextModel, samples: dict[str, bytes]) -> None:
    (alone,) = model.predict([decode_image(next(iter(samples.values())))])
    beside = read_uploads(model, list(samples.values()), LIMITS)[0]
    assert isinstance(beside, Reading)
    assert beside.text == alone.text
    assert beside.confidence == pytest.approx(alone.confidence, rel=1e-4)


def test_uploads_that_are_all_bad_have_errors_only(model: ImageToTextModel) -> None:
    assert texts(read_uploads(model, [b"", b"?"], LIMITS)) == [UnsupportedImageError] * 2


def test_no_uploads_have_no_readings(model: ImageToTextModel) -> None:
    assert read_uploads(model, [], LIMITS) == []


def test_limits_are_those_given(model: ImageToTextModel, samples: dict[str, bytes]) -> None:
    results = read_uploads(model, list(samples.values()), ImageLimits(max_pixels=9999))
    assert texts(results) == [ImageTooLargeError] * len(samples)
