"""Trial of models: each is first loaded in a separate process, so that a bad file cannot harm this one.

An ONNX file is a program. It may loop, exhaust the memory, or crash ONNX Runtime.
"""

import ctypes
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from multiprocessing.connection import Connection
from pathlib import Path

from app.inference.models.folders import model_folders, version_folders
from app.inference.models.model import MODEL_FILE, ImageToTextModel, ModelError, model_sums
from app.shared.memory import available_memory

CPU_SECONDS, BYTES_A_SECOND = 5, 50_000_000
"""CPU time limit for loading a model and reading two images: a base, plus time by the size of the file."""
SECONDS = 120
"""Wall time limit, for a busy machine."""
MEMORY_BYTES, FILE_SIZES = 1 << 30, 6
"""Memory limit: a base, plus a multiple of the size of the file."""
MAX_VERDICT_BYTES = 1_000_000
PR_SET_PDEATHSIG = 1  # of prctl.h
TOO_SLOW = "the model takes too long to load and read blank images"
TOO_LARGE = f"{MODEL_FILE} needs too much memory"
INVALID_VERDICT = "the process that tests the model returns an invalid result"
STOPPING = "the service is stopping"

_passed: set[frozenset[tuple[str, str]]] = set()
"""Checksums of the models that have passed."""
_running: "dict[Path, tuple[_Fork | subprocess.Popen[bytes], Connection]]" = {}
"""Running trials by folder: the process, and the connection that receives its verdict."""


def begin_trials(store: Path, count: int) -> None:
    """Start trials of the first `count` models of a store, which run while this process prepares to load them."""
    if sys.platform != "win32":
        with suppress(OSError):  # reported when the models are loaded
            versions = chain.from_iterable(map(version_folders, model_folders(store)))
            _running.update((folder, _begin(folder)) for folder in islice(versions, count))


def end_trials() -> None:
    """Kill unused trials: the files may have changed by the next load."""
    while _running:
        process, connection = _running.popitem()[1]
        connection.close()
        process.kill()
        process.wait()


def load_tried(folder: Path, is_stopping: Callable[[], bool]) -> ImageToTextModel:
    """Load the model of a folder, after a trial in another process unless these files have passed one.

    Raises:
        ModelError: if anything is missing or invalid, takes too long or too much memory, or changed meanwhile.
    """
    sums = model_sums(folder)
    key = frozenset(sums.items())
    if is_stopping():
        raise ModelError(STOPPING)
    if folder in _running or (key not in _passed and sys.platform != "win32"):
        if _try_in_process(folder, is_stopping) != sums:
            raise ModelError("a file changed during the trial of the model")
        _passed.add(key)
    return ImageToTextModel(folder, sums)


def _try_in_process(folder: Path, is_stopping: Callable[[], bool]) -> dict[str, str]:
    """Load a model in another process; return the checksums of its files."""
    process, connection = _running.pop(folder) if folder in _running else _begin(folder)
    with connection:
        try:
            verdict = _receive(connection, is_stopping)
        except EOFError:
            verdict = _explain_exit(process.wait())
        finally:
            process.kill()
            process.wait()
    if isinstance(verdict, str):
        raise ModelError(verdict)
    return verdict


class _Fork:
    """Fork of this process with the methods of `subprocess.Popen`.

    Not multiprocessing, whose daemonic processes may not start children.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self._status: int | None = None
        self._pid = os.fork()
        if self._pid == 0:
            try:
                run()
            finally:
                os._exit(1)

    def wait(self) -> int:
        """Return the exit status, negative if a signal ended the process."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._status

    def kill(self) -> None:
        """Kill the process."""
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)


def _begin(folder: Path) -> "tuple[_Fork | subprocess.Popen[bytes], Connection]":
    """Start the trial of a model; return the process and the connection that receives its verdict.

    The process is a fork, which takes milliseconds, or a new one, which takes a second. A fork inherits locks held by
    other threads but not the threads, so only a single-threaded process is forked.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with theirs:
        if _is_alone():
            return _Fork(partial(_try, theirs, folder)), ours
        program = f"from {__name__} import main; main()"
        command = [sys.executable, "-P", "-c", program, str(theirs.fileno()), str(folder)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()]), ours  # noqa: S603


def _is_alone() -> bool:
    """Return whether this process has only one thread, as far as Linux tells; elsewhere False."""
    return len(list(Path("/proc/self/task").glob("*"))) == 1


def _receive(connection: Connection, is_stopping: Callable[[], bool]) -> dict[str, str] | str:
    """Return the verdict of the other process: the checksums of the files, or an error message.

    Raises:
        EOFError: if it ended without a verdict.
        ModelError: if it takes too long, its verdict is invalid, or the service is stopping.
    """
    deadline = time.monotonic() + SECONDS
    while not connection.poll(0.1):
        if is_stopping():
            raise ModelError(STOPPING)
        if time.monotonic() > deadline:
            raise ModelError(TOO_SLOW)
    # The file may have taken over the process: not pickle, which can run code.
    try:
        verdict: dict[str, str] | str = json.loads(connection.recv_bytes(MAX_VERDICT_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(INVALID_VERDICT) from error
    return verdict


def _explain_exit(status: int) -> str:
    if status == -signal.SIGXCPU:
        return TOO_SLOW
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return f"{MODEL_FILE} crashes the process that loads it ({how}), perhaps out of memory"


def main() -> None:
    """Run a trial in a new process."""
    _try(Connection(int(sys.argv[1])), Path(sys.argv[2]))


def _try(to: Connection, folder: Path) -> None:
    """Load the model and send the verdict: the checksums of the files, or an error message."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the waiting process handles those from a terminal or container
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)  # a fork would wake its parent's event loop
    verdict: dict[str, str] | str
    try:
        _limit(folder)
        verdict = ImageToTextModel(folder).sums
    except ModelError as error:
        verdict = TOO_LARGE if "alloc" in str(error.__cause__) else str(error)
    except MemoryError:
        verdict = TOO_LARGE
    except Exception as error:  # noqa: BLE001 - the file caused it
        verdict = f"the model is unusable: {type(error).__name__}"
    to.send_bytes(json.dumps(verdict).encode())


def _limit(folder: Path) -> None:
    """Limit the CPU time and memory of this process.

    It also ends with its parent, and is the first to be killed if memory runs out.
    """
    import resource  # noqa: PLC0415 - not on Windows

    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a trial on the CPU suffices, and a GPU needs far more memory
    try:
        size = (folder / MODEL_FILE).stat().st_size
    except OSError:
        size = 0  # reported on loading
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + size // BYTES_A_SECOND
    _lower(resource.RLIMIT_CPU, seconds, seconds + 1)
    _lower(resource.RLIMIT_CORE, 0, 0)
    with suppress(AttributeError, OSError):  # Linux only
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        # At most what the container has left: beyond that, all of its processes may be killed together.
        limit = mapped + min(MEMORY_BYTES + FILE_SIZES * size, available_memory())
        _lower(resource.RLIMIT_AS, limit, limit)


def _lower(which: int, soft: int, hard: int) -> None:
    """Set a limit of this process unless it is already lower."""
    import resource  # noqa: PLC0415 - as above

    limits = [
        new if old == resource.RLIM_INFINITY else min(new, old)
        for new, old in zip((soft, hard), resource.getrlimit(which), strict=True)
    ]
    resource.setrlimit(which, (limits[0], limits[1]))
