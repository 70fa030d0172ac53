"""The parent process of several workers."""

import multiprocessing
import os
import signal

from uvicorn.supervisors import Multiprocess

HAD_TERMINAL = os.isatty(0)


class Supervisor(Multiprocess):
    """Starts workers, replaces those that die, and hands SIGHUP on to them; also when one of them asks for it.

    On SIGHUP uvicorn would put new workers in their place, which have no model loaded that they could keep.
    """

    def handle_hup(self) -> None:
        """Reload the models of all workers, or end if the terminal was closed."""
        if terminal_closed():
            self.should_exit.set()
        else:
            self.handle_usr1()

    def handle_usr1(self) -> None:
        """Reload the models of all workers."""
        for worker in self.processes:
            if worker.process.is_alive() and worker.pid is not None:
                os.kill(worker.pid, signal.SIGHUP)


def terminal_closed() -> bool:
    """Return whether SIGHUP means that the terminal is gone in which the service was started, and that it is to end."""
    return HAD_TERMINAL and not os.isatty(0)


def ask_supervisor_to_reload() -> None:
    """In one of several workers, let all of them have a SIGHUP within a second."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid == os.getppid():
        os.kill(parent.pid, signal.SIGUSR1)
