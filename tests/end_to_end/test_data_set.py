"""The shipped model on real images of the data set."""

import os
from pathlib import Path

import httpx
import pytest

from app.inference import Reader
from training.data.dataset import Sample
from training.data.layouts import read_samples
from training.evaluation.evaluate import evaluate


@pytest.fixture(scope="module")
def images(repository: Path) -> Path:
    """The folder of the data set."""
    folder = Path(os.environ.get("CAPTCHA_IMAGES", repository / "datasets" / "captcha_images_v2"))
    if not folder.is_dir():
        pytest.skip("no data set: set CAPTCHA_IMAGES to its folder or run python -m training download")
    return folder


@pytest.fixture(scope="module")
def validation(shipped_model: Path, images: Path) -> list[Sample]:
    """The images that the shipped model was not trained on."""
    return read_samples(shipped_model / "val.csv", images=images)


def test_the_shipped_model_reads_its_validation_images_as_its_card_says(
    shipped_model: Path, validation: list[Sample]
) -> None:
    result = evaluate(Reader(shipped_model), validation)
    assert len(result.lines) == 94
    assert result.words_right >= 92
    assert f"**{result.words_right} of 94**" in (shipped_model / "MODEL_CARD.md").read_text()


def test_the_shipped_model_was_trained_on_the_other_images(
    shipped_model: Path, images: Path, validation: list[Sample]
) -> None:
    train = read_samples(shipped_model / "train.csv", images=images)
    assert len(train) == 842
    assert not {sample.label for sample in train} & {sample.label for sample in validation}


def test_a_real_image_is_read_over_http(server: str, validation: list[Sample]) -> None:
    right = 0
    for sample in validation[:20]:
        with sample.path.open("rb") as file:
            answer = httpx.post(f"{server}/predict", files={"file": file})
        assert answer.status_code == 200
        right += answer.json()["text"] == sample.label
    assert right >= 19
