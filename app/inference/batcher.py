"""Request queue: images that wait for the same network are read in one batch."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from app.inference.costs import images_in_event_loop
from app.inference.decoding.beam import Search
from app.inference.images import CheckedImage, ImageError, Pixels
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel
from app.inference.models.reading import Reading
from app.inference.reader import Decoder, read_each
from app.shared.stopwatch import WAIT, Stopwatch

T = TypeVar("T")

MAX_LOOP_BYTES = 65_536
"""Maximum size of a form, document or image that is parsed in the event loop."""


class QueueFullError(Exception):
    """The queue is full."""


class WaitedTooLongError(Exception):
    """A request exceeded its time limit; the rest of its images is not read."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """Image in the queue."""

    model: ImageToTextModel
    image: CheckedImage
    watch: Stopwatch
    deadline: float
    """By the clock of the event loop."""
    result: asyncio.Future[Reading | Exception]


class Batcher:
    """Scheduler of readings.

    Small images wait in a queue. One task takes those for the same network and reads them in one batch. On a CPU it
    runs in the event loop: reading a small image takes less time than a thread switch. On a GPU it uses a thread, and
    images that arrive meanwhile form the next batch. Threads also do work that would block the event loop: large
    images and networks, batch requests, searches.
    """

    def __init__(
        self, threads: int, max_waiting: int, max_seconds: float, on_waiting: Callable[[int], None] = lambda _: None
    ) -> None:
        """Create an empty queue.

        Args:
            threads: number of threads.
            max_waiting: maximum number of waiting images and jobs.
            max_seconds: time limit of each, in the queue and in threads, where it is checked between images.
            on_waiting: called with the number waiting whenever it changes.
        """
        self.threads = threads
        self._max_waiting, self._max_seconds, self._on_waiting = max_waiting, max_seconds, on_waiting
        self._free_threads = asyncio.Semaphore(threads)
        self._waiting = 0
        self._queue: dict[_Waiting, None] = {}  # in order
        self._task: asyncio.Task[None] | None = None

    async def read(
        self, model: ImageToTextModel, image: CheckedImage, search: Search | None, watch: Stopwatch
    ) -> Reading:
        """Read an image.

        Args:
            model: to read it with.
            image: checked upload.
            search: options of the search; None decodes greedily.
            watch: records the waiting time. The stages of a batch are recorded by the watch of its first image.

        Raises:
            DamagedImageError: if the pixels cannot be decoded.
            QueueFullError: if too many are waiting.
            WaitedTooLongError: if it was not read in time.
        """
        if search is None and image.is_small and _max_batch(model):
            result = await self._enqueue(model, image, watch)
            watch.restart()
        else:
            (result,) = await self.read_all(model, [image.decode], search, watch)
        if isinstance(result, Exception):
            try:
                raise result
            finally:
                del result  # breaks the reference cycle of error and frame, which would keep the image alive
        return result

    async def read_all(
        self, model: ImageToTextModel, decoders: Sequence[Decoder], search: Search | None, watch: Stopwatch
    ) -> list[Reading | ImageError]:
        """Read the images of a request, one chunk per thread; see `read_each`.

        Raises:
            QueueFullError: if too many are waiting.
            WaitedTooLongError: if they were not read in time; the rest of them is not read.
        """
        size = max(1, math.ceil(len(decoders) / self.threads))
        deadline = monotonic() + self._max_seconds

        async def read_chunk(start: int) -> list[Reading | ImageError]:
            beside = watch.beside()
            chunk = [partial(_decode_in_time, decode, deadline) for decode in decoders[start : start + size]]
            return await self.run(partial(_read, model, chunk, search, beside), beside)

        try:
            async with asyncio.TaskGroup() as group:
                chunks = [group.create_task(read_chunk(start)) for start in range(0, len(decoders), size)]
        except ExceptionGroup as errors:
            try:
                raise errors.exceptions[0] from None
            finally:
                del errors, group, chunks  # as above
        watch.restart()
        return [result for chunk in chunks for result in chunk.result()]

    async def run_by_size(self, size: int, work: Callable[[], T], watch: Stopwatch) -> T:
        """Do work whose time grows with the size in bytes: at once if that is small, otherwise like `run`."""
        return work() if size <= MAX_LOOP_BYTES else await self.run(work, watch)

    async def run(self, work: Callable[[], T], watch: Stopwatch) -> T:
        """Do work in a thread as soon as one is free.

        Raises:
            QueueFullError: if too many are waiting.
            WaitedTooLongError: if no thread was free in time.
        """
        self._enter()
        try:
            async with asyncio.timeout(self._max_seconds):
                await self._free_threads.acquire()
        except TimeoutError as error:
            raise WaitedTooLongError from error
        finally:
            self._count(-1)
        try:
            watch.lap(WAIT)
            return await in_thread(work)
        finally:
            self._free_threads.release()

    async def _enqueue(self, model: ImageToTextModel, image: CheckedImage, watch: Stopwatch) -> Reading | Exception:
        self._enter()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(model, image, watch, loop.time() + self._max_seconds, loop.create_future())
        self._queue[waiting] = None
        if self._task is None:
            self._task = loop.create_task(self._read_queue())
        return await waiting.result

    async def _read_queue(self) -> None:
        """Read until the queue is empty, and yield to the event loop after each batch.

        If a yield takes long, because many requests are refused, spend as long on batches before the next one.
        """
        paused = time.perf_counter()
        try:
            while self._queue:
                resumed = time.perf_counter()
                until = resumed + (resumed - paused)
                while batch := self._take():
                    await _read_batch(batch)
                    if time.perf_counter() >= until:
                        break
                paused = time.perf_counter()
                await asyncio.sleep(0)
        finally:
            self._task = None

    def _take(self) -> list[_Waiting]:
        """Take the images for the same network as the first in the queue, up to the size of a batch."""
        now = asyncio.get_running_loop().time()
        batch: list[_Waiting] = []
        for waiting in list(self._queue):
            if batch and waiting.model is not batch[0].model:
                continue
            del self._queue[waiting]
            self._count(-1)
            if waiting.result.done():  # its request was cancelled
                continue
            if now > waiting.deadline:
                waiting.result.set_result(WaitedTooLongError())
                continue
            waiting.watch.lap(WAIT)
            batch.append(waiting)
            if len(batch) == _max_batch(waiting.model):
                break
        return batch

    def _enter(self) -> None:
        if self._waiting >= self._max_waiting:
            raise QueueFullError
        self._count(1)

    def _count(self, change: int) -> None:
        self._waiting += change
        self._on_waiting(self._waiting)


async def _read_batch(batch: Sequence[_Waiting]) -> None:
    in_event_loop = _runs_on_cpu(batch[0].model)
    results = _read_together(batch) if in_event_loop else await in_thread(partial(_read_together, batch))
    for waiting, result in zip(batch, results, strict=True):
        if not waiting.result.done():
            waiting.result.set_result(result)


def _read(
    model: ImageToTextModel, decoders: Sequence[Decoder], search: Search | None, watch: Stopwatch
) -> list[Reading | ImageError]:
    return read_each(partial(model.predict, search=search, watch=watch), decoders)


def _read_together(batch: Sequence[_Waiting]) -> Sequence[Reading | Exception]:
    first = batch[0]
    try:
        return _read(first.model, [waiting.image.decode for waiting in batch], None, first.watch)
    except Exception as error:  # noqa: BLE001 - raised in `read`
        if len(batch) == 1:
            return [error]
        # Each alone, so that one error does not affect the others.
        return [result for waiting in batch for result in _read_together([waiting])]


def _decode_in_time(decode: Decoder, deadline: float) -> Pixels:
    if monotonic() > deadline:
        raise WaitedTooLongError
    return decode()


def _max_batch(model: ImageToTextModel) -> int:
    """Return the maximum number of images in a batch; 0 if the event loop should not read even one."""
    return images_in_event_loop(model) if _runs_on_cpu(model) else BATCH_IMAGES


def _runs_on_cpu(model: ImageToTextModel) -> bool:
    return model.providers[0] == "CPUExecutionProvider"


async def in_thread(work: Callable[[], T]) -> T:
    """Do work in a thread at once, without a limit on their number."""
    return await run_sync(work, limiter=CapacityLimiter(1))  # not anyio's shared limit of 40
