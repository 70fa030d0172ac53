"""Memory limit of a container, and return of free memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.shared import memory
from app.shared.memory import available_memory, share_of_memory


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of control group files, initially empty."""
    monkeypatch.setattr(memory, "CGROUP_V2", (tmp_path, *memory.CGROUP_V2[1:]))
    monkeypatch.setattr(memory, "CGROUP_V1", (tmp_path / "memory", *memory.CGROUP_V1[1:]))
    monkeypatch.setattr(memory, "OWN_STATUS", tmp_path / "status")
    return tmp_path


def write_v2(folder: Path, limit: str) -> None:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text("70000\n")
    (folder / "memory.stat").write_text("anon 60000\nfile 10000\ninactive_file 5000\n")


def write_v1(folder: Path, limit: str) -> None:
    (folder / "memory").mkdir()
    (folder / "memory" / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory" / "memory.usage_in_bytes").write_text("70000\n")
    (folder / "memory" / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 5000\n")


@pytest.mark.parametrize("write", [write_v2, write_v1])
def test_it_is_unused_memory_plus_reclaimable_pages(folder: Path, write: object) -> None:
    assert callable(write)
    write(folder, "100000")
    assert available_memory() == 100_000 - 70_000 + 5_000


def test_it_is_never_negative(folder: Path) -> None:
    write_v2(folder, "1000")
    assert available_memory() == 0


def test_it_is_unlimited_without_a_limit(folder: Path) -> None:
    assert available_memory() == sys.maxsize
    write_v2(folder, "max")
    assert available_memory() == sys.maxsize


@pytest.mark.parametrize(
    ("processes", "held_kilobytes", "share"),
    [(1, 10, 35_000), (2, 10, 17_500), (2, 40, 100_000 // 2 - 40 * 1024), (4, 40, 0)],
    ids=["one", "an equal part of what is left", "no more than an equal part of all", "too many"],
)
def test_processes_share_it(folder: Path, processes: int, held_kilobytes: int, share: int) -> None:
    write_v2(folder, "100000")
    (folder / "status").write_text(f"VmRSS:\t 99 kB\nRssAnon:\t {held_kilobytes} kB\n")
    assert share_of_memory(processes) == share


def test_a_share_is_unlimited_without_a_limit(folder: Path) -> None:
    assert share_of_memory(2) >= sys.maxsize // 2
    write_v2(folder, "100000")
    assert share_of_memory(1) == 35_000, "systems that do not tell what a process holds"


needs_glibc = pytest.mark.skipif(sys.platform != "linux", reason="other C libraries have no such heaps")

ARENAS = """
import ctypes, threading
from app.shared.memory import release_large_buffers

release_large_buffers()
libc, together = ctypes.CDLL(None), threading.Barrier(8)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p

def take():
    together.wait()
    libc.malloc(100_000)
    together.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
stdout = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, stdout)
libc.fclose(stdout)
"""

FREE_PAGES = """
import ctypes
from app.shared.memory import release_free_pages

def megabytes():
    status = open("/proc/self/status").read()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
before = megabytes()
blocks = [libc.malloc(100_000) for _ in range(2_000)]
for block in blocks: ctypes.memset(block, 1, 100_000)
for place, block in enumerate(blocks):
    if place % 100 != 99: libc.free(block)
free = megabytes() - before
release_free_pages()
print(free, megabytes() - before)
"""

REUSE = """
import ctypes, resource, threading
from app.shared.memory import keep_large_buffers

keep_large_buffers()
libc, size = ctypes.CDLL(None), 100 << 20
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def take_and_free():
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    libc.free(block)

def faults_of_another():
    take_and_free()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    take_and_free()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=faults_of_another)
thread.start()
thread.join()
"""

CYCLE = """
import gc, weakref
from app.shared.memory import release_free_pages

class Thing: pass
gc.disable()
thing = Thing()
thing.itself = thing
left = weakref.ref(thing)
del thing
assert left() is not None
release_free_pages()
print(left() is None)
"""


def printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout


@needs_glibc
def test_all_threads_share_one_heap() -> None:
    assert printed(ARENAS).count("<heap ") == 1


@needs_glibc
def test_free_pages_between_used_ones_are_returned() -> None:
    free, left = map(float, printed(FREE_PAGES).split())
    assert free > 150, "allocated and freed"
    assert left < 50, "still in use"


def test_reference_cycles_are_collected() -> None:
    assert printed(CYCLE) == "True\n"


@needs_glibc
def test_a_kept_buffer_is_used_again_in_any_thread() -> None:
    assert int(printed(REUSE)) < 1_000, "page faults; a new buffer takes 25,600"
