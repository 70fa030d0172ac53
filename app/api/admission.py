"""Who is read next, and who is told to come back later."""

import asyncio
from collections import deque
from http import HTTPStatus

from app.api.problems import BUSY, ApiError

RETRY_AFTER_SECONDS = 1


class Turns:
    """The order in which the event loop reads small images: one a round.

    A small image takes less time than a change of threads, so the event loop reads it itself. Between two images it
    looks at its sockets again. So probes are answered and the waiting are counted, however many requests come at once.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = False

    async def take(self) -> None:
        """Return when it is the caller's turn; what it does before it next awaits is its turn.

        Raises:
            ApiError: 503, too many are waiting.
        """
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            loop.call_soon(self._next)
            return
        refuse_if_busy(len(self._waiting), self._max_waiting)
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else its request was given up
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._taken = False


def refuse_if_busy(waiting: int, max_waiting: int) -> None:
    """Refuse a request where as many are waiting as may.

    Raises:
        ApiError: 503, with the time to wait.
    """
    if waiting >= max_waiting:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, {"Retry-After": str(RETRY_AFTER_SECONDS)})
