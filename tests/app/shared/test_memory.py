"""Memory left to a container."""

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
