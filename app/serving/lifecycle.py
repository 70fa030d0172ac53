"""Graceful shutdown."""

import asyncio
import signal
import threading
from types import FrameType

from app.observability.logs import get_logger
from app.observability.metrics import Metrics

log = get_logger("app")


def drain_on_sigterm(stopping: threading.Event, metrics: Metrics, seconds: float) -> None:
    """On SIGTERM, become unready at once, and stop the server after `seconds`.

    In the meantime load balancers notice, and requests are still served. The server then accepts no more connections,
    finishes open requests and exits.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may handle signals; tests start the application in others
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)

    def begin_to_stop() -> None:
        metrics.ready.set(False)
        log.info("stopping", drain_seconds=seconds)
        loop.call_later(seconds, stop_server)

    def stop_server() -> None:
        if callable(stop):
            stop(signal.SIGTERM, None)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stopping.set()  # at once, even while models are loading
        loop.call_soon_threadsafe(begin_to_stop)

    signal.signal(signal.SIGTERM, on_signal)
