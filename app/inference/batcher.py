"""The one queue in front of the networks: images that wait for the same network are read in one run."""

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
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel, Reading
from app.inference.reader import Decoder, read_each
from app.shared.stopwatch import WAIT, Stopwatch

T = TypeVar("T")

FEW_BYTES = 65_536
"""So many are looked through in the event loop: a form, a document, the structure of an image."""


class QueueFullError(Exception):
    """As many requests wait as may."""


class WaitedTooLongError(Exception):
    """A request was not read in the time that it has; what had not been begun of it is not done."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An image in the queue."""

    model: ImageToTextModel
    image: CheckedImage
    watch: Stopwatch
    deadline: float
    """By the clock of the event loop."""
    result: asyncio.Future[Reading | Exception]


class Batcher:
    """Decides what is read when, and where.

    Small images wait in a queue. One task takes those that wait for the same network and reads them in one run. On a
    processor the event loop itself does that: a small image takes less time than a change of threads. On a GPU a thread
    does, and what arrives during a run goes into the next. Threads also do what would hold up the event loop: large
    images and networks, batches, searches.

    Attributes:
        threads: how many work at the same time.
    """

    def __init__(
        self, threads: int, max_waiting: int, max_seconds: float, on_waiting: Callable[[int], None] = lambda _: None
    ) -> None:
        """Begin with an empty queue.

        Args:
            threads: how many work at the same time.
            max_waiting: how many images and pieces of work may wait.
            max_seconds: how long each may take, in the queue and in threads, where the time is looked at between two
                images.
            on_waiting: is told how many wait whenever that changes.
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
            model: reads it.
            image: the image.
            search: which texts are searched for; None decodes greedily.
            watch: notes how long it waited. Of images that are read in one run, that of the first notes the stages.

        Raises:
            DamagedImageError: the pixels cannot be decoded.
            QueueFullError: too many are waiting.
            WaitedTooLongError: it was not read in time.
        """
        if search is None and image.is_small and _images_in_a_run(model):
            result = await self._enqueue(model, image, watch)
            watch.restart()
        else:
            (result,) = await self.read_all(model, [image.decode], search, watch)
        if isinstance(result, Exception):
            try:
                raise result
            finally:
                del result  # which would hold this frame, and so the image, as long as it is held by it
        return result

    async def read_all(
        self, model: ImageToTextModel, decoders: Sequence[Decoder], search: Search | None, watch: Stopwatch
    ) -> list[Reading | ImageError]:
        """Read the images of a request in all threads, each of which takes a chunk of them; see `read_each`.

        Raises:
            QueueFullError: too many are waiting.
            WaitedTooLongError: they were not read in time; those that had not been begun by then are not read.
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
        """Do work that takes the longer the more bytes it is about: at once, or as `run` does if they are many."""
        return work() if size <= FEW_BYTES else await self.run(work, watch)

    async def run(self, work: Callable[[], T], watch: Stopwatch) -> T:
        """Do work in a thread when one is free.

        Raises:
            QueueFullError: too many are waiting.
            WaitedTooLongError: no thread was free in time.
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
        """Read until nothing waits, and look at the sockets after each run.

        Where that takes long, because very many requests are refused meanwhile, as much time goes to those that wait.
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
        """Take what waits for the same network as the first in the queue, at most as much as fits a run."""
        now = asyncio.get_running_loop().time()
        batch: list[_Waiting] = []
        for waiting in list(self._queue):
            if batch and waiting.model is not batch[0].model:
                continue
            del self._queue[waiting]
            self._count(-1)
            if waiting.result.done():  # its request was given up
                continue
            if now > waiting.deadline:
                waiting.result.set_result(WaitedTooLongError())
                continue
            waiting.watch.lap(WAIT)
            batch.append(waiting)
            if len(batch) == _images_in_a_run(waiting.model):
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
    in_event_loop = _is_on_processor(batch[0].model)
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
    except Exception as error:  # noqa: BLE001 - raised where it is waited for
        if len(batch) == 1:
            return [error]
        return [
            result for waiting in batch for result in _read_together([waiting])
        ]  # the fault of one is not the others'


def _decode_in_time(decode: Decoder, deadline: float) -> Pixels:
    if monotonic() > deadline:
        raise WaitedTooLongError
    return decode()


def _images_in_a_run(model: ImageToTextModel) -> int:
    """Return how many images that wait are read together; 0 where the event loop should not read even one."""
    return images_in_event_loop(model) if _is_on_processor(model) else BATCH_IMAGES


def _is_on_processor(model: ImageToTextModel) -> bool:
    return model.providers[0] == "CPUExecutionProvider"


async def in_thread(work: Callable[[], T]) -> T:
    """Do work in a thread at once, however many there are."""
    return await run_sync(work, limiter=CapacityLimiter(1))  # not anyio's own, of 40 threads for everything
