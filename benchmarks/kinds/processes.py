"""Commands that run in parallel, each on its own processors."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.common import ROOT, environment
from benchmarks.figures import BenchmarkError

LAST_LINES = 3
NO_VARIABLES: Mapping[str, object] = {}

Processors = frozenset[int]


class Shares:
    """The processors of this machine, divided among jobs; the longest-waiting job gets the next free share."""

    def __init__(self, jobs: int) -> None:
        processors = sorted(os.sched_getaffinity(0))
        self._free: asyncio.Queue[Processors] = asyncio.Queue()
        for job in range(jobs):
            self._free.put_nowait(frozenset(processors[job::jobs]))

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Processors]:
        """Wait for a share, and release it at the end."""
        share = await self._free.get()
        try:
            yield share
        finally:
            self._free.put_nowait(share)


async def run_on(
    processors: Processors,
    command: Sequence[str | Path],
    *,
    text: str = "",
    variables: Mapping[str, object] = NO_VARIABLES,
    also_fine: int = 0,
) -> str:
    """Run a command on some processors: it sees only these, and starts as many threads.

    Args:
        processors: processor numbers.
        command: a Python interpreter and its arguments.
        text: standard input.
        variables: added to this process's environment.
        also_fine: an exit status besides 0 that is not a failure.

    Returns:
        The standard output. If cancelled, the command is stopped.

    Raises:
        BenchmarkError: the command fails.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=environment(**variables),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, processors),
    )
    try:
        printed, errors = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in {0, also_fine}:
        last = "\n".join(errors.decode(errors="replace").splitlines()[-LAST_LINES:])
        raise BenchmarkError(f"{' '.join(map(str, ['python', *command[1:4]]))} failed: {last}")
    return printed.decode()
