"""A request is counted and logged before its response ends, since the process may be killed right after."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from app.api import predict
from app.observability.exposition import expose
from tests.exposed import numbers_of

ANSWERED = [
    ("POST", "/predict", 'ocr_requests_total{route="/predict",status="200"}'),
    ("POST", "/predict", 'ocr_predictions_total{model="captcha",outcome="ok"}'),
    ("POST", "/predict/batch", 'ocr_requests_total{route="/predict/batch",status="415"}'),
    ("GET", "/models/captcha", 'ocr_requests_total{route="/models/{name}",status="200"}'),
    ("GET", "/", 'ocr_requests_total{route="/",status="200"}'),
    ("GET", "/nowhere", 'ocr_requests_total{route="other",status="404"}'),
    ("PUT", "/predict", 'ocr_requests_total{route="/predict",status="405"}'),
]


class Request:
    """Request that checks the log and the metrics at each message of the response.

    Attributes:
        seen: for each message, whether more will follow, and how often the request was counted and logged; once more
            at the end.
    """

    def __init__(self, client: TestClient, method: str, path: str, body: bytes, counted_as: str) -> None:
        self._app: Any = client.app
        self._body, self._counted_as = body, counted_as
        self._is_received = False
        self.seen: list[tuple[bool, float, int]] = []
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
        }
        with capture_logs() as self._lines:
            assert client.portal is not None
            client.portal.call(self._run, scope)
            self._look(has_more=False)

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self._is_received:
            await anyio.sleep_forever()  # no more messages
        self._is_received = True
        return {"type": "http.request", "body": self._body}

    async def _send(self, message: dict[str, Any]) -> None:
        self._look(has_more=message["type"] == "http.response.start" or message.get("more_body", False))

    def _look(self, *, has_more: bool) -> None:
        state = self._app.state.service
        content, _ = expose(state.metrics, state.store, "")
        lines = [line for line in self._lines if line["event"] == "request"]
        self.seen.append((has_more, numbers_of(content.decode()).get(self._counted_as, 0), len(lines)))


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service whose metrics are 0."""
    return start()


@pytest.mark.parametrize(("method", "path", "series"), ANSWERED)
def test_once_before_the_last_message(
    client: TestClient, samples: dict[str, bytes], method: str, path: str, series: str
) -> None:
    *before, last, afterwards = Request(client, method, path, samples["ef2ec"], series).seen
    assert set(before) == {(True, 0, 0)}
    assert (last, afterwards) == ((False, 1, 1), (False, 1, 1))


def test_an_internal_error_is_counted_and_logged(
    client: TestClient, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "check_image", lambda *_: 1 / 0)
    series = 'ocr_predictions_total{model="captcha",outcome="failed"}'
    seen = Request(client, "POST", "/predict", samples["ef2ec"], series).seen
    assert seen == [(True, 0, 0), (False, 1, 1), (False, 1, 1)]
