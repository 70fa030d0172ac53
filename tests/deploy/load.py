"""Requests that do not cease, while something happens to those who answer them."""

import threading
import time

import httpx

from tests.waiting import answers_200, wait_until

CLIENTS = 4
PAUSE_SECONDS = 0.01
ENOUGH = 100


class Load:
    """Clients that send one image after another while the context lasts; what they were answered."""

    def __init__(self, url: str, image: bytes) -> None:
        self._url, self._image = url, image
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        self._read: list[str] = []
        self._failed: list[str] = []

    def __enter__(self) -> "Load":
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            wait_until(lambda: len(self._read) + len(self._failed) > ENOUGH)
        finally:
            self._over.set()
        for client in self._clients:
            client.join()

    def assert_all_were_read(self, label: str) -> None:
        """No request failed, and there were enough to tell."""
        assert self._failed == []
        assert len(self._read) > ENOUGH
        assert set(self._read) == {label}

    def _send(self) -> None:
        with httpx.Client(base_url=self._url) as client:
            while not self._over.wait(PAUSE_SECONDS):
                try:
                    answer = client.post("/predict", content=self._image)
                except httpx.HTTPError as error:
                    self._failed.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self._read.append(answer.json()["text"])
                else:
                    self._failed.append(f"{answer.status_code} {answer.text}")


def wait_until_ready(url: str, settle: float) -> None:
    """Wait until somebody is ready at an address, and then for so many seconds until all know."""
    wait_until(lambda: answers_200(f"{url}/readyz"), lambda: f"nobody is ready at {url}")
    time.sleep(settle)
