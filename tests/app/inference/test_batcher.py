"""The request queue: waiting images are read in batches, and waiting times are limited."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.inference.batcher import Batcher, QueueFullError, WaitedTooLongError
from app.inference.decoding.beam import Search
from app.inference.images import (
    CheckedImage,
    DamagedImageError,
    ImageLimits,
    Pixels,
    UnsupportedImageError,
    check_image,
    decode_image,
)
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel
from app.inference.models.reading import Reading
from app.inference.reader import make_search
from app.shared.stopwatch import Stopwatch
from tests.waiting import GENEROUS_SECONDS

NEVER = 3600.0  # seconds


class Model(ImageToTextModel):
    """The shipped model, recording its runs.

    Attributes:
        runs: number of images in each run.
        in_event_loop: whether each ran in the event loop.
        may_run: event awaited before each run.
    """

    def __init__(self, folder: Path) -> None:
        self.may_run = threading.Event()
        self.may_run.set()
        self.forget()  # loading runs it too
        super().__init__(folder)
        self.forget()

    def forget(self) -> None:
        self.runs: list[int] = []
        self.in_event_loop: list[bool] = []

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        self.runs.append(len(batch))
        self.in_event_loop.append(in_main_thread())
        self.may_run.wait(GENEROUS_SECONDS)
        return super().run(batch)


@pytest.fixture
def model(shipped_model: Path) -> Model:
    return Model(shipped_model)


@pytest.fixture
def gpu(model: Model) -> Model:
    """The same model, as if on a GPU."""
    model.providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    return model


@pytest.fixture
def image(samples: dict[str, bytes]) -> CheckedImage:
    return checked(samples["ef2ec"])


def checked(data: bytes) -> CheckedImage:
    return check_image(data, ImageLimits())


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def make_batcher(threads: int = 1, max_waiting: int = 64, max_seconds: float = NEVER) -> Batcher:
    return Batcher(threads, max_waiting, max_seconds)


def read_at_once(
    models: ImageToTextModel | Sequence[ImageToTextModel],
    images: Sequence[CheckedImage],
    *,
    search: Search | None = None,
    batcher: Callable[[], Batcher] = make_batcher,
) -> list[Any]:
    """Read images concurrently; return their readings or errors."""
    each = [models] * len(images) if isinstance(models, ImageToTextModel) else models

    async def main() -> list[Any]:
        one = batcher()
        reads = (one.read(model, image, search, Stopwatch()) for model, image in zip(each, images, strict=True))
        return await asyncio.gather(*reads, return_exceptions=True)

    return asyncio.run(main())


def texts(readings: Sequence[Reading]) -> list[str]:
    return [reading.text for reading in readings]


class TestSmallImages:
    def test_that_wait_together_are_read_in_one_batch(self, model: Model, samples: dict[str, bytes]) -> None:
        assert texts(read_at_once(model, [*map(checked, samples.values())])) == [*samples]
        assert model.runs == [len(samples)]

    def test_are_read_in_batches_of_limited_size(self, model: Model, samples: dict[str, bytes]) -> None:
        labels = ([*samples] * BATCH_IMAGES)[: 2 * BATCH_IMAGES + 1]
        assert texts(read_at_once(model, [checked(samples[label]) for label in labels])) == labels
        assert model.runs == [BATCH_IMAGES, BATCH_IMAGES, 1]

    def test_of_several_models_are_not_mixed(self, model: Model, shipped_model: Path, image: CheckedImage) -> None:
        other = Model(shipped_model)
        readings = read_at_once([model, other, model, other, model], [image] * 5)
        assert texts(readings) == ["ef2ec"] * 5
        assert (model.runs, other.runs) == ([3], [2])

    def test_are_read_by_the_event_loop(self, model: Model, image: CheckedImage) -> None:
        read_at_once(model, [image])
        assert model.in_event_loop == [True]

    def test_yield_to_the_event_loop_between_batches(self, model: Model, image: CheckedImage) -> None:
        happened: list[str] = []

        async def look_at_sockets() -> None:
            while model.runs != [BATCH_IMAGES] * 3:
                happened.append("sockets")
                await asyncio.sleep(0)

        async def main() -> None:
            batcher = make_batcher()
            run = model.run
            model.run = lambda batch: happened.append("run") or run(batch)  # type: ignore[func-returns-value, method-assign]
            reads = (batcher.read(model, image, None, Stopwatch()) for _ in range(3 * BATCH_IMAGES))
            await asyncio.gather(*reads, look_at_sockets())

        asyncio.run(main())
        runs = [place for place, what in enumerate(happened) if what == "run"]
        assert len(runs) == 3
        assert all("sockets" in happened[first:second] for first, second in pairwise(runs))

    def test_get_as_much_time_as_the_rest_of_the_event_loop(
        self, model: Model, image: CheckedImage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 0.0
        monkeypatch.setattr("app.inference.batcher.time.perf_counter", lambda: now)
        run, rounds = model.run, 0

        def run_slowly(batch: NDArray[Any]) -> NDArray[np.float32]:
            nonlocal now
            now += 0.001
            return run(batch)

        async def hold_up(everyone: asyncio.Future[Any]) -> None:
            nonlocal now, rounds
            while not everyone.done():
                rounds += 1
                now += 0.1
                await asyncio.sleep(0)

        async def main() -> None:
            batcher = make_batcher(max_waiting=20 * BATCH_IMAGES)
            reads = (batcher.read(model, image, None, Stopwatch()) for _ in range(20 * BATCH_IMAGES))
            everyone = asyncio.gather(*reads)
            await asyncio.gather(everyone, hold_up(everyone))

        monkeypatch.setattr(model, "run", run_slowly)
        asyncio.run(main())
        assert len(model.runs) == 20
        assert rounds < 10


class TestOnAGpu:
    def test_images_that_arrive_during_a_run_form_the_next_batch(self, gpu: Model, image: CheckedImage) -> None:
        gpu.may_run.clear()

        async def main() -> list[Reading]:
            batcher = make_batcher()
            first = asyncio.ensure_future(batcher.read(gpu, image, None, Stopwatch()))
            while not gpu.runs:  # noqa: ASYNC110 - no event signals it
                await asyncio.sleep(0.001)
            others = [asyncio.ensure_future(batcher.read(gpu, image, None, Stopwatch())) for _ in range(3)]
            await asyncio.sleep(0)
            gpu.may_run.set()
            return await asyncio.gather(first, *others)

        assert texts(asyncio.run(main())) == ["ef2ec"] * 4
        assert gpu.runs == [1, 3]
        assert gpu.in_event_loop == [False, False]


class TestThreads:
    def test_read_large_images(self, model: Model, image: CheckedImage) -> None:
        large = replace(image, data=image.data + bytes(100_000))
        assert texts(read_at_once(model, [large, image])) == ["ef2ec"] * 2
        assert sorted(model.in_event_loop) == [False, True]

    def test_read_with_large_networks(self, model: Model, image: CheckedImage) -> None:
        model.file_bytes = 100_000_000
        assert texts(read_at_once(model, [image])) == ["ef2ec"]
        assert model.in_event_loop == [False]

    def test_parse_large_bodies(self) -> None:
        async def main() -> list[bool]:
            batcher = make_batcher()
            return [await batcher.run_by_size(size, in_main_thread, Stopwatch()) for size in (1000, 1_000_000)]

        assert asyncio.run(main()) == [True, False]

    def test_search(self, model: Model, image: CheckedImage) -> None:
        (reading,) = read_at_once(model, [image], search=make_search(model, alternatives=2))
        assert reading.alternatives[0].text == "ef2ec"
        assert model.in_event_loop == [False]

    def test_share_the_images_of_a_request_and_return_the_results_in_order(
        self, model: Model, samples: dict[str, bytes]
    ) -> None:
        def decoder(data: bytes) -> Callable[[], Pixels]:
            return lambda: decode_image(data)

        async def main() -> list[Any]:
            decoders = [decoder(data) for data in [*samples.values(), b"no image", samples["ef2ec"]]]
            return await make_batcher(threads=3).read_all(model, decoders, None, Stopwatch())

        *readings, error, last = asyncio.run(main())
        assert texts([*readings, last]) == [*samples, "ef2ec"]
        assert isinstance(error, UnsupportedImageError)
        assert sorted(model.runs) == [1, 2, 2]

    def test_are_not_started_for_half_a_request(self, model: Model, samples: dict[str, bytes]) -> None:
        go_on = threading.Event()

        async def main() -> Any:
            batcher = make_batcher(threads=2, max_waiting=1)
            busy = [asyncio.ensure_future(batcher.run(go_on.wait, Stopwatch())) for _ in range(2)]
            await asyncio.sleep(0)
            decoders = [lambda: decode_image(samples["ef2ec"])] * 2
            (error,) = await asyncio.gather(
                batcher.read_all(model, decoders, None, Stopwatch()), return_exceptions=True
            )
            go_on.set()
            await asyncio.gather(*busy)
            return error

        assert isinstance(asyncio.run(main()), QueueFullError)
        assert model.runs == []

    def test_do_no_work_that_waited_too_long(self) -> None:
        begun: list[str] = []
        go_on = threading.Event()

        def work() -> None:
            begun.append("first")
            go_on.wait()

        async def main() -> tuple[Any, Any]:
            batcher = make_batcher(max_waiting=1, max_seconds=0.5)
            first = asyncio.ensure_future(batcher.run(work, Stopwatch()))
            await asyncio.sleep(0)
            late = asyncio.ensure_future(batcher.run(lambda: begun.append("late"), Stopwatch()))
            await asyncio.sleep(0)
            refused = batcher.run(lambda: begun.append("refused"), Stopwatch())
            results = await asyncio.gather(late, refused, return_exceptions=True)
            go_on.set()
            await first
            await batcher.run(lambda: begun.append("next"), Stopwatch())
            return results[0], results[1]

        late, refused = asyncio.run(main())
        assert (type(late), type(refused)) == (WaitedTooLongError, QueueFullError)
        assert begun == ["first", "next"]


class TestErrors:
    def test_a_damaged_image_does_not_affect_the_others(self, model: Model, samples: dict[str, bytes]) -> None:
        data = samples["ef2ec"]
        damaged = data[:300] + bytes(200) + data[500:]
        before, bad, after = read_at_once(model, [*map(checked, [data, damaged, data])])
        assert texts([before, after]) == ["ef2ec"] * 2
        assert isinstance(bad, DamagedImageError)
        assert model.runs == [2]

    def test_an_internal_error_affects_one_request(
        self, model: Model, image: CheckedImage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        faulty = replace(image, data=image.data + b"?")
        decode = CheckedImage.decode
        monkeypatch.setattr(CheckedImage, "decode", lambda one: 1 / 0 if one is faulty else decode(one))
        results = read_at_once(model, [image, faulty, image])
        assert [type(result) for result in results] == [Reading, ZeroDivisionError, Reading]

    def test_a_full_queue_refuses_images(self, model: Model, image: CheckedImage) -> None:
        first, second, *refused = read_at_once(model, [image] * 4, batcher=lambda: make_batcher(max_waiting=2))
        assert texts([first, second]) == ["ef2ec"] * 2
        assert [type(error) for error in refused] == [QueueFullError] * 2

    def test_images_that_waited_too_long_are_not_read(
        self, model: Model, image: CheckedImage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passed = 0.0

        async def main() -> tuple[Any, Reading]:
            nonlocal passed
            loop = asyncio.get_running_loop()
            monkeypatch.setattr(loop, "time", lambda: time.monotonic() + passed)
            batcher = make_batcher(max_seconds=GENEROUS_SECONDS)
            late = asyncio.ensure_future(batcher.read(model, image, None, Stopwatch()))
            loop.call_soon(wait_long)
            (error,) = await asyncio.gather(late, return_exceptions=True)
            return error, await batcher.read(model, image, None, Stopwatch())

        def wait_long() -> None:
            nonlocal passed
            passed += 2 * GENEROUS_SECONDS

        error, reading = asyncio.run(main())
        assert isinstance(error, WaitedTooLongError)
        assert reading.text == "ef2ec"
        assert model.runs == [1]

    @pytest.mark.parametrize("is_searched", [False, True])
    def test_the_rest_of_a_request_is_not_read_after_its_deadline(
        self, model: Model, image: CheckedImage, monkeypatch: pytest.MonkeyPatch, is_searched: bool
    ) -> None:
        now, decoded = 0.0, 0
        monkeypatch.setattr("app.inference.batcher.monotonic", lambda: now)
        search = make_search(model, alternatives=2) if is_searched else None

        def decode_slowly() -> Pixels:
            nonlocal now, decoded
            now, decoded = now + 4, decoded + 1
            return image.decode()

        async def main() -> list[Any]:
            batcher = make_batcher(max_seconds=10)
            reads = [batcher.read_all(model, [decode_slowly] * count, search, Stopwatch()) for count in (8, 2)]
            return [(await asyncio.gather(read, return_exceptions=True))[0] for read in reads]

        error, readings = asyncio.run(main())
        assert isinstance(error, WaitedTooLongError)
        assert texts(readings) == ["ef2ec"] * 2
        assert decoded == 3 + 2
        assert model.runs == [1] * 5 if is_searched else [2]

    def test_a_cancelled_request_is_not_read(self, model: Model, image: CheckedImage) -> None:
        async def main() -> list[Any]:
            batcher = make_batcher()
            asked = [asyncio.ensure_future(batcher.read(model, image, None, Stopwatch())) for _ in range(4)]
            asyncio.get_running_loop().call_soon(asked[2].cancel)
            return await asyncio.gather(*asked, return_exceptions=True)

        results = asyncio.run(main())
        assert isinstance(results.pop(2), asyncio.CancelledError)
        assert texts(results) == ["ef2ec"] * 3
        assert model.runs == [3]

    def test_a_request_cancelled_during_the_run_affects_no_other(self, gpu: Model, image: CheckedImage) -> None:
        gpu.may_run.clear()

        async def main() -> list[Reading]:
            batcher = make_batcher()
            gone, *others = [asyncio.ensure_future(batcher.read(gpu, image, None, Stopwatch())) for _ in range(3)]
            while not gpu.runs:  # noqa: ASYNC110 - no event signals it
                await asyncio.sleep(0.001)
            gone.cancel()
            await asyncio.wait([gone])
            gpu.may_run.set()
            return await asyncio.gather(*others)

        assert texts(asyncio.run(main())) == ["ef2ec"] * 2


class TestRecords:
    def test_each_request_records_its_wait_and_the_first_the_stages(self, model: Model, image: CheckedImage) -> None:
        async def main() -> list[Stopwatch]:
            batcher = make_batcher()
            watches = [Stopwatch() for _ in range(3)]
            await asyncio.gather(*(batcher.read(model, image, None, watch) for watch in watches))
            return watches

        noted = [[(stage, images) for stage, _, _, images in watch.stages] for watch in asyncio.run(main())]
        assert noted[0] == [("wait", 1), ("decode", 3), ("run", 3), ("text", 3)]
        assert noted[1:] == [[("wait", 1)]] * 2

    def test_the_number_waiting_is_reported(self, model: Model, image: CheckedImage) -> None:
        waiting: list[int] = []
        read_at_once(model, [image] * 3, batcher=lambda: Batcher(1, 64, NEVER, waiting.append))
        assert waiting == [1, 2, 3, 2, 1, 0]
