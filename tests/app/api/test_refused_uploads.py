"""Refused uploads are freed at once, without the garbage collector."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterator

import httpx
import pytest

from app.settings import Settings
from tests.app.api.asgi import serving

TIMES, LARGE = 8, 200_000
LEAK = TIMES // 2 * LARGE
"""Less than a file per request, and more than the three files of a request that is still being cleaned up."""
BATCH = "/predict/batch"


def damaged(image: bytes) -> bytes:
    """Return a large file with a valid structure and damaged pixels."""
    return image[:300] + bytes(20) + image[320:] + bytes(LARGE)


def batch(*files: bytes) -> dict[str, object]:
    return {"files": [("files", ("image", file)) for file in files]}


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


def kept(settings: Settings, path: str, request: dict[str, object], status: int) -> int:
    """Return the growth of the memory in bytes after a repeated request."""

    async def main() -> int:
        async with serving(settings) as client:

            async def send(times: int) -> int:
                for _ in range(times):
                    response: httpx.Response = await client.post(path, **request)  # type: ignore[arg-type]
                    assert response.status_code == status
                return tracemalloc.get_traced_memory()[0]

            before = await send(2)
            return await send(TIMES) - before

    return asyncio.run(main())


@pytest.mark.parametrize("path", ["/predict", "/predict?alternatives=2"])
@pytest.mark.parametrize("kind", ["damaged", "no image"])
def test_of_an_image(settings: Callable[..., Settings], samples: dict[str, bytes], path: str, kind: str) -> None:
    file, status = (damaged(samples["ef2ec"]), 422) if kind == "damaged" else (bytes(LARGE), 415)
    assert kept(settings(threads=1), path, {"content": file}, status) < LEAK


@pytest.mark.parametrize("kind", ["damaged", "no image", "too many pixels", "too large"])
def test_of_a_batch(settings: Callable[..., Settings], samples: dict[str, bytes], kind: str) -> None:
    image = samples["ef2ec"]
    files = {"damaged": damaged(image), "no image": bytes(LARGE)}
    file = files.get(kind, image + bytes(LARGE))
    limits = {"too many pixels": {"max_pixels": 1000}, "too large": {"max_upload_bytes": LARGE}}.get(kind, {})
    assert kept(settings(threads=1, **limits), BATCH, batch(file, image, file), 200) < LEAK


def test_of_a_request_that_times_out(settings: Callable[..., Settings], samples: dict[str, bytes]) -> None:
    of_a_batch = batch(*[samples["ef2ec"] + bytes(LARGE)] * 3)
    assert kept(settings(threads=1, request_timeout=1e-6), BATCH, of_a_batch, 504) < LEAK
