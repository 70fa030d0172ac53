"""The limit on the bytes of concurrent request bodies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from app.api.bodies import Bodies
from app.api.problems import ApiError
from app.settings import Settings
from tests.app.api.asgi import serving
from tests.waiting import GENEROUS_SECONDS

BOUNDARY = {"content-type": "multipart/form-data; boundary=x"}
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
END = b"\r\n--x--\r\n"
SMALL = {"max_upload_bytes": 40_000, "max_batch_bytes": 100_000}


@pytest.mark.parametrize(
    ("megabytes", "held"), [(1_000_000, 16_000_000), (64, 8 << 20), (16, 4_000_000), (9, 3 << 20), (0, 1 << 20)]
)
def test_the_limit_is_lower_if_memory_is_short(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, megabytes: int, held: int
) -> None:
    monkeypatch.setattr("app.api.bodies.share_of_memory", lambda _workers: megabytes << 20)
    bodies = Bodies(settings(max_batch_bytes=4_000_000, max_upload_bytes=1000))
    bodies.hold({"state": {}}, held)
    with pytest.raises(ApiError):
        bodies.hold({"state": {}}, 1)


def test_requests_beyond_four_of_the_largest_get_503(
    settings: Callable[..., Settings], samples: dict[str, bytes], problem: Callable[[Any, int], dict[str, Any]]
) -> None:
    async def main() -> list[httpx.Response]:
        rest_may_come = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield HEAD + bytes(95_000)
            await rest_may_come.wait()
            yield END

        async with serving(settings(**SMALL)) as client:

            async def send(body: Any) -> httpx.Response:
                return await client.post("/predict/batch", content=body, headers=BOUNDARY)

            held = [asyncio.ensure_future(send(slowly())) for _ in range(4)]
            await asyncio.sleep(0.1)
            refused = [await asyncio.wait_for(send(slowly()), GENEROUS_SECONDS) for _ in range(2)]
            probe = await client.get("/livez")
            rest_may_come.set()
            return [*refused, probe, *(await asyncio.gather(*held)), await send(HEAD + samples["ef2ec"] + END)]

    *refused, probe, first, second, third, fourth, after = asyncio.run(main())
    for response in refused:
        assert "retry" in problem(response, 503)["detail"]
        assert response.headers["retry-after"] in "123"
    assert [response.status_code for response in (probe, first, second, third, fourth, after)] == [200] * 6


def test_the_bytes_of_finished_requests_are_released_whatever_the_outcome(
    settings: Callable[..., Settings], samples: dict[str, bytes]
) -> None:
    async def goes_away() -> AsyncIterator[bytes]:
        yield bytes(30_000)
        raise httpx.ReadError("gone")

    async def main() -> list[int]:
        async with serving(settings(**SMALL)) as client:
            for _ in range(20):
                await client.post("/predict", content=bytes(40_000))
                await client.post("/predict", content=bytes(50_000))
                await client.post("/predict/batch", content=bytes(90_000), headers=BOUNDARY)
                with contextlib.suppress(httpx.ReadError):
                    await client.post("/predict", content=goes_away())
            return [(await client.post("/predict", content=samples["ef2ec"])).status_code for _ in range(20)]

    assert asyncio.run(main()) == [200] * 20


def test_one_request_of_the_largest_size_is_always_read(
    settings: Callable[..., Settings], samples: dict[str, bytes]
) -> None:
    image = samples["ef2ec"]

    async def main() -> int:
        async with serving(settings(max_upload_bytes=len(image), max_batch_bytes=1)) as client:
            return (await client.post("/predict", files={"file": image})).status_code

    assert asyncio.run(main()) == 200


def test_a_body_beyond_the_memory_is_refused_with_the_limit(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, problem: Callable[[Any, int], dict[str, Any]]
) -> None:
    monkeypatch.setattr("app.api.bodies.share_of_memory", lambda _workers: 6 << 20)

    async def main() -> httpx.Response:
        async with serving(settings()) as client:
            return await client.post("/predict/batch", content=HEAD + bytes(3 << 20) + END, headers=BOUNDARY)

    assert problem(asyncio.run(main()), 413)["detail"] == "The upload is too large: at most 2,097,152 bytes."
