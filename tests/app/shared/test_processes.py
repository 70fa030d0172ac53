"""Child processes end with their parent."""

import subprocess
import sys

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
