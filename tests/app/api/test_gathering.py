"""Small images of several requests, read in one run of the network: `OCR_GATHER_MILLISECONDS`."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray

from app.api.admission import Threads
from app.api.gathering import Gathering
from app.inference.images import ImageLimits, check_image
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel, Reading
from app.serving.application import create_app
from app.settings import Settings
from app.shared.stopwatch import Stopwatch
from tests.exposed import numbers_of
from tests.waiting import GENEROUS_SECONDS

MakeSettings = Callable[..., Settings]
Problem = Callable[[Any, int], dict[str, Any]]
NEVER = 3600.0  # seconds


class Run(NamedTuple):
    """What went through a network."""

    version: str
    images: int
    in_event_loop: bool


class Service(NamedTuple):
    """One that gathers and whose one thread is busy until it is let go, so that nothing depends on the time."""

    app: FastAPI
    client: httpx.AsyncClient
    runs: list[Run]

    def post(self, image: bytes, query: str = "") -> "asyncio.Task[httpx.Response]":
        return asyncio.ensure_future(self.client.post(f"/predict{query}", content=image))

    @contextmanager
    def busy(self) -> Iterator[None]:
        limiter, other = self.app.state.threads.limiter, object()
        limiter.acquire_on_behalf_of_nowait(other)
        yield
        limiter.release_on_behalf_of(other)

    async def until_waiting(self, count: int) -> None:
        async with asyncio.timeout(GENEROUS_SECONDS):
            while self.waiting() != count:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)

    def waiting(self) -> float:
        (worker,) = self.app.state.metrics.counts.workers()
        return worker.numbers["ocr_queue_depth",][0]

    async def read_together(self, images: Sequence[bytes], query: str = "") -> list[httpx.Response]:
        with self.busy():
            requests = [self.post(image, query) for image in images]
            await self.until_waiting(len(images))
        return await asyncio.gather(*requests)

    async def numbers(self) -> dict[str, float]:
        return numbers_of((await self.client.get("/metrics")).text)


def run_with(settings: Settings, test: Callable[[Service], Awaitable[None]]) -> None:
    async def main() -> None:
        async with started(settings) as service:
            await test(service)

    asyncio.run(main())


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Service]:
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        runs: list[Run] = []
        for stored in app.state.store:
            stored.model.run = partial(noted, runs, stored.version, stored.model.run)
        yield Service(app, client, runs)


def noted(runs: list[Run], version: str, run: Callable[..., NDArray[np.float32]], batch: NDArray[Any]) -> Any:
    runs.append(Run(version, len(batch), threading.current_thread() is threading.main_thread()))
    return run(batch)


@pytest.fixture
def gathers(settings: MakeSettings) -> MakeSettings:
    """Settings of a service that gathers, with one thread."""
    return partial(settings, gather_milliseconds=1, threads=1)


@pytest.fixture
def model(shipped_model: Path) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


def texts(answers: Sequence[httpx.Response]) -> list[str]:
    return [answer.json()["text"] for answer in answers]


def damaged(image: bytes) -> bytes:
    """A PNG whose header and structure are sound and whose pixels are not."""
    return image[:300] + bytes(200) + image[500:]


class TestWhatIsGathered:
    def test_requests_that_wait_are_read_in_one_run_beside_the_event_loop(
        self, gathers: MakeSettings, samples: dict[str, bytes]
    ) -> None:
        async def test(service: Service) -> None:
            answers = await service.read_together([*samples.values()])
            assert texts(answers) == [*samples]
            assert [run[1:] for run in service.runs] == [(len(samples), False)]

        run_with(gathers(), test)

    def test_no_more_than_fit_a_run(self, gathers: MakeSettings, samples: dict[str, bytes]) -> None:
        labels = ([*samples] * BATCH_IMAGES)[: 2 * BATCH_IMAGES + 1]

        async def test(service: Service) -> None:
            assert texts(await service.read_together([samples[label] for label in labels])) == labels
            assert [run.images for run in service.runs] == [BATCH_IMAGES, BATCH_IMAGES, 1]

        run_with(gathers(), test)

    def test_models_apart(
        self, gathers: MakeSettings, samples: dict[str, bytes], tmp_path: Path, shipped_model: Path
    ) -> None:
        for version in ("1", "2"):
            shutil.copytree(shipped_model, tmp_path / "captcha" / version)

        async def test(service: Service) -> None:
            with service.busy():
                asked = [service.post(samples["ef2ec"], f"?version={version}") for version in "12112"]
                await service.until_waiting(5)
            answers = await asyncio.gather(*asked)
            assert [answer.json()["model"]["version"] for answer in answers] == [*"12112"]
            assert sorted(run[:2] for run in service.runs) == [("1", 3), ("2", 2)]

        run_with(gathers(model_store=tmp_path), test)

    def test_no_searches(self, gathers: MakeSettings, samples: dict[str, bytes]) -> None:
        async def test(service: Service) -> None:
            assert texts(await service.read_together([samples["ef2ec"]] * 2, "?length=5")) == ["ef2ec"] * 2
            assert [run.images for run in service.runs] == [1, 1]

        run_with(gathers(), test)


class TestHowLongOneWaits:
    async def read(self, gathering: Gathering, model: ImageToTextModel, image: bytes) -> tuple[Reading, Stopwatch]:
        watch = Stopwatch()
        return await gathering.read(model, check_image(image, ImageLimits()), watch), watch

    def gathering(self, seconds: float) -> Gathering:
        threads = Threads(1, 64, NEVER, nullcontext())
        return Gathering(seconds, threads, max_waiting=64, max_seconds=NEVER, counted=nullcontext())

    def test_a_lone_one_no_longer_than_told(self, model: ImageToTextModel, samples: dict[str, bytes]) -> None:
        async def main() -> tuple[Reading, Stopwatch]:
            return await asyncio.wait_for(self.read(self.gathering(0.05), model, samples["ef2ec"]), GENEROUS_SECONDS)

        reading, watch = asyncio.run(main())
        assert reading.text == "ef2ec"
        assert [stage for stage, *_ in watch.stages] == ["wait", "decode", "run", "text"]
        _, began, ended, _ = watch.stages[0]
        assert 0.045 < ended - began < GENEROUS_SECONDS

    def test_not_at_all_when_the_run_is_full(self, model: ImageToTextModel, samples: dict[str, bytes]) -> None:
        async def main() -> list[tuple[Reading, Stopwatch]]:
            gathering = self.gathering(NEVER)
            reads = (self.read(gathering, model, samples["ef2ec"]) for _ in range(BATCH_IMAGES))
            return await asyncio.wait_for(asyncio.gather(*reads), GENEROUS_SECONDS)

        assert [reading.text for reading, _ in asyncio.run(main())] == ["ef2ec"] * BATCH_IMAGES

    def test_not_on_when_the_service_is_made_to_stop(self, model: ImageToTextModel, samples: dict[str, bytes]) -> None:
        async def main() -> None:
            waiting = asyncio.ensure_future(self.read(self.gathering(NEVER), model, samples["ef2ec"]))
            await asyncio.sleep(0)
            for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(waiting, GENEROUS_SECONDS)

        asyncio.run(main())


class TestWhatGoesWrong:
    def test_a_damaged_image_is_told_of_alone(
        self, gathers: MakeSettings, samples: dict[str, bytes], problem: Problem
    ) -> None:
        first, second, *_ = samples

        async def test(service: Service) -> None:
            images = [samples[first], damaged(samples[first]), samples[second]]
            before, bad, after = await service.read_together(images)
            problem(bad, 422)
            assert texts([before, after]) == [first, second]
            assert [run.images for run in service.runs] == [2]

        run_with(gathers(), test)

    def test_beyond_the_queue_they_are_refused(
        self, gathers: MakeSettings, samples: dict[str, bytes], problem: Problem
    ) -> None:
        async def test(service: Service) -> None:
            with service.busy():
                waiting = [service.post(samples["ef2ec"]) for _ in range(3)]
                await service.until_waiting(3)
                refused = await service.post(samples["ef2ec"])
            problem(refused, 503)
            assert refused.headers["retry-after"] in "123"
            assert texts(await asyncio.gather(*waiting)) == ["ef2ec"] * 3
            assert texts([await service.post(samples["ef2ec"])]) == ["ef2ec"]

        run_with(gathers(max_waiting=3), test)

    def test_those_that_waited_too_long_are_told_so_and_not_read(
        self, gathers: MakeSettings, samples: dict[str, bytes], problem: Problem
    ) -> None:
        async def test(service: Service) -> None:
            with service.busy():
                late = await asyncio.gather(*(service.post(samples["ef2ec"]) for _ in range(2)))
                assert service.waiting() == 0
            for answer in late:
                problem(answer, 504)
            assert service.runs == []
            service.app.state.reader._max_seconds = GENEROUS_SECONDS
            assert texts([await service.post(samples["ef2ec"])]) == ["ef2ec"]

        run_with(gathers(request_timeout=0.3), test)

    def test_one_who_has_gone_hurts_nobody_and_is_not_read(
        self, gathers: MakeSettings, samples: dict[str, bytes]
    ) -> None:
        async def test(service: Service) -> None:
            with service.busy():
                gone, *others = [service.post(image) for image in samples.values()]
                await service.until_waiting(len(samples))
                gone.cancel()
                await service.until_waiting(len(others))
            assert texts(await asyncio.gather(*others)) == [*samples][1:]
            assert [run.images for run in service.runs] == [len(others)]

        run_with(gathers(), test)

    def test_one_who_goes_while_the_network_runs_hurts_nobody(
        self, gathers: MakeSettings, samples: dict[str, bytes]
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()

        async def test(service: Service) -> None:
            hold_up(service, begun, go_on)
            with service.busy():
                gone, *others = [service.post(image) for image in samples.values()]
                await service.until_waiting(len(samples))
            await asyncio.to_thread(begun.wait, GENEROUS_SECONDS)
            gone.cancel()
            await asyncio.wait([gone])
            go_on.set()
            assert texts(await asyncio.gather(*others)) == [*samples][1:]
            assert (await stage_counts(service))["run"] == len(samples)

        run_with(gathers(), test)

    def test_a_fault_in_the_run_is_told_to_its_requests_and_the_service_goes_on(
        self, gathers: MakeSettings, samples: dict[str, bytes], problem: Problem
    ) -> None:
        async def test(service: Service) -> None:
            model = service.app.state.store.get().model
            sound, model.run = model.run, lambda _: 1 / 0
            for answer in await service.read_together([samples["ef2ec"]] * 3):
                problem(answer, 500)
            model.run = sound
            assert texts(await service.read_together([*samples.values()])) == [*samples]
            assert (await service.numbers())['ocr_predictions_total{model="captcha",outcome="failed"}'] == 3
            assert service.waiting() == 0

        run_with(gathers(), test)


def hold_up(service: Service, begun: threading.Event, go_on: threading.Event) -> None:
    """Let the network wait when it is to run."""
    model = service.app.state.store.get().model
    run = model.run

    def run_later(batch: NDArray[Any]) -> Any:
        begun.set()
        go_on.wait(GENEROUS_SECONDS)
        return run(batch)

    model.run = run_later


async def stage_counts(service: Service) -> Mapping[str, float]:
    seen = await service.numbers()
    stages = ("receive", "check", "decode", "run", "text", "render")
    return {stage: seen[f'ocr_stage_duration_seconds_count{{stage="{stage}"}}'] for stage in stages}


class TestMetrics:
    def test_count_the_stages_of_an_image_once_and_the_waiting_of_each_request(
        self, gathers: MakeSettings, samples: dict[str, bytes]
    ) -> None:
        async def test(service: Service) -> None:
            count = len(samples)
            await service.read_together([*samples.values()])
            assert set((await stage_counts(service)).values()) == {count}
            seen = await service.numbers()
            assert seen["ocr_queue_wait_seconds_count"] == count
            assert seen['ocr_predictions_total{model="captcha",outcome="ok"}'] == count
            assert seen['ocr_confidence_count{model="captcha"}'] == count

        run_with(gathers(), test)

    def test_do_not_count_the_run_as_rendering(self, gathers: MakeSettings, samples: dict[str, bytes]) -> None:
        begun, go_on = threading.Event(), threading.Event()

        async def test(service: Service) -> None:
            hold_up(service, begun, go_on)
            answers = asyncio.ensure_future(service.read_together([*samples.values()]))
            await asyncio.to_thread(begun.wait, GENEROUS_SECONDS)
            await asyncio.sleep(0.5)
            go_on.set()
            await answers
            seen = await service.numbers()
            seconds = {stage: seen[f'ocr_stage_duration_seconds_sum{{stage="{stage}"}}'] for stage in ("run", "render")}
            assert seconds["run"] >= 0.5
            assert seconds["render"] < 0.5 * len(samples)  # not for each of them what the run took

        run_with(gathers(), test)
