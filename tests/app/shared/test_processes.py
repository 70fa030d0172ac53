"""Child processes end with their parent, and leave Ctrl-C to it."""

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from app.shared.processes import interrupts_blocked

SCRIPT = """
import os, multiprocessing, sys, time
from concurrent.futures import ProcessPoolExecutor
from app.shared.processes import end_with_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=end_with_parent)
    pool.submit(os.getpid).result()
    os.write(1, b"working")
    time.sleep(600)
"""


def test_a_worker_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.read(7) == b"working"
        parent.kill()
        # The worker has the same pipe, which closes when both have ended.
        assert parent.stdout.read() == b""


def test_a_process_without_a_parent_continues() -> None:
    script = "from app.shared.processes import end_with_parent; end_with_parent(); print('done')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "done\n"


class TestInterruptsBlocked:
    def test_an_interrupt_takes_effect_at_the_end_of_the_block(self, interrupt: Callable[[], None]) -> None:
        progress = []

        def interrupted() -> None:
            with interrupts_blocked():
                interrupt()
                progress.append("at the end of the block")
            progress.append("after the block")

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert progress == ["at the end of the block"]

    def test_interrupts_never_reach_processes_started_in_the_block(self) -> None:
        script = "print('started', flush=True); input(); print('still running')"
        with interrupts_blocked():
            child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"started\n"
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(b"\n")
        assert (child.returncode, out) == (0, b"still running\n")
