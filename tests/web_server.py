"""A web server in a thread, for what fetches from one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def serving(handler: Callable[..., Any], host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Let a handler answer requests, and yield the address."""
    with ThreadingHTTPServer((host, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, and yield the address."""
    with serving(partial(SimpleHTTPRequestHandler, directory=str(folder))) as address:
        yield address
