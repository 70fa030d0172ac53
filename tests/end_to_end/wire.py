"""HTTP by the byte."""

import json
import select
import socket
import struct
from contextlib import suppress

from tests.waiting import GENEROUS_SECONDS


class Wire:
    """A connection that sends just the bytes it is given."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=GENEROUS_SECONDS)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        """Send byte after byte with a pause of so many seconds after each, until there is an answer."""
        for byte in data:
            with suppress(ConnectionError):  # it may have been closed just now, after an answer
                self.send(bytes([byte]))
            if select.select([self.socket], [], [], pause)[0]:
                return
        raise AssertionError("all was waited for")

    def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """The next response: its status, headers in small letters, and body."""
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = self.file.read(int(headers.get("content-length", 0))) if has_body else b""
        return status, headers, body

    def text(self) -> str:
        """The text that the next response says was read."""
        status, _, body = self.answer()
        assert status == 200, body
        text: str = json.loads(body)["text"]
        return text

    def is_closed(self) -> bool:
        """Whether the server has closed the connection; it resets it if it has not read all that it was sent."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def reset(self) -> None:
        """Break the connection off."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()
