"""Limits on the cost of a request, checked in advance."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.inference.costs import TooCostlyError, check_cost, images_in_event_loop
from app.inference.decoding.ctc import CtcCodec
from app.inference.images import CheckedImage, ImageLimits, Pixels, check_image
from app.inference.models.model import BATCH_IMAGES, MAX_STEPS, QUICK_SECONDS, ImageToTextModel
from tests.hostile_models import write_looping

LIMITS = ImageLimits(max_pixels=1000, max_side=1000)
CHINESE = "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))


@pytest.fixture
def model(shipped_model: Path) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


@pytest.fixture
def image(samples: dict[str, bytes]) -> CheckedImage:
    return check_image(samples["ef2ec"], ImageLimits())


def searched(model: ImageToTextModel, images: list[CheckedImage]) -> None:
    check_cost(model, images, ImageLimits(), is_searched=True)


class TestOfARequest:
    def test_the_total_pixels_of_images_are_limited(self, model: ImageToTextModel, image: CheckedImage) -> None:
        largest = replace(image, width=100, height=10)
        check_cost(model, [largest] * 4, LIMITS, is_searched=False)
        with pytest.raises(TooCostlyError, match="have 5,000 pixels in total; the limit is 4,000"):
            check_cost(model, [largest] * 5, LIMITS, is_searched=False)

    def test_the_largest_batch_of_small_images_may_be_searched(
        self, model: ImageToTextModel, image: CheckedImage
    ) -> None:
        searched(model, [image] * 64)

    def test_with_longer_texts_fewer_images_may_be_searched(self, model: ImageToTextModel, image: CheckedImage) -> None:
        model.steps = 500
        searched(model, [image] * 4)
        with pytest.raises(TooCostlyError, match="about 4 such images per request"):
            searched(model, [image] * 64)
        check_cost(model, [image] * 64, ImageLimits(), is_searched=False)

    def test_with_more_characters_fewer_images_may_be_searched(
        self, model: ImageToTextModel, image: CheckedImage
    ) -> None:
        model.codec = CtcCodec(CHINESE)
        with pytest.raises(TooCostlyError, match="about 47 such images"):
            searched(model, [image] * 64)

    def test_wide_images_count_with_their_output_steps(self, general_model: Path, image: CheckedImage) -> None:
        general = ImageToTextModel(general_model)
        searched(general, [replace(image, width=100, height=50)] * 64)
        wide = replace(image, width=1000, height=50)
        with pytest.raises(TooCostlyError, match="about 33 such images"):
            searched(general, [wide] * 64)
        with pytest.raises(TooCostlyError, match="about 33 such images"):
            searched(general, [replace(wide, width=50, height=1000, orientation=6)] * 64)


class TestOfFramesAndTiles:
    def frames(self, count: int) -> CheckedImage:
        """A GIF animation of so many frames of 400×400 pixels."""
        images = [Image.new("L", (400, 400), number % 250) for number in range(count)]
        content = io.BytesIO()
        images[0].save(content, "GIF", save_all=True, append_images=images[1:])
        return check_image(content.getvalue(), ImageLimits())

    def test_all_frames_count(self, model: ImageToTextModel) -> None:
        """A batch of 64 such animations would take 15 seconds."""
        animation = self.frames(90)
        check_cost(model, [animation], ImageLimits(), is_searched=False)
        with pytest.raises(TooCostlyError, match="frames and tiles"):
            check_cost(model, [animation] * 2, ImageLimits(), is_searched=False)

    def test_small_frames_on_a_large_canvas_count_as_the_images_that_are_combined(
        self, model: ImageToTextModel
    ) -> None:
        canvas, dot = Image.new("L", (350, 350)), Image.new("L", (350, 350))
        dot.putpixel((0, 0), 255)
        content = io.BytesIO()
        canvas.save(content, "GIF", save_all=True, append_images=[dot, canvas] * 16)
        animation = check_image(content.getvalue(), ImageLimits())
        check_cost(model, [animation] * 3, ImageLimits(), is_searched=False)
        with pytest.raises(TooCostlyError):
            check_cost(model, [animation] * 5, ImageLimits(), is_searched=False)

    def test_a_batch_of_still_images_is_read(self, model: ImageToTextModel) -> None:
        check_cost(model, [self.frames(1)] * 64, ImageLimits(), is_searched=False)


class TestWithoutASearch:
    def test_networks_of_many_steps_read_fewer_images(self, model: ImageToTextModel, image: CheckedImage) -> None:
        model.steps = 2000
        check_cost(model, [image] * 10, ImageLimits(), is_searched=False)
        with pytest.raises(TooCostlyError, match="about 10 such images"):
            check_cost(model, [image] * 64, ImageLimits(), is_searched=False)

    def test_a_full_batch_of_usual_networks_is_read(self, model: ImageToTextModel, image: CheckedImage) -> None:
        model.steps = 500
        check_cost(model, [image] * 64, ImageLimits(), is_searched=False)

    def test_one_image_is_always_read(self, model: ImageToTextModel, image: CheckedImage) -> None:
        model.steps = MAX_STEPS
        check_cost(model, [image], ImageLimits(), is_searched=False)


class TestInTheEventLoop:
    def test_small_networks_read_a_full_batch(self, model: ImageToTextModel) -> None:
        assert images_in_event_loop(model) == BATCH_IMAGES

    @pytest.mark.parametrize(
        ("attribute", "size", "images"),
        [
            ("file_bytes", 800_000, 4),
            ("file_bytes", 4_000_000, 0),
            ("steps", 120, 3),
            ("steps", 500, 0),
            ("seconds", 0.006, 0),
        ],
    )
    def test_larger_ones_fewer_or_none(self, model: ImageToTextModel, attribute: str, size: float, images: int) -> None:
        setattr(model, attribute, size)
        assert images_in_event_loop(model) == images

    def test_those_of_many_characters_fewer(self, model: ImageToTextModel) -> None:
        model.codec = CtcCodec(CHINESE)
        assert images_in_event_loop(model) == 3

    def test_those_that_take_long_although_they_are_small_none(self, model: ImageToTextModel, tmp_path: Path) -> None:
        write_looping(tmp_path / "1", times=100_000)
        assert images_in_event_loop(ImageToTextModel(tmp_path / "1")) == 0
        assert model.seconds < QUICK_SECONDS


def test_slow_networks_read_few_images_together(
    model: ImageToTextModel, image: CheckedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadline is checked in between, and no more memory is needed than at loading."""
    taken, taken_before_runs = [], []
    run = model.run

    def images() -> Iterator[Pixels]:
        for number in range(5):
            taken.append(number)
            yield image.decode()

    def record(batch: Any) -> Any:
        taken_before_runs.append(len(taken))
        return run(batch)

    monkeypatch.setattr(model, "run", record)
    model.seconds = 1.0
    assert [reading.text for reading in model.predict(images())] == ["ef2ec"] * 5
    assert taken_before_runs == [2, 4, 5]
