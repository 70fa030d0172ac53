"""Workers that are stopped, hang or do not end, simulated by processes."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

import pytest

from app.serving import supervisor
from app.serving.supervisor import HUNG_CHECKS, Supervisor
from app.serving.worker import WorkerConfig
from tests.waiting import wait_until

FORK = multiprocessing.get_context("fork")


def serve(connection: Connection) -> None:
    """Answer pings like uvicorn's workers, which do so in a thread."""
    while True:
        connection.recv()
        connection.send(True)


def say_nothing(_: Connection) -> None:
    """Hang and ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(3600)


class Worker:
    """Process instead of uvicorn's, which would load the application."""

    does: Callable[[Connection], None] = staticmethod(serve)

    def __init__(self, *_: object) -> None:
        self.parent_conn, self.child_conn = FORK.Pipe()
        self.process = FORK.Process(target=type(self).does, args=(self.child_conn,), daemon=True)

    def start(self) -> None:
        self.process.start()

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def exitcode(self) -> int | None:
        return self.process.exitcode


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Supervisor]]:
    """Return a function that starts a supervisor of one worker; checks run only on demand."""
    monkeypatch.setattr(supervisor, "WorkerProcess", Worker)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    started: list[Supervisor] = []

    def start(does: Callable[[Connection], None]) -> Supervisor:
        monkeypatch.setattr(Worker, "does", staticmethod(does))
        one = Supervisor(WorkerConfig("none", workers=1, log_config=None), [], seconds_to_end=0.1)
        one.processes = [Worker()]  # type: ignore[list-item]
        one.processes[0].start()
        started.append(one)
        return one

    yield start
    for number, handler in handlers.items():
        with suppress(OSError, ValueError, TypeError):
            signal.signal(number, handler)
    for one in started:
        for worker in one.processes:
            worker.process.kill()
            worker.process.join()


def look(one: Supervisor, times: int) -> set[int | None]:
    """Run this many checks; return the processes seen."""
    seen = set()
    for _ in range(times):
        one.keep_subprocess_alive()
        seen.add(one.processes[0].pid)
    return seen


def test_a_hanging_worker_is_replaced_only_after_enough_checks(start: Callable[..., Supervisor]) -> None:
    one = start(say_nothing)
    hanging = one.processes[0].pid
    assert look(one, HUNG_CHECKS) == {hanging}
    (replaced,) = look(one, 1)
    assert replaced != hanging


def test_a_worker_that_answers_late_is_kept(start: Callable[..., Supervisor]) -> None:
    one = start(serve)
    busy = one.processes[0]
    for _ in range(3):
        one.keep_subprocess_alive()
        wait_until(busy.parent_conn.poll)  # one answer to the one ping, however many checks follow
        assert look(one, HUNG_CHECKS // 2) == {busy.pid}


def test_checks_do_not_block(start: Callable[..., Supervisor]) -> None:
    one = start(say_nothing)
    one.processes.append(Worker())  # type: ignore[arg-type]
    one.processes[1].start()
    look(one, 1)
    dead = one.processes[1]
    dead.process.kill()
    dead.process.join()
    look(one, 1)
    assert one.processes[1].pid != dead.pid
    assert one.processes[1].process.is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="that a process is stopped is told on Linux only")
def test_a_stopped_worker_is_resumed(start: Callable[..., Supervisor]) -> None:
    one = start(serve)
    pid = one.processes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    look(one, 1)
    wait_until(one.processes[0].parent_conn.poll)
    assert look(one, 1) == {pid}


def test_no_worker_is_replaced_during_shutdown(start: Callable[..., Supervisor]) -> None:
    one = start(serve)
    dead = one.processes[0]
    dead.process.kill()
    dead.process.join()
    one.should_exit.set()
    assert look(one, 1) == {dead.pid}


def test_a_worker_that_does_not_end_is_killed(start: Callable[..., Supervisor]) -> None:
    one = start(say_nothing)
    one.terminate_all()
    one.join_all()
    assert one.processes[0].exitcode == -signal.SIGKILL
