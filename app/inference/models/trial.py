"""Models are loaded and tried in a process of their own first: whatever a file makes of it, this one goes on.

An ONNX file is a program. It may loop, take all of the memory, or meet a fault of ONNX Runtime that ends its process.
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
"""What loading a model and reading two images may take of a processor; a large one may take longer."""
SECONDS = 120
"""How long that may take on a busy machine."""
MEMORY_BYTES, FILE_SIZES = 1 << 30, 6
"""What it may take of memory, besides some times the size of its file."""
MAX_VERDICT_BYTES = 1_000_000
PR_SET_PDEATHSIG = 1  # of prctl.h
TOO_SLOW = f"{MODEL_FILE} takes too long to load and to read blank images"
TOO_LARGE = f"{MODEL_FILE} needs too much memory"
STOPPING = "the service is stopping"

_passed: set[frozenset[tuple[str, str]]] = set()
"""The sums of the models that have been tried."""
_begun: "dict[Path, tuple[_Copy | subprocess.Popen[bytes], Connection]]" = {}
"""The processes that try models, by the folders, and what each is heard on."""


def begin_trials(store: Path, count: int) -> None:
    """Begin to try the first models of a store, each in a process that goes on while this one prepares to load them.

    Args:
        store: the folder of models.
        count: how many models are tried at the same time.
    """
    if sys.platform != "win32":
        with suppress(OSError):  # who loads the models tells of it
            versions = chain.from_iterable(map(version_folders, model_folders(store)))
            _begun.update((folder, _begin(folder)) for folder in islice(versions, count))


def end_trials() -> None:
    """End the trials that were begun and that no model was loaded by: its files may be others by the next time."""
    while _begun:
        process, connection = _begun.popitem()[1]
        connection.close()
        process.kill()
        process.wait()


def load_tried(folder: Path, is_stopping: Callable[[], bool]) -> ImageToTextModel:
    """Load the model of a folder, after another process has done so if its files have not been tried before.

    Raises:
        ModelError: anything is missing or broken, takes too long or too much memory, or changed meanwhile.
    """
    sums = model_sums(folder)
    key = frozenset(sums.items())
    if is_stopping():
        raise ModelError(STOPPING)
    if folder in _begun or (key not in _passed and sys.platform != "win32"):
        if _try_elsewhere(folder, is_stopping) != sums:
            raise ModelError("a file changed while the model was tried")
        _passed.add(key)
    return ImageToTextModel(folder, sums)


def _try_elsewhere(folder: Path, is_stopping: Callable[[], bool]) -> dict[str, str]:
    """Load and try a model in another process; return the sums of its files."""
    process, connection = _begun.pop(folder) if folder in _begun else _begin(folder)
    with connection:
        try:
            verdict = _receive(connection, is_stopping)
        except EOFError:
            verdict = _why_it_ended(process.wait())
        finally:
            process.kill()
            process.wait()
    if isinstance(verdict, str):
        raise ModelError(verdict)
    return verdict


class _Copy:
    """A copy of this process, to be waited for as `subprocess.Popen` is.

    Not by multiprocessing, which makes none where a server has made this process by it.
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
        """Return its exit status, negative if a signal ended it."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._status

    def kill(self) -> None:
        """End it."""
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)


def _begin(folder: Path) -> "tuple[_Copy | subprocess.Popen[bytes], Connection]":
    """Start a process that tries a model; return it with the connection on which it is heard."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with theirs:
        return _start(theirs, folder), ours


def _start(to: Connection, folder: Path) -> "_Copy | subprocess.Popen[bytes]":
    """Start a process: a copy of this one, which takes milliseconds, or a new one, which takes a second.

    A copy has all the locks that threads hold, and no threads: only who has no others is copied.
    """
    if _is_alone():
        return _Copy(partial(_try, to, folder))
    program = f"from {__name__} import main; main()"
    command = [sys.executable, "-P", "-c", program, str(to.fileno()), str(folder)]
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, pass_fds=[to.fileno()])  # noqa: S603


def _is_alone() -> bool:
    """Return whether this process has one thread; on other systems than Linux nobody can tell."""
    return len(list(Path("/proc/self/task").glob("*"))) == 1


def _receive(connection: Connection, is_stopping: Callable[[], bool]) -> dict[str, str] | str:
    """Return what the other process sends: the sums of the files, or what is wrong.

    Raises:
        EOFError: it ended without a word.
        ModelError: it says nothing, or it is not worth waiting for any more.
    """
    deadline = time.monotonic() + SECONDS
    while not connection.poll(0.1):
        if is_stopping():
            raise ModelError(STOPPING)
        if time.monotonic() > deadline:
            raise ModelError(TOO_SLOW)
    # No pickle, which could be anything: who knows what the file has made of the process.
    verdict: dict[str, str] | str = json.loads(connection.recv_bytes(MAX_VERDICT_BYTES))
    return verdict


def _why_it_ended(status: int) -> str:
    if status == -signal.SIGXCPU:
        return TOO_SLOW
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return f"{MODEL_FILE} ends the process that tries it ({how}), perhaps for want of memory"


def main() -> None:
    """Run the process that is no copy."""
    _try(Connection(int(sys.argv[1])), Path(sys.argv[2]))


def _try(to: Connection, folder: Path) -> None:
    """What the other process does: send the sums of the files, or what is wrong."""
    for number in (signal.SIGINT, signal.SIGTERM):  # those of a terminal or container are for who waits for it
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)  # a copy would wake the event loop of what it is a copy of
    verdict: dict[str, str] | str
    try:
        _limit(folder)
        verdict = ImageToTextModel(folder).sums
    except ModelError as error:
        verdict = TOO_LARGE if "alloc" in str(error.__cause__) else str(error)
    except MemoryError:
        verdict = TOO_LARGE
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the file's
        verdict = f"it cannot be used: {type(error).__name__}"
    to.send_bytes(json.dumps(verdict).encode())


def _limit(folder: Path) -> None:
    """Bound what this process takes from now on.

    It ends when the one that waits for it ends, and where memory is short, it is the first to be killed.
    """
    import resource  # noqa: PLC0415 - there is none on Windows

    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # what a processor can read, a GPU can, which would need far more
    try:
        size = (folder / MODEL_FILE).stat().st_size
    except OSError:
        size = 0  # this is told later
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + size // BYTES_A_SECOND
    _lower(resource.RLIMIT_CPU, seconds, seconds + 1)
    _lower(resource.RLIMIT_CORE, 0, 0)
    with suppress(AttributeError, OSError):  # what there is on Linux only
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        # Not more than the container has: beyond, all of its processes may be killed together.
        most = mapped + min(MEMORY_BYTES + FILE_SIZES * size, available_memory())
        _lower(resource.RLIMIT_AS, most, most)


def _lower(which: int, soft: int, hard: int) -> None:
    """Set a limit of this process, where it is not lower already."""
    import resource  # noqa: PLC0415 - as above

    limits = [
        new if old == resource.RLIM_INFINITY else min(new, old)
        for new, old in zip((soft, hard), resource.getrlimit(which), strict=True)
    ]
    resource.setrlimit(which, (limits[0], limits[1]))
