"""Parent process of several workers."""

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from socket import socket

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.observability.logs import get_logger
from app.serving.worker import WorkerConfig

HAD_TERMINAL = os.isatty(0)
HUNG_CHECKS = 60
"""Number of checks, two a second, after which an unresponsive worker is killed. On a busy machine, a starting worker
may need ten. Seconds are not counted, since workers are usually stopped together with this process."""

log = get_logger("app.server")


class WorkerProcess(Process):
    """Worker process, which answers pings in a separate thread."""

    config: WorkerConfig

    def target(self, sockets: list[socket] | None = None) -> None:
        """Serve."""
        self.config.begin()  # before that thread starts
        super().target(sockets)


class Supervisor(Multiprocess):
    """Parent that starts workers, replaces dead ones, and forwards SIGHUP to all, also at the request of a worker.

    On SIGHUP, uvicorn would start new workers, which could not keep models that no longer load. It would also block on
    a worker that does not respond, and meanwhile neither replace others nor stop.
    """

    def __init__(self, config: WorkerConfig, sockets: Sequence[socket], seconds_to_end: float) -> None:
        """Prepare the supervisor, with the seconds that a worker may take to stop.

        The workers listen on the sockets, or copy their addresses, see `WorkerLoop`.
        """
        super().__init__(config, list(sockets))
        self._seconds_to_end = seconds_to_end
        self._unanswered: dict[Process, int] = {}  # checks since each worker's ping

    def init_processes(self) -> None:
        """Start the workers."""
        for _ in range(self.config.workers):
            self.processes.append(WorkerProcess(self.config, self.sockets))
            self.processes[-1].start()

    def keep_subprocess_alive(self) -> None:
        """Resume stopped workers, and replace those that have died or hang."""
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set() or (worker.process.is_alive() and self._answers(worker)):
                continue
            worker.kill()
            worker.process.join()
            self._unanswered.pop(worker, None)
            if worker.exitcode == STARTUP_FAILURE:  # a replacement would fail, too
                log.error("a worker cannot start", pid=worker.pid)
                self.should_exit.set()
                return
            log.error("a worker died and is replaced", pid=worker.pid, exit_status=worker.exitcode)
            self.processes[place] = WorkerProcess(self.config, self.sockets)
            self.processes[place].start()

    def join_all(self) -> None:
        """Wait until all workers have ended; kill those that take too long."""
        deadline = time.monotonic() + self._seconds_to_end
        for worker in self.processes:
            _resume_if_stopped(worker)
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                log.error("a worker does not stop and is killed", pid=worker.pid)
                worker.process.kill()
                worker.process.join()

    def handle_hup(self) -> None:
        """Reload the models of all workers, or stop if the terminal was closed."""
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
        """Ping a worker, or check for its reply; return False after too many checks without one."""
        _resume_if_stopped(worker)
        checks = self._unanswered.get(worker, 0)
        try:
            if checks and worker.parent_conn.poll():
                worker.parent_conn.recv()
                checks = 0
            if not checks:
                worker.parent_conn.send(b"ping")
        except (OSError, EOFError):
            return False
        self._unanswered[worker] = checks + 1
        return checks < HUNG_CHECKS


def _resume_if_stopped(worker: Process) -> None:
    """Resume a worker stopped by SIGSTOP, if /proc shows that; a debugger stops processes in another state."""
    with suppress(OSError):
        state = Path(f"/proc/{worker.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        if state == "T" and worker.pid is not None:
            os.kill(worker.pid, signal.SIGCONT)
            log.warning("a stopped worker is resumed", pid=worker.pid)


def terminal_closed() -> bool:
    """Return whether the terminal in which the service was started has closed; SIGHUP then means to stop."""
    return HAD_TERMINAL and not os.isatty(0)


def ask_supervisor_to_reload() -> None:
    """Ask the parent of this worker to send SIGHUP to all workers within a second."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid == os.getppid():
        os.kill(parent.pid, signal.SIGUSR1)
