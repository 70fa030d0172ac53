"""Commands restricted to some processors."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from benchmarks.figures import BenchmarkError
from benchmarks.kinds.processes import Shares, run_on

EVERY = frozenset(os.sched_getaffinity(0))
ONE = frozenset({min(EVERY)})


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


class TestCommands:
    def test_see_only_their_processors(self) -> None:
        printed = asyncio.run(run_on(ONE, python("import os; print(os.sched_getaffinity(0))")))
        assert printed.strip() == str(set(ONE))
        assert os.sched_getaffinity(0) == EVERY

    def test_get_text_and_variables(self) -> None:
        code = "import os, sys; print(os.environ['KIND'], sys.stdin.read())"
        assert asyncio.run(run_on(EVERY, python(code), text="more", variables={"KIND": 7})) == "7 more\n"

    def test_that_fail_say_why(self) -> None:
        with pytest.raises(BenchmarkError, match=r"failed: 8\n9\nthe last$"):
            asyncio.run(run_on(EVERY, python("import sys; sys.exit('\\n'.join('0123456789') + '\\nthe last')")))

    def test_may_exit_with_an_accepted_status(self) -> None:
        assert asyncio.run(run_on(EVERY, python("print(1); exit(3)"), also_fine=3)) == "1\n"

    def test_are_stopped_when_cancelled(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "started")

        async def cancel_when_started() -> int:
            code = "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); signal.pause()"
            task = asyncio.create_task(run_on(EVERY, python(code, str(tmp_path / "started"))))
            number = await asyncio.to_thread((tmp_path / "started").read_text)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return int(number)

        with pytest.raises(ProcessLookupError):
            os.kill(asyncio.run(cancel_when_started()), 0)


class TestShares:
    def test_divide_all_processors(self) -> None:
        async def take_all() -> list[frozenset[int]]:
            shares = Shares(len(EVERY))
            taken = []
            async with asyncio.TaskGroup() as group:
                together = asyncio.Barrier(len(EVERY))

                async def take() -> None:
                    async with shares.take() as share:
                        await together.wait()
                        taken.append(share)

                for _ in EVERY:
                    group.create_task(take())
            return taken

        taken = asyncio.run(take_all())
        assert sorted(one for share in taken for one in share) == sorted(EVERY)

    def test_are_reused(self) -> None:
        async def take_twice() -> list[frozenset[int]]:
            shares, taken = Shares(1), []
            for _ in range(2):
                async with shares.take() as share:
                    taken.append(share)
            return taken

        assert asyncio.run(take_twice()) == [EVERY, EVERY]
