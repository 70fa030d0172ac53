"""Who is read next, and who is told to come back later."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from app.api.problems import BUSY, TOO_LATE, ApiError

TURN_SECONDS = 0.0005
"""What a small image takes, about: until it has been measured."""
T = TypeVar("T")


class Turns:
    """The order in which the event loop reads small images: one a round, or more where rounds are long.

    A small image takes less time than a change of threads, so the event loop reads it itself. Between two images it
    looks at its sockets again. So probes are answered and the waiting are counted, however many requests come at once.
    Where a round takes long, because very many are refused in it, as much time goes to those who were accepted.
    """

    def __init__(self, max_waiting: int, max_seconds: float, counted: AbstractContextManager[object]) -> None:
        """Begin.

        Args:
            max_waiting: how many may wait.
            max_seconds: how long.
            counted: is entered while one waits.
        """
        self._max_waiting, self._max_seconds, self._counted = max_waiting, max_seconds, counted
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = False
        self._round_began, self._given = 0.0, 0
        self._turn_seconds = TURN_SECONDS
        self._first_turn = 0.0  # when it began, of those given last

    async def take(self) -> None:
        """Return when it is the caller's turn; what it does before it next awaits is its turn.

        Raises:
            ApiError: 503, too many are waiting; 504, it was not the caller's turn in time.
        """
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            self._round_began, self._given = time.perf_counter(), 1
            loop.call_soon(self._next)
            return
        refuse_if_busy(len(self._waiting), self._max_waiting)
        turn = loop.create_future()
        self._waiting.append(turn)
        deadline = loop.time() + self._max_seconds
        with self._counted:
            await turn
        self._first_turn = self._first_turn or time.perf_counter()
        if loop.time() > deadline:
            raise too_late()

    def _next(self) -> None:
        now = time.perf_counter()
        if self._first_turn:  # every time, else one pause amid them would count for good; this comes right after them
            self._turn_seconds = max((now - self._first_turn) / self._given, TURN_SECONDS / 10)
        # Without the time of the turns themselves, else a long round would make the next one as long.
        others_seconds = now - self._round_began - self._given * self._turn_seconds
        turns = max(1, int(others_seconds / self._turn_seconds))
        self._round_began, self._first_turn = now, 0.0
        given = 0
        while self._waiting and given < turns:
            turn = self._waiting.popleft()
            if not turn.done():  # else its request was given up
                turn.set_result(None)
                given += 1
        self._given = given
        if given:
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self._taken = False


class Threads:
    """The threads that read what would hold up the event loop: large images, batches, searches.

    Attributes:
        count: how many work at the same time.
        limiter: lends them.
    """

    def __init__(
        self, count: int, max_waiting: int, max_seconds: float, counted: AbstractContextManager[object]
    ) -> None:
        self.count = count
        self._max_waiting, self._max_seconds, self._counted = max_waiting, max_seconds, counted
        self.limiter = CapacityLimiter(count)

    async def run(self, work: Callable[[], T]) -> T:
        """Do work in a thread when one is free.

        Raises:
            ApiError: 503, too many are waiting; 504, none was free in time, and the work was not begun.
        """
        refuse_if_busy(self.limiter.statistics().tasks_waiting, self._max_waiting)
        # A limiter lends to a borrower only once; a request may have several parts.
        borrower = object()
        try:
            with self._counted:
                async with asyncio.timeout(self._max_seconds):
                    await self.limiter.acquire_on_behalf_of(borrower)
        except TimeoutError as error:
            raise too_late() from error
        try:
            return await run_sync(work)
        finally:
            self.limiter.release_on_behalf_of(borrower)


def retry_after() -> dict[str, str]:
    """A header that asks a client to come back in a while; not all of them at once, or most would be refused again."""
    return {"Retry-After": random.choice("123")}  # noqa: S311 - no secret


def too_late() -> ApiError:
    """The error of a request that waited longer than `OCR_REQUEST_TIMEOUT`."""
    return ApiError(HTTPStatus.GATEWAY_TIMEOUT, TOO_LATE, retry_after())


def refuse_if_busy(waiting: int, max_waiting: int) -> None:
    """Let nobody wait beside as many as may.

    Raises:
        ApiError: 503, too many are waiting.
    """
    if waiting >= max_waiting:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after())
