"""The real service on a real socket: HTTP as clients speak and misspeak it, workers, and stopping."""

import asyncio
import http.client
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.wire import Wire
from tests.waiting import GENEROUS_SECONDS

RunServer = Callable[..., Any]
PREDICT = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def connect(shared_server: Any) -> Iterator[Callable[..., Wire]]:
    """Opens connections, to the shared service if no port is given."""
    wires: list[Wire] = []

    def open_wire(port: int | None = None) -> Wire:
        wires.append(Wire(port or shared_server.port))
        return wires[-1]

    yield open_wire
    for wire in wires:
        wire.close()


def request_of(image: bytes) -> bytes:
    return PREDICT + b"Content-Length: %d\r\n\r\n" % len(image) + image


def chunks_of(image: bytes, size: int) -> bytes:
    pieces = [image[start : start + size] for start in range(0, len(image), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class TestHttp:
    def test_a_body_is_read(self, connect: Callable[..., Wire], samples: dict[str, bytes]) -> None:
        wire = connect()
        wire.send(request_of(samples["ef2ec"]))
        status, headers, body = wire.answer()
        assert status == 200
        assert headers["content-type"] == "application/json"
        assert json.loads(body)["text"] == "ef2ec"
        assert json.loads(body)["request_id"] == headers["x-request-id"]

    def test_a_form_is_read(self, server: str, samples: dict[str, bytes]) -> None:
        for label, image in samples.items():
            assert httpx.post(f"{server}/predict", files={"file": image}).json()["text"] == label

    def test_a_batch_is_read(self, server: str, samples: dict[str, bytes]) -> None:
        files = [("files", image) for image in samples.values()]
        results = httpx.post(f"{server}/predict/batch", files=files).json()["results"]
        assert [result["text"] for result in results] == list(samples)

    def test_a_connection_serves_many_requests(self, connect: Callable[..., Wire], samples: dict[str, bytes]) -> None:
        wire = connect()
        for label, image in samples.items():
            wire.send(request_of(image))
            assert wire.text() == label

    def test_requests_that_do_not_wait_are_answered_in_order(
        self, connect: Callable[..., Wire], samples: dict[str, bytes]
    ) -> None:
        wire = connect()
        wire.send(b"".join(map(request_of, samples.values())))
        assert [wire.text() for _ in samples] == list(samples)

    def test_a_problem_does_not_end_the_connection(
        self, connect: Callable[..., Wire], samples: dict[str, bytes]
    ) -> None:
        wire = connect()
        wire.send(request_of(b"no image"))
        assert wire.answer()[0] == 415
        wire.send(request_of(samples["ef2ec"]))
        assert wire.text() == "ef2ec"

    @pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
    def test_a_body_in_chunks_is_read(self, connect: Callable[..., Wire], samples: dict[str, bytes], size: int) -> None:
        wire = connect()
        wire.send(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n" + chunks_of(samples["ef2ec"], size))
        assert wire.text() == "ef2ec"

    def test_a_client_that_asks_first_is_told_to_go_on(
        self, connect: Callable[..., Wire], samples: dict[str, bytes]
    ) -> None:
        image = samples["ef2ec"]
        wire = connect()
        wire.send(PREDICT + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(image))
        assert wire.answer()[0] == 100
        wire.send(image)
        assert wire.text() == "ef2ec"

    def test_a_client_of_http_1_0_is_answered(self, connect: Callable[..., Wire], samples: dict[str, bytes]) -> None:
        image = samples["ef2ec"]
        wire = connect()
        wire.send(b"POST /predict HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(image) + image)
        assert wire.text() == "ef2ec"
        assert wire.is_closed()

    def test_head_has_no_body_and_the_connection_goes_on(self, connect: Callable[..., Wire]) -> None:
        wire = connect()
        wire.send(b"HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, headers, _ = wire.answer(has_body=False)
        assert status in {200, 405}
        assert status == 200 or headers["allow"] == "GET"
        wire.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert json.loads(wire.answer()[2])["status"] == "alive"

    def test_options_says_what_is_allowed(self, server: str) -> None:
        response = httpx.options(f"{server}/predict")
        assert "POST" in response.headers["allow"]
        assert response.headers["content-type"] == "application/problem+json"

    def test_no_header_tells_what_software_it_is(self, server: str) -> None:
        for path in ("/livez", "/nope", "/docs"):
            headers = httpx.get(f"{server}{path}").headers
            assert "server" not in headers
            assert "uvicorn" not in str(headers).lower()
            assert "python" not in str(headers).lower()


class TestTooLarge:
    def test_the_answer_comes_before_the_body(self, connect: Callable[..., Wire]) -> None:
        wire = connect()
        wire.send(PREDICT + b"Content-Length: 2000000\r\n\r\n")
        status, headers, _ = wire.answer()
        assert status == 413
        assert headers["content-type"] == "application/problem+json"

    def test_a_client_that_asks_first_is_told_not_to_send(self, connect: Callable[..., Wire]) -> None:
        wire = connect()
        wire.send(PREDICT + b"Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
        assert wire.answer()[0] == 413

    def test_a_client_that_sends_it_all_is_answered_too(self, server: str) -> None:
        response = httpx.post(f"{server}/predict", content=bytes(20_000_000))
        assert response.status_code == 413

    def test_chunks_are_counted(self, server: str) -> None:
        response = httpx.post(f"{server}/predict", content=(bytes(100_000) for _ in range(20)))
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"


class TestMisspokenHttp:
    @pytest.mark.parametrize(
        "data",
        [
            b"nonsense\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET /livez HTTP/9.9\r\n\r\n",
            b"GET /nope?\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /livez HTTP/1.1\r\nno header\r\n\r\n",
            PREDICT + b"Content-Length: 99999999999999999999999\r\n\r\n",
            PREDICT + b"Content-Length: -1\r\n\r\n",
            PREDICT + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            PREDICT + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    )
    def test_it_is_refused_and_the_service_lives_on(
        self, connect: Callable[..., Wire], samples: dict[str, bytes], data: bytes
    ) -> None:
        wire = connect()
        wire.send(data)
        assert wire.answer()[0] == 400
        assert wire.is_closed()
        other = connect()
        other.send(request_of(samples["ef2ec"]))
        assert other.text() == "ef2ec"

    @pytest.mark.parametrize("end", [Wire.close, Wire.reset])
    def test_a_client_that_goes_away_midway_harms_nothing(
        self, shared_server: Any, connect: Callable[..., Wire], samples: dict[str, bytes], end: Callable[[Wire], None]
    ) -> None:
        image = samples["ef2ec"]
        name = f"gone-by-{end.__name__}"
        wire = connect()
        head = f"X-Request-ID: {name}\r\nExpect: 100-continue\r\nContent-Length: {len(image)}\r\n\r\n"
        wire.send(PREDICT + head.encode())
        assert wire.answer()[0] == 100
        wire.send(image[:1000])
        end(wire)
        shared_server.wait_for_log(f'"request_id":"{name}"')
        other = connect()
        other.send(request_of(image))
        assert other.text() == "ef2ec"
        assert "Traceback" not in shared_server.log
        assert '"level":"error"' not in shared_server.log

    def test_a_client_that_goes_away_before_the_answer_harms_nothing(
        self, shared_server: Any, connect: Callable[..., Wire], samples: dict[str, bytes]
    ) -> None:
        for _ in range(10):
            wire = connect()
            wire.send(request_of(samples["ef2ec"]))
            wire.reset()
        other = connect()
        other.send(request_of(samples["ef2ec"]))
        assert other.text() == "ef2ec"
        assert "Traceback" not in shared_server.log


def test_many_at_a_time_are_each_answered_right(server: str, samples: dict[str, bytes]) -> None:
    labels = [list(samples)[number % len(samples)] for number in range(50)]

    async def read(client: httpx.AsyncClient, label: str) -> dict[str, Any]:
        response = await client.post("/predict", files={"file": samples[label]})
        answer: dict[str, Any] = response.json()
        return answer

    async def read_all() -> list[dict[str, Any]]:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=server, limits=limits) as client:
            return await asyncio.gather(*(read(client, label) for label in labels))

    answers = asyncio.run(read_all())
    assert [answer["text"] for answer in answers] == labels
    assert len({answer["request_id"] for answer in answers}) == 50


class TestStopping:
    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
    def test_told_to_stop_it_ends_well(
        self, run_server: RunServer, connect: Callable[..., Wire], by: signal.Signals
    ) -> None:
        server = run_server()
        idle = connect(server.port)
        assert server.stop(by) == 0
        assert "Traceback" not in server.log
        assert '"level":"error"' not in server.log
        assert idle.is_closed()

    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
    def test_what_comes_as_it_is_told_to_stop_is_answered_and_holds_nothing_up(
        self, run_server: RunServer, connect: Callable[..., Wire], samples: dict[str, bytes], by: signal.Signals
    ) -> None:
        server = run_server()
        used = connect(server.port)
        used.send(request_of(samples["ef2ec"]))
        assert used.text() == "ef2ec"
        server.process.send_signal(signal.SIGSTOP)  # so that it finds all that comes next at once
        time.sleep(0.2)  # longer than uvicorn sleeps between looks at whether it is to stop
        idle, new = connect(server.port), connect(server.port)
        for wire in (new, used):
            wire.send(request_of(samples["ef2ec"]))
        server.process.send_signal(by)
        server.process.send_signal(signal.SIGCONT)
        for wire in (new, used):
            assert wire.text() == "ef2ec"
            assert wire.is_closed()
        assert idle.is_closed()
        assert server.process.wait(timeout=GENEROUS_SECONDS) == 0
        assert '"level":"error"' not in server.log

    def test_a_request_that_is_under_way_is_answered_first(
        self, run_server: RunServer, connect: Callable[..., Wire], samples: dict[str, bytes]
    ) -> None:
        server = run_server()
        image = samples["ef2ec"]
        wire = connect(server.port)
        wire.send(PREDICT + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(image))
        assert wire.answer()[0] == 100
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("Shutting down")
        wire.send(image)
        assert wire.text() == "ef2ec"
        assert server.process.wait(timeout=GENEROUS_SECONDS) == 0

    def test_two_workers_serve_and_both_end(self, run_server: RunServer, samples: dict[str, bytes]) -> None:
        server = run_server(OCR_WORKERS="2")
        server.wait_until_started(2)
        for _ in range(5):
            for label, image in samples.items():
                assert httpx.post(f"{server.url}/predict", content=image).json()["text"] == label
        workers = server.workers
        assert len(workers) == 2
        assert server.stop() == 0
        assert "Traceback" not in server.log
        for pid in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        for line in server.log.splitlines():
            json.loads(line)

    @pytest.mark.skipif(sys.platform != "linux", reason="what a process has loaded is told on Linux only")
    def test_the_parent_of_two_workers_loads_nothing_to_read_with(self, run_server: RunServer) -> None:
        server = run_server(OCR_WORKERS="2")
        server.wait_until_started(2)
        assert "onnxruntime" in Path(f"/proc/{server.workers[0]}/maps").read_text()
        assert "onnxruntime" not in Path(f"/proc/{server.process.pid}/maps").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="that a process is stopped is told on Linux only")
def test_a_worker_that_was_stopped_goes_on_and_nothing_is_lost(
    run_server: RunServer, samples: dict[str, bytes]
) -> None:
    server = run_server(OCR_WORKERS="2")
    server.wait_until_started(2)
    (stopped, _) = server.workers
    os.kill(stopped, signal.SIGSTOP)
    for _ in range(10):  # some of which it takes
        assert httpx.post(f"{server.url}/predict", content=samples["ef2ec"]).json()["text"] == "ef2ec"
    server.wait_for_log("a stopped worker is resumed")
    assert len(server.workers) == 2
    os.kill(stopped, signal.SIGSTOP)
    assert server.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="resources are limited in another way")
def test_without_descriptors_new_connections_wait_and_open_ones_are_served(
    run_server: RunServer, connect: Callable[..., Wire], samples: dict[str, bytes]
) -> None:
    server = run_server()
    wire = connect(server.port)
    wire.send(request_of(samples["ef2ec"]))
    assert wire.text() == "ef2ec"
    used = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    _, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 4, most))
    waiting = [connect(server.port) for _ in range(8)]
    server.wait_for_log("accepting no connections for a second")
    wire.send(request_of(samples["ef2ec"]))
    assert wire.text() == "ef2ec"
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, most))
    for other in waiting:
        other.send(request_of(samples["ef2ec"]))
        assert other.text() == "ef2ec"
    assert server.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_stops_the_start_and_is_named(run_server: RunServer, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = run_server(wait=False, OCR_PORT=str(port), OCR_WORKERS=workers)
        assert server.process.wait(timeout=GENEROUS_SECONDS) not in {0, None}
    (line,) = server.log.splitlines()
    assert line == f"OCR_HOST, OCR_PORT: Cannot listen on 127.0.0.1, port {port}: Address already in use"


def test_of_two_services_that_start_at_once_one_is_refused(run_server: RunServer, port: int) -> None:
    servers = [run_server(wait=False, OCR_PORT=str(port), OCR_WORKERS="2") for _ in range(2)]
    servers[0].wait_until(lambda: any(server.process.poll() for server in servers))
    refused, serving = sorted(servers, key=lambda server: server.process.poll() is None)
    assert refused.log.endswith(f"Cannot listen on 127.0.0.1, port {port}: Address already in use\n")
    serving.wait_until_started(2)
    assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200


def test_the_settings_reach_the_workers(run_server: RunServer, samples: dict[str, bytes]) -> None:
    server = run_server(OCR_MAX_UPLOAD_BYTES="1000", OCR_API_KEY="opensesame")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=GENEROUS_SECONDS)
    for headers, status in (({}, 401), ({"X-API-Key": "opensesame"}, 413)):
        connection.request("POST", "/predict", samples["ef2ec"], headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()
    assert "opensesame" not in server.log
