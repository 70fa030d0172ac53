"""Requests that come at once: each in its turn, the probes between them, too many refused."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from app.api.admission import Threads, Turns
from app.api.problems import ApiError
from app.serving.application import create_app
from app.settings import Settings
from tests.waiting import GENEROUS_SECONDS


def test_everyone_gets_a_turn_in_the_order_asked_and_the_loop_goes_round_between_them() -> None:
    happened: list[str] = []

    async def read(turns: Turns, name: str) -> None:
        await turns.take()
        happened.append(name)

    async def look_at_sockets() -> None:
        for _ in range(4):
            happened.append("sockets")
            await asyncio.sleep(0)

    async def main() -> None:
        turns = Turns(max_waiting=10, max_seconds=GENEROUS_SECONDS, counted=nullcontext())
        await asyncio.gather(*(read(turns, name) for name in "abc"), look_at_sockets())
        await read(turns, "later")

    asyncio.run(main())
    assert [name for name in happened if name != "sockets"] == ["a", "b", "c", "later"]
    between = [happened[happened.index(first) : happened.index(second)] for first, second in ("ab", "bc")]
    assert all("sockets" in part for part in between)


def test_where_others_hold_up_the_rounds_those_who_wait_get_as_much_time() -> None:
    rounds = 0

    async def hold_up(everyone: asyncio.Future[Any]) -> None:
        nonlocal rounds
        while not everyone.done():
            rounds += 1
            await asyncio.sleep(0)
            time.sleep(0.01)  # noqa: ASYNC251

    async def main() -> None:
        turns = Turns(max_waiting=50, max_seconds=GENEROUS_SECONDS, counted=nullcontext())
        everyone = asyncio.gather(*(turns.take() for _ in range(50)))
        await asyncio.gather(everyone, hold_up(everyone))

    asyncio.run(main())
    assert rounds < 15


@pytest.mark.parametrize("turn_seconds", [0.0001, 0.002])
def test_a_long_round_is_not_followed_by_others(turn_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    now = 0.0
    monkeypatch.setattr("app.api.admission.time", SimpleNamespace(perf_counter=lambda: now))

    async def read(turns: Turns) -> None:
        nonlocal now
        await turns.take()
        now += turn_seconds
        happened.append("turn")

    async def main() -> None:
        turns = Turns(max_waiting=100, max_seconds=GENEROUS_SECONDS, counted=nullcontext())
        nonlocal now
        everyone = asyncio.gather(*(read(turns) for _ in range(100)))
        await asyncio.sleep(0)
        now += 0.02
        while not everyone.done():
            happened.append("sockets")
            await asyncio.sleep(0)

    asyncio.run(main())
    rounds = [len(turns) for turns in "".join("t" if one == "turn" else " " for one in happened).split()]
    assert max(rounds) > 5
    assert rounds[-20:] == [1] * 20


def test_a_pause_amid_the_turns_counts_for_one_round_only(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, now = 0, 0.0
    monkeypatch.setattr("app.api.admission.time", SimpleNamespace(perf_counter=lambda: now))

    async def read(turns: Turns, seconds: float) -> None:
        nonlocal now
        await turns.take()
        now += seconds

    async def main() -> None:
        nonlocal rounds, now
        turns = Turns(max_waiting=100, max_seconds=GENEROUS_SECONDS, counted=nullcontext())
        everyone = asyncio.gather(*(read(turns, 0.1 if number == 10 else 0.0001) for number in range(100)))
        while not everyone.done():
            rounds += 1
            now += 0.01
            await asyncio.sleep(0)

    asyncio.run(main())
    assert rounds < 10


def test_too_many_are_refused_and_told_when_to_come_back() -> None:
    async def main() -> list[Any]:
        turns = Turns(max_waiting=2, max_seconds=GENEROUS_SECONDS, counted=nullcontext())
        return await asyncio.gather(*(turns.take() for _ in range(5)), return_exceptions=True)

    results = asyncio.run(main())
    assert results[:3] == [None, None, None]  # one reads, two wait
    for error in results[3:]:
        assert isinstance(error, ApiError)
        assert error.status == 503
        assert error.headers is not None
        assert error.headers["Retry-After"] in "123"


def test_one_who_gives_up_does_not_hold_up_the_next() -> None:
    async def main() -> None:
        turns = Turns(max_waiting=2, max_seconds=GENEROUS_SECONDS, counted=nullcontext())
        first, gone, last = (asyncio.ensure_future(turns.take()) for _ in range(3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait_for(asyncio.gather(first, last), timeout=GENEROUS_SECONDS)
        with pytest.raises(asyncio.CancelledError):
            await gone
        await asyncio.wait_for(turns.take(), timeout=GENEROUS_SECONDS)

    asyncio.run(main())


def test_who_waits_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    passed = 0.0

    async def take(turns: Turns, name: str, work: Callable[[], None]) -> None:
        await turns.take()
        read.append(name)
        work()

    def work_long() -> None:
        nonlocal passed
        passed += 2 * GENEROUS_SECONDS

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: time.monotonic() + passed)
        turns = Turns(max_waiting=2, max_seconds=GENEROUS_SECONDS, counted=nullcontext())
        slow, late = take(turns, "slow", work_long), take(turns, "late", lambda: None)
        results = await asyncio.gather(turns.take(), slow, late, return_exceptions=True)
        await take(turns, "next", lambda: None)
        return list(results)

    first, slow, late = asyncio.run(main())
    assert (first, slow) == (None, None)
    assert late.status == 504
    assert read == ["slow", "next"]


def test_work_that_could_not_be_begun_in_time_is_not_done() -> None:
    begun: list[str] = []
    go_on = threading.Event()

    def work() -> None:
        begun.append("first")
        go_on.wait()

    async def main() -> list[Any]:
        threads = Threads(1, max_waiting=1, max_seconds=0.5, counted=nullcontext())
        first = asyncio.ensure_future(threads.run(work))
        await asyncio.sleep(0)
        late = asyncio.ensure_future(threads.run(lambda: begun.append("late")))
        await asyncio.sleep(0)
        results = await asyncio.gather(late, threads.run(lambda: begun.append("refused")), return_exceptions=True)
        go_on.set()
        await first
        await threads.run(lambda: begun.append("next"))
        return list(results)

    late, refused = asyncio.run(main())
    assert (late.status, refused.status) == (504, 503)
    assert {error.headers["Retry-After"] for error in (late, refused) if error.headers} <= set("123")
    assert begun == ["first", "next"]


@pytest.mark.parametrize("query", ["", "?alternatives=2"], ids=["in the event loop", "in threads"])
def test_beyond_the_queue_uploads_are_refused_while_probes_are_answered(
    settings: Callable[..., Settings],
    samples: dict[str, bytes],
    problem: Callable[[Any, int], dict[str, Any]],
    query: str,
) -> None:
    async def main() -> tuple[list[httpx.Response], list[httpx.Response]]:
        app = create_app(settings(max_waiting=3, threads=1))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
        ):
            uploads = [client.post(f"/predict{query}", content=samples["ef2ec"]) for _ in range(20)]
            probes = [client.get("/livez") for _ in range(5)]
            answers = await asyncio.gather(*uploads, *probes)
            again = await client.post("/predict", content=samples["ef2ec"])
            return answers[:20], [*answers[20:], again]

    uploads, others = asyncio.run(main())
    assert [answer.status_code for answer in others] == [200] * 6
    read = [answer for answer in uploads if answer.status_code == 200]
    refused = [answer for answer in uploads if answer.status_code != 200]
    assert len(read) >= 4
    assert {answer.json()["text"] for answer in read} == {"ef2ec"}
    assert refused
    for answer in refused:
        problem(answer, 503)
        assert answer.headers["retry-after"] in "123"
