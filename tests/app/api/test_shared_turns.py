"""Small images that the event loop reads, those that wait at the same time in one run of the network."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from app.api.admission import Turns
from app.api.gathering import TOGETHER, TOGETHER_SECONDS, SharedTurns
from app.api.problems import ApiError
from app.inference.images import CheckedImage, DamagedImageError, ImageLimits, Pixels, check_image
from app.inference.models.model import ImageToTextModel, Reading
from app.shared.stopwatch import Stopwatch

LATER = 3600.0  # seconds


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left to the next turn because the machine is busy."""
    monkeypatch.setattr("app.api.gathering.TOGETHER_SECONDS", LATER)


@pytest.fixture
def model(shipped_model: Any) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


@pytest.fixture
def runs(model: ImageToTextModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images there are in each run of the network."""
    counts: list[int] = []
    run = model.run

    def noted(batch: Any) -> Any:
        counts.append(len(batch))
        return run(batch)

    monkeypatch.setattr(model, "run", noted)
    return counts


def read_at_once(
    model: ImageToTextModel | Sequence[ImageToTextModel], images: Sequence[bytes | CheckedImage], max_waiting: int = 64
) -> list[Any]:
    """What comes of images that are all asked for in the same round of the event loop: readings or errors."""
    models = [model] * len(images) if isinstance(model, ImageToTextModel) else model

    async def main() -> list[Any]:
        turns = SharedTurns(Turns(max_waiting, LATER, nullcontext()))
        return await asyncio.gather(
            *(turns.read(model, checked(image), Stopwatch()) for model, image in zip(models, images, strict=True)),
            return_exceptions=True,
        )

    return asyncio.run(main())


def checked(image: bytes | CheckedImage) -> CheckedImage:
    return image if isinstance(image, CheckedImage) else check_image(image, ImageLimits())


def texts(readings: Sequence[Reading]) -> list[str]:
    return [reading.text for reading in readings]


def test_the_first_is_read_at_once_and_those_that_came_with_it_together(
    model: ImageToTextModel, runs: list[int], samples: dict[str, bytes]
) -> None:
    assert texts(read_at_once(model, [*samples.values()])) == [*samples]
    assert runs == [1, len(samples) - 1]


def test_no_more_are_read_together_than_the_loop_may_be_held_up_by(
    model: ImageToTextModel, runs: list[int], samples: dict[str, bytes]
) -> None:
    labels = ([*samples] * TOGETHER)[: 2 * TOGETHER + 2]
    assert texts(read_at_once(model, [samples[label] for label in labels])) == labels
    assert runs == [1, TOGETHER, TOGETHER, 1]


def test_images_that_take_long_to_decode_are_left_to_the_next_turn(
    model: ImageToTextModel, runs: list[int], samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    decode = CheckedImage.decode

    def slowly(image: CheckedImage) -> Pixels:
        nonlocal now
        now += 0.6 * TOGETHER_SECONDS
        return decode(image)

    monkeypatch.setattr("app.api.gathering.TOGETHER_SECONDS", TOGETHER_SECONDS)
    monkeypatch.setattr(CheckedImage, "decode", slowly)
    monkeypatch.setattr("app.api.gathering.time.perf_counter", lambda: now)
    assert texts(read_at_once(model, [samples["ef2ec"]] * 6)) == ["ef2ec"] * 6
    assert runs == [1, 2, 2, 1]


def test_models_are_not_mixed(model: ImageToTextModel, shipped_model: Any, samples: dict[str, bytes]) -> None:
    other = ImageToTextModel(shipped_model)
    seen: dict[int, list[int]] = {id(model): [], id(other): []}
    for each in (model, other):
        each.run = partial(count, seen[id(each)], each.run)  # type: ignore[method-assign]
    readings = read_at_once([model, model, other, model, other], [samples["ef2ec"]] * 5)
    assert texts(readings) == ["ef2ec"] * 5
    assert seen == {id(model): [1, 2], id(other): [2]}


def count(counts: list[int], run: Callable[..., Any], batch: Any) -> Any:
    counts.append(len(batch))
    return run(batch)


def test_a_damaged_image_is_told_of_alone(model: ImageToTextModel, runs: list[int], samples: dict[str, bytes]) -> None:
    image = samples["ef2ec"]
    damaged = image[:300] + bytes(200) + image[500:]
    first, before, bad, after = read_at_once(model, [image, image, damaged, image])
    assert texts([first, before, after]) == ["ef2ec"] * 3
    assert isinstance(bad, DamagedImageError)
    assert runs == [1, 2]


def test_a_fault_in_a_run_is_that_of_one_request_and_the_others_are_read_in_their_turn(
    model: ImageToTextModel, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = model.run
    monkeypatch.setattr(model, "run", lambda batch: run(batch) if len(batch) != 3 else 1 / 0)
    results = read_at_once(model, [samples["ef2ec"]] * 4)
    assert [type(result) for result in results] == [Reading, ZeroDivisionError, Reading, Reading]


def test_beyond_the_queue_they_are_refused(model: ImageToTextModel, samples: dict[str, bytes]) -> None:
    *read, refused = read_at_once(model, [samples["ef2ec"]] * 4, max_waiting=2)
    assert texts(read) == ["ef2ec"] * 3
    assert isinstance(refused, ApiError)
    assert refused.status == 503


def test_one_who_gives_up_is_not_read(model: ImageToTextModel, runs: list[int], samples: dict[str, bytes]) -> None:
    async def main() -> list[Any]:
        turns = SharedTurns(Turns(max_waiting=64, max_seconds=LATER, counted=nullcontext()))
        image = checked(samples["ef2ec"])
        asked = [asyncio.ensure_future(turns.read(model, image, Stopwatch())) for _ in range(5)]
        asyncio.get_running_loop().call_soon(asked[2].cancel)
        return await asyncio.gather(*asked, return_exceptions=True)

    results = asyncio.run(main())
    assert isinstance(results.pop(2), asyncio.CancelledError)
    assert texts(results) == ["ef2ec"] * 4
    assert sum(runs) == 4


def test_each_notes_its_own_wait_and_the_stages_are_noted_once(
    model: ImageToTextModel, samples: dict[str, bytes]
) -> None:
    async def main() -> list[Stopwatch]:
        turns = SharedTurns(Turns(max_waiting=64, max_seconds=LATER, counted=nullcontext()))
        watches = [Stopwatch() for _ in range(4)]
        await asyncio.gather(*(turns.read(model, checked(samples["ef2ec"]), watch) for watch in watches))
        return watches

    noted = [[(stage, images) for stage, _, _, images in watch.stages] for watch in asyncio.run(main())]
    stages = ("decode", "run", "text")
    assert noted[0] == [("wait", 1), *((stage, 1) for stage in stages)]
    assert noted[1] == [("wait", 1), *((stage, 3) for stage in stages)]
    assert noted[2:] == [[("wait", 1)]] * 2
