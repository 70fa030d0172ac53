"""Small images of several requests, read in one run of the network.

A GPU takes about as long for several as for one. A processor saves a tenth of the network's time, and half of what it
takes to find the texts.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from anyio.to_thread import run_sync

from app.api.admission import Threads, Turns, refuse_if_busy, too_late
from app.inference.images import CheckedImage, ImageError, Pixels
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel, Reading
from app.inference.reading import read_each
from app.observability.metrics import WAIT
from app.shared.stopwatch import Stopwatch

TOGETHER = BATCH_IMAGES
"""Small images that the event loop reads before it looks at its sockets again."""
TOGETHER_SECONDS = 0.002
"""When so much time is over, no more of them are begun."""

Results = dict[object, Reading | ImageError]
"""By the places of the images in their run."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An image that waits for its turn, and what was read if somebody else has read it."""

    model: ImageToTextModel
    image: CheckedImage
    result: Reading | ImageError | None = None


class SharedTurns:
    """Reads small images in the event loop, in turns: whose turn it is, reads some of those that wait as well."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._waiting: dict[_Waiting, None] = {}  # in order

    async def read(self, model: ImageToTextModel, image: CheckedImage, watch: Stopwatch) -> Reading:
        """Read an image.

        Args:
            model: reads it.
            image: a small one.
            watch: notes how long it waited, and the stages of what is read in this turn.

        Raises:
            DamagedImageError: the pixels cannot be decoded.
            ApiError: 503, too many are waiting; 504, it was not read in time.
        """
        mine = _Waiting(model, image)
        self._waiting[mine] = None
        try:
            await self._turns.take()
        finally:
            self._waiting.pop(mine, None)
        watch.lap(WAIT)
        if mine.result is None:
            self._read_with_others(mine, watch)
        if isinstance(mine.result, Reading):
            return mine.result
        raise cast(ImageError, mine.result)

    def _read_with_others(self, mine: _Waiting, watch: Stopwatch) -> None:
        until = time.perf_counter() + TOGETHER_SECONDS
        group = [mine]

        def decoders() -> Iterator[Callable[[], Pixels]]:
            yield mine.image.decode
            others = (waiting for waiting in self._waiting if waiting.model is mine.model)
            for other in list(islice(others, TOGETHER - 1)):
                if time.perf_counter() > until:
                    return
                del self._waiting[other]
                group.append(other)
                yield other.image.decode

        # Should the run itself fail, the others have no result and try it again when it is their turn.
        for one, result in zip(group, read_each(mine.model, decoders(), watch=watch), strict=True):
            one.result = result


@dataclass(slots=True, eq=False)
class _Run:
    """Images that go through a network together.

    Attributes:
        model: reads them.
        images: by their places.
        is_full, has_begun: when there are as many as may be, and when no more are taken.
        watch: notes the stages.
        task: reads them; its result is by their places.
    """

    model: ImageToTextModel
    images: dict[object, CheckedImage] = field(default_factory=dict)
    is_full: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    watch: Stopwatch = field(default_factory=Stopwatch)
    task: asyncio.Task[Results] = field(init=False)

    def read(self) -> Results:
        """Read the images."""
        self.watch.restart()
        decoders = [image.decode for image in self.images.values()]
        return dict(zip(self.images, read_each(self.model, decoders, watch=self.watch), strict=True))


class Gathering:
    """Gathers the images of requests that come at about the same time, and reads them together in a thread."""

    def __init__(
        self,
        seconds: float,
        threads: Threads,
        max_waiting: int,
        max_seconds: float,
        counted: AbstractContextManager[object],
    ) -> None:
        """Begin.

        Args:
            seconds: how long the first image of a run waits for others; longer only where no thread is free.
            threads: read the images.
            max_waiting: how many requests may wait.
            max_seconds: how long.
            counted: is entered while one waits.
        """
        self._seconds, self._threads = seconds, threads
        self._max_waiting, self._max_seconds, self._counted = max_waiting, max_seconds, counted
        self._waiting = 0
        self._open: dict[ImageToTextModel, _Run] = {}  # the runs that others may still join

    async def read(self, model: ImageToTextModel, image: CheckedImage, watch: Stopwatch) -> Reading:
        """Read an image, together with others that the same model reads.

        Args:
            model: reads it.
            image: a small one.
            watch: notes how long it waited; that of one of the requests also notes the stages of the run.

        Raises:
            DamagedImageError: the pixels cannot be decoded.
            ApiError: 503, too many are waiting; 504, the run could not be begun in time.
        """
        refuse_if_busy(self._waiting, self._max_waiting)
        run, place = self._open.get(model) or self._open_run(model), object()
        run.images[place] = image
        if len(run.images) == BATCH_IMAGES:
            self._close(run)
            run.is_full.set()
        await self._wait_for(run, place)
        watch.lap(WAIT)
        results = await asyncio.shield(run.task)  # the others want it too when this request is given up
        watch.stages += run.watch.stages
        run.watch.stages = []
        watch.restart()
        result = results[place]
        if isinstance(result, ImageError):
            raise result
        return result

    def _open_run(self, model: ImageToTextModel) -> _Run:
        run = self._open[model] = _Run(model)
        run.task = asyncio.create_task(self._read_together(run))
        # Also where the service is made to stop and it never begins, so that nobody waits on.
        run.task.add_done_callback(lambda _: self._begin(run))
        return run

    def _begin(self, run: _Run) -> None:
        self._close(run)
        run.has_begun.set()

    def _close(self, run: _Run) -> None:
        if self._open.get(run.model) is run:
            del self._open[run.model]

    async def _wait_for(self, run: _Run, place: object) -> None:
        """Return when a run has begun; take the image out of it if its request is given up before."""
        self._waiting += 1
        try:
            with self._counted:
                async with asyncio.timeout(self._max_seconds):
                    await run.has_begun.wait()
        except TimeoutError as error:
            raise too_late() from error
        finally:
            self._waiting -= 1
            if not run.has_begun.is_set():
                del run.images[place]

    async def _read_together(self, run: _Run) -> Results:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await run.is_full.wait()
        async with self._threads.limiter:  # until a thread is free, others may join
            self._begin(run)
            return await run_sync(run.read)
