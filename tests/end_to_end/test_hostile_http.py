"""HTTP at its edges, on a real socket: upgrades, trailers, hosts, garbage, clients that read nothing or say no more."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from app import __version__
from app.serving.server import MAX_HEAD_BYTES
from tests.end_to_end.conftest import Server
from tests.end_to_end.wire import Wire

RunServer = Callable[..., Server]
Connect = Callable[[Server], Wire]
PREDICT = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = PREDICT + b"Transfer-Encoding: chunked\r\n\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
ALIVE = f'{{"status":"alive","version":"{__version__}"}}'.encode()
HTTP2 = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
UPGRADES = {
    "Java's HttpClient": HTTP2 + b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n",
    "curl --http2": HTTP2 + b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    "a WebSocket": b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "several": b"Upgrade: h2c, websocket\r\nConnection: UPGRADE\r\nupgrade: TLS/1.0\r\n",
}


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(closing(Wire(server.port)))


def is_alive(wire: Wire) -> bool:
    """Whether the next answer is that to a GET of /livez."""
    status, _, body = wire.answer()
    return (status, body) == (200, ALIVE)


def flood(wire: Wire, data: bytes) -> None:
    """Send data again and again until the service hangs up."""
    with pytest.raises(ConnectionError):  # noqa: PT012 - whichever of them it is
        for _ in range(60_000_000 // len(data)):
            wire.send(data)


def memory_kilobytes(server: Server) -> int:
    return int(re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())[0])


class TestUpgrade:
    @pytest.mark.parametrize("pieces", [1, 2, 50], ids=["at once", "body after head", "in many pieces"])
    @pytest.mark.parametrize("headers", UPGRADES.values(), ids=UPGRADES)
    def test_the_upload_is_read_and_the_connection_goes_on(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes], headers: bytes, pieces: int
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        head = PREDICT + headers + b"Content-Length: %d\r\n\r\n" % len(image)
        request = head + image
        cut = len(head) if pieces == 2 else -(-len(request) // pieces)
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(request), cut):
            wire.send(request[start : start + cut])
        assert wire.text() == "ef2ec"
        wire.send(LIVEZ)
        assert is_alive(wire)

    def test_chunks_are_read(self, connect: Connect, shared_server: Server, samples: dict[str, bytes]) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        wire.send(PREDICT + HTTP2 + b"Transfer-Encoding: chunked\r\n\r\n")
        wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(image), image))
        assert wire.text() == "ef2ec"

    def test_a_client_that_asks_first_is_told_to_go_on(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes]
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        wire.send(PREDICT + HTTP2 + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(image))
        assert wire.answer()[0] == 100
        wire.send(image)
        assert wire.text() == "ef2ec"

    def test_what_looks_like_a_request_in_a_body_is_none(self, connect: Connect, shared_server: Server) -> None:
        wire = connect(shared_server)
        wire.send(PREDICT + HTTP2 + b"Content-Length: %d\r\n\r\n" % len(LIVEZ))
        wire.send(LIVEZ)
        assert wire.answer()[0] == 415
        wire.send(b"GET /models/nobody HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.answer()[0] == 404

    def test_requests_that_do_not_wait_are_answered_in_order(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes]
    ) -> None:
        wire = connect(shared_server)
        requests = [PREDICT + HTTP2 + b"Content-Length: %d\r\n\r\n" % len(image) + image for image in samples.values()]
        wire.send(LIVEZ + b"".join(requests) + LIVEZ)
        assert is_alive(wire)
        assert [wire.text() for _ in samples] == list(samples)
        assert is_alive(wire)

    @pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE"])
    def test_other_methods_are_answered_as_without_it(
        self, connect: Connect, shared_server: Server, method: bytes
    ) -> None:
        answers = []
        for headers in (b"", UPGRADES["a WebSocket"]):
            wire = connect(shared_server)
            wire.send(method + b" /livez HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n")
            answers.append(wire.answer(has_body=method != b"HEAD")[0])
            wire.send(LIVEZ)
            assert is_alive(wire)
        assert answers[0] == answers[1]

    def test_no_tunnel_is_opened(self, connect: Connect, shared_server: Server) -> None:
        wire = connect(shared_server)
        wire.send(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n" + LIVEZ)
        assert wire.answer()[0] == 501
        assert wire.is_closed()


class TestTrailers:
    def test_they_are_not_needed_to_read_a_body(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes]
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        wire.send(CHUNKED + b"%x\r\n%b\r\n0\r\nChecksum: 1\r\nConnection: upgrade\r\n\r\n" % (len(image), image))
        assert wire.text() == "ef2ec"
        wire.send(LIVEZ)
        assert is_alive(wire)

    @pytest.mark.parametrize("pieces", [1, 2], ids=["at once", "in two pieces"])
    @pytest.mark.parametrize(
        "trailers",
        [b"Connection: close\r\n", b"Proxy-Connection: close\r\n", b"Connection: close, upgrade\r\n" + HTTP2],
    )
    def test_they_do_not_end_the_connection(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes], trailers: bytes, pieces: int
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        head = CHUNKED + b"%x\r\n%b\r\n0\r\n" % (len(image), image)
        for _ in range(2):
            wire.send(head if pieces == 2 else b"")
            wire.send((b"" if pieces == 2 else head) + trailers + b"\r\n" + LIVEZ)
            assert wire.text() == "ef2ec"
            assert is_alive(wire)
        wire.send(head + trailers + b"\r\n" + LIVEZ.replace(b"Host", b"Connection: close\r\nHost") + LIVEZ)
        assert wire.text() == "ef2ec"
        assert is_alive(wire)
        assert wire.is_closed()

    @pytest.mark.parametrize("target", [b"/predict", b"/livez", b"/nowhere"])
    @pytest.mark.parametrize(
        "endless", [b"a: b\r\n" * 1000, b"a" * 5000, b"a: " + b"b" * 5000], ids=["lines", "a name", "a value"]
    )
    def test_without_end_they_are_refused_and_take_no_memory(
        self, connect: Connect, shared_server: Server, target: bytes, endless: bytes
    ) -> None:
        wire = connect(shared_server)
        before = memory_kilobytes(shared_server)
        wire.send(CHUNKED.replace(b"/predict", target) + b"5\r\nhello\r\n0\r\n")
        flood(wire, endless)
        assert memory_kilobytes(shared_server) - before < 10_000

    def test_too_many_are_told_so(self, connect: Connect, shared_server: Server) -> None:
        wire = connect(shared_server)
        line = b"a: " + b"b" * 995 + b"\r\n"
        wire.send(CHUNKED + b"5\r\nhello\r\n0\r\n" + line * (2 * MAX_HEAD_BYTES // len(line)))
        assert wire.answer()[0] == 431
        assert wire.is_closed()

    @pytest.mark.parametrize("endless", [b"5;a=", b"0;a="], ids=["of a chunk", "of the last chunk"])
    def test_chunk_extensions_without_end_are_refused(
        self, connect: Connect, shared_server: Server, endless: bytes
    ) -> None:
        wire = connect(shared_server)
        wire.send(CHUNKED + endless)
        flood(wire, b"a" * 5000)

    def test_none_of_them_counts_as_a_header(self, connect: Connect, run_server: RunServer) -> None:
        server = run_server(OCR_ALLOWED_HOSTS="good.example", OCR_API_KEY="opensesame")
        for trailer in (b"Host: good.example\r\n", b"X-API-Key: opensesame\r\n"):
            wire = connect(server)
            wire.send(CHUNKED.replace(b"localhost", b"evil.example") + b"1\r\nx\r\n0\r\n" + trailer + b"\r\n")
            assert wire.answer()[0] == 400
        wire = connect(server)
        wire.send(CHUNKED.replace(b"localhost", b"good.example") + b"1\r\nx\r\n0\r\nX-API-Key: opensesame\r\n\r\n")
        assert wire.answer()[0] == 401


class TestHost:
    @pytest.mark.parametrize(
        "headers",
        [
            b"",
            b"Host: a\r\nHost: b\r\n",
            b"Host: a\r\nhost: a\r\n",
            b"Host: a b\r\n",
            b"Host: a, b\r\n".replace(b",", b"/"),
            b"Host: user@a\r\n",
            b"Host: a:80:80\r\n",
            b"Host: a:port\r\n",
            b"Host: \xc3\xa9\r\n",
            b"Host: [::1\r\n",
        ],
    )
    def test_none_several_and_what_is_no_host_are_refused(
        self, connect: Connect, shared_server: Server, headers: bytes
    ) -> None:
        wire = connect(shared_server)
        wire.send(b"GET /livez HTTP/1.1\r\n" + headers + b"\r\n" + LIVEZ)
        status, sent, body = wire.answer()
        assert (status, sent["content-type"]) == (400, "application/problem+json")
        assert b"Host" in body
        assert wire.is_closed()

    @pytest.mark.parametrize(
        "host", [b"", b"a", b"a \t", b"A.example:8000", b"[::1]:80", b"127.0.0.1", b"a_b-c", b"a:"]
    )
    def test_one_is_taken(self, connect: Connect, shared_server: Server, host: bytes) -> None:
        wire = connect(shared_server)
        wire.send(b"GET /livez HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert is_alive(wire)

    def test_http_1_0_needs_none(self, connect: Connect, shared_server: Server) -> None:
        wire = connect(shared_server)
        wire.send(b"GET /livez HTTP/1.0\r\n\r\n")
        assert is_alive(wire)

    @pytest.mark.parametrize(("host", "status"), [(b"a", 200), (b"A", 200), (b"b", 400), (b"a:80", 400)])
    def test_that_of_an_absolute_url_must_be_the_same(
        self, connect: Connect, shared_server: Server, host: bytes, status: int
    ) -> None:
        wire = connect(shared_server)
        wire.send(b"GET http://a/livez HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert wire.answer()[0] == status


class TestMisunderstandings:
    """What a proxy in front and this service might each understand in a way of its own."""

    @pytest.mark.parametrize(
        ("head", "status"),
        [
            (b"POST /predict HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 501),
            (PREDICT + b"Transfer-Encoding: gzip, chunked\r\n", 501),
            (PREDICT + b"Transfer-Encoding: chunked, identity\r\n", 400),
            (PREDICT + b"Transfer-Encoding: xchunked\r\n", 501),
            (PREDICT + b"Transfer-Encoding : chunked\r\n", 400),
            (PREDICT + b"Transfer-Encoding:\r\n chunked\r\n", 400),
            (PREDICT + b"Content-Length: +0\r\n", 400),
            (PREDICT + b"Content-Length: 0, 0\r\n", 400),
            (PREDICT + b"Content-Length: 0\r\nContent-Length: 0\r\n", 400),
            (b"GET /livez HTTP/1.1\nHost: localhost\n", 400),
            (b"GET /livez HTTP/2.0\r\nHost: localhost\r\n", 505),
            (b"GET /livez\r\n", 505),
            (b"PRI * HTTP/2.0\r\n", 400),
        ],
    )
    def test_it_is_refused_and_what_follows_is_not_read(
        self, connect: Connect, shared_server: Server, head: bytes, status: int
    ) -> None:
        wire = connect(shared_server)
        wire.send(head + b"\r\n" + LIVEZ)
        assert wire.answer()[0] == status
        assert wire.is_closed()

    @pytest.mark.parametrize("in_one_piece", [True, False])
    def test_a_head_is_as_long_as_it_may_be_however_it_comes(
        self, connect: Connect, shared_server: Server, in_one_piece: bool
    ) -> None:
        lines = [LIVEZ[:-2], *(b"X-Padding: %b\r\n" % (b"x" * 987) for _ in range(66)), b"\r\n"]
        wire = connect(shared_server)
        for data in [b"".join(lines)] if in_one_piece else lines[:-1]:
            wire.send(data)
        assert wire.answer()[0] == 431
        assert wire.is_closed()

    @pytest.mark.parametrize(
        "headers", [b"Transfer-Encoding: chunked \r\n", b"Transfer-Encoding: chunked\r\nExpect: 100-continue \r\n"]
    )
    def test_spaces_after_a_value_do_not_belong_to_it(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes], headers: bytes
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        wire.send(PREDICT + headers + b"\r\n")
        if b"Expect" in headers:
            assert wire.answer()[0] == 100
        wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(image), image))
        assert wire.text() == "ef2ec"

    def test_a_client_of_http_1_0_is_not_told_to_go_on(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes]
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        wire.send(b"POST /predict HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(image))
        wire.send(image)
        assert wire.text() == "ef2ec"


class TestPipelines:
    GARBAGE = b"\x00\x01\x02 garbage\r\n\r\n"

    def test_a_good_request_before_garbage_is_answered(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes]
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        wire.send(PREDICT + b"Content-Length: %d\r\n\r\n" % len(image) + image + self.GARBAGE)
        assert wire.text() == "ef2ec"
        assert wire.answer()[0] == 400
        assert wire.is_closed()

    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            (GARBAGE, 400),
            (b"GET /livez HTTP/1.1\r\n\r\n", 400),
            (CHUNKED + b"no size\r\n", 400),
            (CHUNKED + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * MAX_HEAD_BYTES, 431),
        ],
        ids=["garbage", "no host", "no chunk", "trailers"],
    )
    def test_all_before_what_is_wrong_are_answered_in_order(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes], wrong: bytes, status: int
    ) -> None:
        wire = connect(shared_server)
        good = [PREDICT + b"Content-Length: %d\r\n\r\n" % len(image) + image for image in samples.values()]
        wire.send(b"".join(good) + LIVEZ + wrong[:100_000])
        assert [wire.text() for _ in samples] == list(samples)
        assert is_alive(wire)
        assert wire.answer()[0] == status
        assert wire.is_closed()

    def test_many_requests_at_once_are_no_long_head(self, connect: Connect, shared_server: Server) -> None:
        wire = connect(shared_server)
        count = 2 * MAX_HEAD_BYTES // len(LIVEZ)
        wire.send(LIVEZ * count + LIVEZ[:9])
        assert all(is_alive(wire) for _ in range(count))
        wire.send(LIVEZ[9:])
        assert is_alive(wire)


class TestHalfClosed:
    def test_who_says_no_more_is_answered(
        self, connect: Connect, shared_server: Server, samples: dict[str, bytes]
    ) -> None:
        image, wire = samples["ef2ec"], connect(shared_server)
        wire.send((PREDICT + b"Content-Length: %d\r\n\r\n" % len(image) + image) * 2 + PREDICT)
        wire.socket.shutdown(socket.SHUT_WR)
        assert [wire.text(), wire.text()] == ["ef2ec"] * 2
        assert wire.is_closed()

    def test_who_stops_amid_a_request_is_hung_up_on(self, connect: Connect, shared_server: Server) -> None:
        wire = connect(shared_server)
        wire.send(PREDICT + b"Content-Length: 5\r\n\r\nhel")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.is_closed()


class TestSlowReaders:
    SECONDS = 2.0

    def test_who_reads_nothing_is_hung_up_on(self, run_server: RunServer) -> None:
        server = run_server(OCR_BODY_TIMEOUT=str(self.SECONDS))
        script = re.findall(r'src="(/[^"]+js)"', httpx.get(f"{server.url}/docs").text)[0]
        descriptors = Path(f"/proc/{server.process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        with ExitStack() as stack:
            for _ in range(20):
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.connect(("127.0.0.1", server.port))
                client.sendall(f"GET {script} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 20)
            server.wait_until(lambda: server.log.count("does not read its response") == 20)
            server.wait_until(lambda: len(list(descriptors.iterdir())) <= before)
        assert '"level":"error"' not in server.log

    def test_who_reads_in_small_pieces_gets_all(self, run_server: RunServer) -> None:
        server = run_server()
        script = re.findall(r'src="(/[^"]+js)"', httpx.get(f"{server.url}/docs").text)[0]
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", server.port))
            client.sendall(f"GET {script} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            received = b"".join(iter(lambda: client.recv(65_536), b""))
        assert received.endswith(httpx.get(f"{server.url}{script}").content)
