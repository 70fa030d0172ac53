"""SIGHUP where there are several workers."""

import multiprocessing
import os
import signal

from uvicorn.supervisors import Multiprocess

HAD_TERMINAL = os.isatty(0)


def terminal_closed() -> bool:
    """Whether SIGHUP means that the terminal is gone in which the service was started, and that it is to end."""
    return HAD_TERMINAL and not os.isatty(0)


def hand_sighup_on() -> None:
    """Let the parent process of several workers hand SIGHUP on to them; also when one of them asks for it.

    uvicorn would put new workers in their place, which have no model loaded that they could keep.
    """
    Multiprocess.handle_hup = _on_sighup  # type: ignore[assignment, method-assign]
    Multiprocess.handle_usr1 = _hand_on  # type: ignore[attr-defined]


def ask_parent_to_hand_on() -> None:
    """In one of several workers, let all of them have a SIGHUP within a second."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid == os.getppid():
        os.kill(parent.pid, signal.SIGUSR1)


def _on_sighup(parent: Multiprocess) -> None:
    if terminal_closed():
        parent.should_exit.set()
    else:
        _hand_on(parent)


def _hand_on(parent: Multiprocess) -> None:
    for worker in parent.processes:
        if worker.process.is_alive() and worker.pid is not None:
            os.kill(worker.pid, signal.SIGHUP)
