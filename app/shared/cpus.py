"""Number of processors available to this process."""

import math
import os
from pathlib import Path

CGROUP_V2_QUOTA = Path("/sys/fs/cgroup/cpu.max")
CGROUP_V1 = Path("/sys/fs/cgroup/cpu")
CPU_INFO = Path("/proc/cpuinfo")


def available_cpus() -> int:
    """Return the size of the CPU affinity mask, limited by the container's CPU quota (rounded up); at least 1.

    ONNX Runtime counts the host's cores instead and starts threads that the quota throttles.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota)))


def computes_bfloat16() -> bool:
    """Return whether the processor has bfloat16 instructions, according to Linux; elsewhere False."""
    try:
        flags = CPU_INFO.read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _cgroup_quota() -> float | None:
    """Return the control group's CPU quota (version 2, else 1) in processors; None without a limit."""
    try:
        if CGROUP_V2_QUOTA.exists():
            limit, period = CGROUP_V2_QUOTA.read_text().split()
            return None if limit == "max" else int(limit) / int(period)
        limit_us = int((CGROUP_V1 / "cpu.cfs_quota_us").read_text())
        period_us = int((CGROUP_V1 / "cpu.cfs_period_us").read_text())
        return None if limit_us <= 0 else limit_us / period_us
    except (OSError, ValueError, ZeroDivisionError):
        return None
