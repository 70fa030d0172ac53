import os
from pathlib import Path

import pytest

from app.shared import cpus
from app.shared.cpus import available_cpus, computes_bfloat16

AFFINITY = 4


@pytest.fixture(autouse=True)
def four_processors_and_no_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(AFFINITY)), raising=False)
    monkeypatch.setattr(cpus, "CGROUP_V2_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(cpus, "CGROUP_V1", tmp_path / "cpu")


def write_v2(folder: Path, quota: str) -> None:
    (folder / "cpu.max").write_text(quota)


def write_v1(folder: Path, quota: str, period: str) -> None:
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)


def test_without_a_control_group_the_affinity_counts() -> None:
    assert available_cpus() == AFFINITY


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("100000 100000\n", 1),
        ("150000 100000\n", 2),
        ("101000 100000\n", 2),
        ("200000 100000\n", 2),
        ("25000 50000\n", 1),
        ("1000 100000\n", 1),
        ("175000 50000\n", 4),
    ],
)
def test_a_quota_is_rounded_up(tmp_path: Path, quota: str, expected: int) -> None:
    write_v2(tmp_path, quota)
    assert available_cpus() == expected


@pytest.mark.parametrize("quota", ["max 100000\n", "6400000 100000\n"])
def test_no_quota_or_a_large_one_leaves_the_affinity(tmp_path: Path, quota: str) -> None:
    write_v2(tmp_path, quota)
    assert available_cpus() == AFFINITY


@pytest.mark.parametrize("quota", ["", "garbage", "1 2 3", "a b", "100000", "100000 0", "1.5 1", "\x00"])
def test_an_invalid_quota_is_ignored(tmp_path: Path, quota: str) -> None:
    write_v2(tmp_path, quota)
    assert available_cpus() == AFFINITY


def test_an_unreadable_quota_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").mkdir()
    assert available_cpus() == AFFINITY


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [
        ("150000\n", "100000\n", 2),
        ("-1\n", "100000\n", AFFINITY),
        ("0\n", "100000\n", AFFINITY),
        ("900000\n", "100000\n", AFFINITY),
        ("10\n", "100000\n", 1),
        ("100000\n", "0\n", AFFINITY),
        ("x\n", "100000\n", AFFINITY),
    ],
)
def test_control_groups_of_version_1_are_supported(tmp_path: Path, quota: str, period: str, expected: int) -> None:
    write_v1(tmp_path, quota, period)
    assert available_cpus() == expected


def test_version_2_takes_precedence(tmp_path: Path) -> None:
    write_v2(tmp_path, "300000 100000")
    write_v1(tmp_path, "100000", "100000")
    assert available_cpus() == 3


def test_without_affinity_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert available_cpus() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cpus() == 1


def test_this_machine_has_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("flags", "computes"),
    [("fpu avx2 avx512_bf16", True), ("amx_bf16 amx_tile", True), ("fpu avx2 avx512f", False), ("", False)],
)
def test_bfloat16_follows_the_processor_flags(
    flags: str, computes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpus, "CPU_INFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert computes_bfloat16() == computes


def test_without_cpu_information_there_is_no_bfloat16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "CPU_INFO", tmp_path / "cpuinfo")
    assert computes_bfloat16() is False
