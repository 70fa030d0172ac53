"""Several replicas behind `deploy/haproxy`: real ones, and a real HAProxy that finds them by their name."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from tests.deploy.load import Load, wait_until_ready
from tests.deploy.name_server import name_server
from tests.end_to_end.conftest import Server, running
from tests.ports import held_port
from tests.waiting import ending, status_of, wait_until
from tests.web_server import serving

HAPROXY = shutil.which("haproxy") or ""
pytestmark = pytest.mark.skipif(not HAPROXY, reason="no haproxy: install it")

ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
NOTICED_SECONDS = 1.5
"""By when the proxy sends a replica nothing that has said it is about to stop, or some that has come back."""


class Replicas:
    """The service, once at each address, all at one port."""

    def __init__(self, port: int, start: Callable[[str, int], Server]) -> None:
        self.port, self._start = port, start
        self.running = {address: start(address, port) for address in ADDRESSES}
        for server in self.running.values():
            server.wait_until_ready()

    def stop(self, address: str, by: signal.Signals) -> int:
        """End one and return its exit status."""
        return self.running[address].stop(by)

    def start(self, address: str) -> None:
        """Put a new one in the place of one that has ended."""
        self.running[address] = self._start(address, self.port)
        self.running[address].wait_until_ready()


@pytest.fixture(scope="module")
def configuration(repository: Path) -> Path:
    return repository / "deploy" / "haproxy" / "haproxy.cfg"


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:

        def start(address: str, port: int) -> Server:
            variables = {"OCR_HOST": address, "OCR_PORT": str(port), "OCR_DRAIN_SECONDS": "2"}
            own = folder / str(len(list(folder.iterdir())))
            return stack.enter_context(running(own, repository, variables))

        yield Replicas(stack.enter_context(held_port()), start)


@contextmanager
def haproxy(configuration: Path, addresses: list[str], port: int) -> Iterator[str]:
    """The address of a proxy for what has these addresses."""
    with held_port() as own, name_server(addresses) as resolver:
        listen = f"127.0.0.1:{own}"
        variables = {"API_HOST": "api.test", "API_PORT": str(port), "RESOLVER": resolver, "LISTEN": listen}
        with ending(subprocess.Popen([HAPROXY, "-f", str(configuration)], env=variables)):
            yield f"http://{listen}"


@contextmanager
def proxying(configuration: Path, addresses: list[str], port: int) -> Iterator[str]:
    """The same once it can be used."""
    with haproxy(configuration, addresses, port) as url:
        wait_until_ready(url, NOTICED_SECONDS)  # until one can be reached, and then for the others
        yield url


@pytest.fixture(scope="module")
def proxy(configuration: Path, replicas: Replicas) -> Iterator[str]:
    with proxying(configuration, ADDRESSES, replicas.port) as url:
        yield url


def test_the_configuration_is_valid_without_any_variable(configuration: Path) -> None:
    done = subprocess.run(
        [HAPROXY, "-c", "-f", str(configuration)], env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_all_replicas_are_found_and_used(proxy: str, replicas: Replicas, samples: dict[str, bytes]) -> None:
    before = {address: server.log.count('"/predict"') for address, server in replicas.running.items()}

    def all_have_read() -> bool:
        assert httpx.post(f"{proxy}/predict", content=samples["ef2ec"]).json()["text"] == "ef2ec"
        return all(replicas.running[address].log.count('"/predict"') > count for address, count in before.items())

    wait_until(all_have_read)


@pytest.mark.slow
def test_a_rolling_update_fails_no_request(proxy: str, replicas: Replicas, samples: dict[str, bytes]) -> None:
    with Load(proxy, samples["ef2ec"]) as load:
        for address in ADDRESSES:
            assert replicas.stop(address, signal.SIGTERM) == 0
            replicas.start(address)
            time.sleep(NOTICED_SECONDS)
    load.assert_all_were_read("ef2ec")


def test_a_replica_that_is_killed_fails_no_request(proxy: str, replicas: Replicas, samples: dict[str, bytes]) -> None:
    with Load(proxy, samples["ef2ec"]) as load:
        time.sleep(0.5)
        replicas.stop(ADDRESSES[0], signal.SIGKILL)
        time.sleep(NOTICED_SECONDS)
        replicas.start(ADDRESSES[0])
        time.sleep(NOTICED_SECONDS)
    load.assert_all_were_read("ef2ec")


def test_replicas_that_do_not_listen_yet_fail_no_request(
    configuration: Path, replicas: Replicas, samples: dict[str, bytes]
) -> None:
    addresses = [*ADDRESSES]
    with proxying(configuration, addresses, replicas.port) as url, Load(url, samples["ef2ec"]) as load:
        for starting in range(10, 22, 3):
            addresses[:] = [*ADDRESSES, *(f"127.0.0.{starting + index}" for index in range(3))]
            time.sleep(1.1)  # until the name is asked for again
    load.assert_all_were_read("ef2ec")


@pytest.mark.parametrize("path", ["/metrics", "/models/reload"])
def test_what_one_replica_would_answer_for_all_is_refused(proxy: str, path: str) -> None:
    answer = httpx.post(f"{proxy}{path}")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == path


def test_where_nobody_is_ready_it_says_so_as_the_service_would(configuration: Path, port: int) -> None:
    with haproxy(configuration, [], port) as url:
        wait_until(lambda: status_of(url))
        answer = httpx.post(f"{url}/predict", content=b"image")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["status"] == 503


UNWILLING = "127.0.0.5"


class Unwilling(BaseHTTPRequestHandler):
    """Says that it is ready, but answers no upload: with 503, as who is too busy, or by closing the connection."""

    answers_503 = True
    asked = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        type(self).asked += 1
        self.close_connection = True
        if self.answers_503:
            self.send_response(503)
            self.send_header("Retry-After", "1")
            self.end_headers()


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "dies"])
def test_what_a_replica_cannot_answer_is_asked_of_another(
    configuration: Path, replicas: Replicas, samples: dict[str, bytes], busy: bool
) -> None:
    class Handler(Unwilling):
        answers_503 = busy

    with (
        serving(Handler, UNWILLING, replicas.port),
        proxying(configuration, [UNWILLING, ADDRESSES[0]], replicas.port) as url,
    ):
        for label, image in samples.items():
            answer = httpx.post(f"{url}/predict", content=image)
            assert (answer.status_code, answer.json().get("text")) == (200, label)
    assert Handler.asked > 0


def test_what_is_too_large_to_keep_is_not_asked_twice(configuration: Path, port: int) -> None:
    class Handler(Unwilling):
        answers_503 = False

    with (
        serving(Handler, UNWILLING, port),
        proxying(configuration, [UNWILLING], port) as url,
        suppress(httpx.TransportError),  # there may be no answer at all
    ):
        assert httpx.post(f"{url}/predict", content=bytes(200_000)).status_code == 502
    assert Handler.asked == 1
