"""Workers that are stopped, hang or do not end, and what becomes of them: with processes that do just that."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

import pytest
from uvicorn import Config

from app.serving import supervisor
from app.serving.supervisor import HUNG_LOOKS, Supervisor
from tests.waiting import wait_until

FORK = multiprocessing.get_context("fork")


def serve(connection: Connection) -> None:
    """Answer whoever asks, as uvicorn's workers do in a thread."""
    while True:
        connection.recv()
        connection.send(True)


def say_nothing(_: Connection) -> None:
    """Hang, and do not end when told to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(3600)


class Worker:
    """A process in the place of uvicorn's, which would load the application."""

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
    """Starts a supervisor of one worker that does something; it does not look after it by itself."""
    monkeypatch.setattr(supervisor, "Process", Worker)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    started: list[Supervisor] = []

    def start(does: Callable[[Connection], None]) -> Supervisor:
        monkeypatch.setattr(Worker, "does", staticmethod(does))
        one = Supervisor(Config("none", workers=1, log_config=None), [], seconds_to_end=0.1)
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
    """Let it look after its workers so many times; the processes that there were."""
    seen = set()
    for _ in range(times):
        one.keep_subprocess_alive()
        seen.add(one.processes[0].pid)
    return seen


def test_one_that_hangs_is_replaced_and_not_before_it_has_had_its_time(start: Callable[..., Supervisor]) -> None:
    one = start(say_nothing)
    hanging = one.processes[0].pid
    assert look(one, HUNG_LOOKS) == {hanging}
    (replaced,) = look(one, 1)
    assert replaced != hanging


def test_one_that_answers_at_last_stays(start: Callable[..., Supervisor]) -> None:
    one = start(serve)
    busy = one.processes[0]
    for _ in range(3):
        one.keep_subprocess_alive()
        wait_until(busy.parent_conn.poll)  # the answer to the one question, however many looks go by
        assert look(one, HUNG_LOOKS // 2) == {busy.pid}


def test_none_is_waited_for(start: Callable[..., Supervisor]) -> None:
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
def test_one_that_was_stopped_goes_on(start: Callable[..., Supervisor]) -> None:
    one = start(serve)
    pid = one.processes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    look(one, 1)
    wait_until(one.processes[0].parent_conn.poll)
    assert look(one, 1) == {pid}


def test_none_is_replaced_when_the_service_is_to_end(start: Callable[..., Supervisor]) -> None:
    one = start(serve)
    dead = one.processes[0]
    dead.process.kill()
    dead.process.join()
    one.should_exit.set()
    assert look(one, 1) == {dead.pid}


def test_one_that_does_not_end_is_killed(start: Callable[..., Supervisor]) -> None:
    one = start(say_nothing)
    one.terminate_all()
    one.join_all()
    assert one.processes[0].exitcode == -signal.SIGKILL
