"""Processes that work for another one."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process end as soon as the one that started it has ended, even if that was killed.

    Otherwise it would wait for work for ever: it holds both ends of the queue that the work comes through.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
