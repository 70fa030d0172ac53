"""The parent process of several workers."""

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from socket import socket

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.observability.logs import get_logger

HAD_TERMINAL = os.isatty(0)
HUNG_LOOKS = 60
"""A worker that says nothing for so many looks, of two a second, is killed. One that is starting on a busy machine may
need ten. Looks are counted, not seconds: while this process is stopped, the workers mostly are, too."""

log = get_logger("app.server")


class Supervisor(Multiprocess):
    """Starts workers, replaces those that die, and hands SIGHUP on to them; also when one of them asks for it.

    On SIGHUP uvicorn would put new workers in their place, which have no model loaded that they could keep. It would
    also wait for a worker that does not answer, and meanwhile replace no other, and not end.
    """

    def __init__(self, config: Config, sockets: Sequence[socket], seconds_to_end: float) -> None:
        """Prepare to start workers.

        Args:
            config: what they serve, and how many there are.
            sockets: on which they listen, or beside which, see `WorkerLoop`.
            seconds_to_end: how long a worker may take to end once it is told to.
        """
        super().__init__(config, list(sockets))
        self._seconds_to_end = seconds_to_end
        self._unanswered: dict[Process, int] = {}  # looks since a worker was asked

    def keep_subprocess_alive(self) -> None:
        """Let workers that were stopped go on, and replace those that have ended or hang."""
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set() or (worker.process.is_alive() and self._answers(worker)):
                continue
            worker.kill()
            worker.process.join()
            self._unanswered.pop(worker, None)
            if worker.exitcode == STARTUP_FAILURE:  # as every other would
                log.error("a worker cannot start", pid=worker.pid)
                self.should_exit.set()
                return
            log.error("a worker died and is replaced", pid=worker.pid, exit_status=worker.exitcode)
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def join_all(self) -> None:
        """Wait until all workers have ended, but not for ever."""
        deadline = time.monotonic() + self._seconds_to_end
        for worker in self.processes:
            _let_go_on(worker)
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                log.error("a worker does not end and is killed", pid=worker.pid)
                worker.process.kill()
                worker.process.join()

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

    def _answers(self, worker: Process) -> bool:
        """Ask a worker, or look whether it has answered; return False when it has not for long."""
        _let_go_on(worker)
        looks = self._unanswered.get(worker, 0)
        try:
            if looks and worker.parent_conn.poll():
                worker.parent_conn.recv()
                looks = 0
            if not looks:
                worker.parent_conn.send(b"ping")
        except (OSError, EOFError):
            return False
        self._unanswered[worker] = looks + 1
        return looks < HUNG_LOOKS


def _let_go_on(worker: Process) -> None:
    """Let a worker go on that was stopped (SIGSTOP), which on Linux can be seen; a debugger stops in another way."""
    with suppress(OSError):
        state = Path(f"/proc/{worker.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        if state == "T" and worker.pid is not None:
            os.kill(worker.pid, signal.SIGCONT)
            log.warning("a worker was stopped and goes on", pid=worker.pid)


def terminal_closed() -> bool:
    """Return whether SIGHUP means that the terminal is gone in which the service was started, and that it is to end."""
    return HAD_TERMINAL and not os.isatty(0)


def ask_supervisor_to_reload() -> None:
    """In one of several workers, let all of them have a SIGHUP within a second."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid == os.getppid():
        os.kill(parent.pid, signal.SIGUSR1)
