"""Overload: uploads are refused while probes are answered."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.app.api.asgi import serving


@pytest.mark.parametrize("query", ["", "?alternatives=2"], ids=["in the event loop", "in threads"])
def test_beyond_the_queue_uploads_are_refused_while_probes_are_answered(
    settings: Callable[..., Settings],
    samples: dict[str, bytes],
    problem: Callable[[Any, int], dict[str, Any]],
    query: str,
) -> None:
    async def main() -> tuple[list[httpx.Response], list[httpx.Response]]:
        async with serving(settings(max_waiting=3, threads=1)) as client:
            uploads = [client.post(f"/predict{query}", content=samples["ef2ec"]) for _ in range(20)]
            probes = [client.get("/livez") for _ in range(5)]
            answers = await asyncio.gather(*uploads, *probes)
            again = await client.post("/predict", content=samples["ef2ec"])
            return answers[:20], [*answers[20:], again]

    uploads, others = asyncio.run(main())
    assert [answer.status_code for answer in others] == [200] * 6
    read = [answer for answer in uploads if answer.status_code == 200]
    refused = [answer for answer in uploads if answer.status_code != 200]
    assert len(read) >= 3
    assert {answer.json()["text"] for answer in read} == {"ef2ec"}
    assert refused
    for answer in refused:
        problem(answer, 503)
        assert answer.headers["retry-after"] in "123"
