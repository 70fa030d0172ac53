"""Child processes."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Exit as soon as the parent process ends, even if it is killed.

    Otherwise this process would wait for work forever: it holds both ends of its own work queue.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
