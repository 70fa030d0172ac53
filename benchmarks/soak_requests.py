"""Requests of a long test, behaviour of its clients, and checks of the answers.

Texts of valid images are known from their names; the images come in every supported format.
"""

import asyncio
import io
import json
import random
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx
from PIL import Image

from benchmarks.common import ROOT
from benchmarks.fuzz import broken_file, good_files

MANY = 8
"""Number of images in a batch."""
OTHER_MODEL = "other"
PAUSE = 0.1
"""Seconds between the pieces that slow clients send or receive."""
REFUSED = (400, 413, 415, 422)
BUSY = (503, 504)
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNG": ("RGB", {}),
    "JPEG": ("RGB", {"quality": 95}),
    "WEBP": ("RGB", {"lossless": True}),
    "GIF": ("L", {}),
    "BMP": ("RGB", {}),
    "TIFF": ("L", {"compression": "tiff_lzw"}),
}
"""Pillow's name of the format → mode and options for writing it."""


class Manner(Enum):
    """How a client behaves."""

    USUAL = "usual"
    SLOW_SENDER = "slow sender"
    SLOW_READER = "slow reader"
    LEAVES_WHILE_SENDING = "left while sending"
    LEAVES_UNANSWERED = "left before the answer"


class Outcome(Enum):
    """The outcome of a request."""

    RIGHT = "right"
    BUSY = "busy"
    """Refused with 503 or 504."""
    LEFT = "left"
    """Disconnected by the client."""
    WRONG = "wrong"


IsRight = Callable[[int, bytes], bool]
"""Return whether an answer is right, given its status and body."""


@dataclass(frozen=True)
class Request:
    """A request of a client.

    Attributes:
        name: name of its kind.
        path, body, content_type: of the POST; a request without a body is a GET.
        is_right: check of answers other than 503 and 504.
        manner: how the client sends it and reads the answer.
    """

    name: str
    path: str
    body: bytes
    content_type: str
    is_right: IsRight
    manner: Manner = Manner.USUAL

    @property
    def label(self) -> str:
        """The name under which it is counted."""
        return self.name if self.manner is Manner.USUAL else f"{self.name}, {self.manner.value}"


class Requests:
    """Random requests, always the same for the same seed."""

    def __init__(self, port: int, seed: int = 0) -> None:
        """Encode the images, and get the size of the service's largest script."""
        self._random = random.Random(seed)  # noqa: S311
        self._images = {path.stem: Image.open(path).convert("RGB") for path in sorted((ROOT / "samples").glob("*.png"))}
        self._files = [(kind, text, _encoded(image, kind)) for kind in FORMATS for text, image in self._images.items()]
        self._large = [
            (text, _encoded(image.resize((16 * image.width, 16 * image.height)), "JPEG"))
            for text, image in self._images.items()
        ]
        self._breakable = list(good_files().values())
        self._script, self._script_size = _largest_script(port)
        self._kinds: dict[Callable[[], Request], int] = {
            self._image: 30,
            self._image_from_odd_client: 10,
            self._form: 10,
            self._search: 8,
            self._other_model: 8,
            self._batch: 4,
            self._large_image: 2,
            self._damaged: 20,
            self._too_large: 2,
            self._no_image: 4,
            self._slow_reader: 2,
        }

    def __iter__(self) -> Iterator[Request]:
        """Yield requests endlessly."""
        kinds, weights = list(self._kinds), list(self._kinds.values())
        while True:
            (kind,) = self._random.choices(kinds, weights)
            yield kind()

    def of_every_kind(self) -> list[Request]:
        """Return one request of each kind and each manner."""
        usual = [kind() for kind in self._kinds if kind != self._image_from_odd_client]
        odd = [self._image_from(manner) for manner in Manner if manner is not Manner.SLOW_READER]
        return usual + odd

    def _image(self, path: str = "/predict", name: str = "", manner: Manner = Manner.USUAL) -> Request:
        kind, text, file = self._random.choice(self._files)
        return Request(name or kind, path, file, f"image/{kind.lower()}", reads(text), manner)

    def _image_from(self, manner: Manner) -> Request:
        return self._image(name="image", manner=manner)

    def _image_from_odd_client(self) -> Request:
        odd = (Manner.SLOW_SENDER, Manner.LEAVES_WHILE_SENDING, Manner.LEAVES_UNANSWERED)
        return self._image_from(self._random.choice(odd))

    def _form(self) -> Request:
        _, text, file = self._random.choice(self._files)
        body, content_type = _form("file", [file])
        return Request("form", "/predict", body, content_type, reads(text))

    def _search(self) -> Request:
        queries = ("alternatives=3", "length=5&charset=2345678bcdefgmnpwxy", "pattern=[a-z0-9]{5}&min_confidence=0.5")
        return self._image(f"/predict?{self._random.choice(queries)}", "search")

    def _other_model(self) -> Request:
        return self._image(f"/predict?model={OTHER_MODEL}", "model that is replaced")

    def _batch(self) -> Request:
        chosen = [(text, file) for _, text, file in self._random.choices(self._files, k=MANY)]
        chosen[self._random.randrange(MANY)] = ("", self._random.choice(self._files)[2][:60])
        body, content_type = _form("files", [file for _, file in chosen])
        return Request("batch", "/predict/batch", body, content_type, reads_each([text for text, _ in chosen]))

    def _large_image(self) -> Request:
        text, file = self._random.choice(self._large)
        return Request("large image", "/predict", file, "image/jpeg", reads(text))

    def _damaged(self) -> Request:
        file = broken_file(self._breakable, 0, self._random.randrange(1 << 32))
        return Request("damaged file", "/predict", file, "application/octet-stream", is_one_of(200, *REFUSED))

    def _too_large(self) -> Request:
        _, _, file = self._random.choice(self._files)
        return Request("too large", "/predict", file + bytes(2_000_000), "image/png", is_one_of(413))

    def _no_image(self) -> Request:
        body, content_type = _form("other", [b"no image at all"])
        form = Request("no image", "/predict", body, content_type, is_one_of(422))
        plain = Request("no image", "/predict", b"no image at all", "image/png", is_one_of(415))
        return self._random.choice((form, plain))

    def _slow_reader(self) -> Request:
        def is_whole(status: int, body: bytes) -> bool:
            return status == 200 and len(body) == self._script_size

        return Request("script", self._script, b"", "", is_whole, Manner.SLOW_READER)


async def send(client: httpx.AsyncClient, request: Request) -> tuple[Outcome, str]:
    """Send a request in its manner, and return its outcome and the error, if any."""
    address = (client.base_url.host, client.base_url.port or 80)
    try:
        if request.manner in (Manner.LEAVES_WHILE_SENDING, Manner.LEAVES_UNANSWERED):
            await _send_and_leave(address, request)
            return Outcome.LEFT, ""
        if request.manner is Manner.SLOW_READER:
            status, body = await _read_slowly(address, request)
        else:
            content = _slowly(request.body) if request.manner is Manner.SLOW_SENDER else request.body
            headers = {"Content-Type": request.content_type, "Content-Length": str(len(request.body))}
            response = await client.post(request.path, content=content, headers=headers)
            status, body = response.status_code, response.content
    except (OSError, httpx.TransportError, asyncio.IncompleteReadError) as error:
        return Outcome.WRONG, repr(error)
    if status in BUSY:
        return Outcome.BUSY, ""
    return (Outcome.RIGHT, "") if request.is_right(status, body) else (Outcome.WRONG, f"{status} {body[:300]!r}")


def reads(text: str) -> IsRight:
    """Return a check of the text that was read."""
    return lambda status, body: status == 200 and json.loads(body)["text"] == text


def reads_each(texts: Sequence[str]) -> IsRight:
    """Return a check of the texts of a batch, in order; "" stands for a problem."""

    def is_right(status: int, body: bytes) -> bool:
        results = json.loads(body).get("results", ()) if status == 200 else ()
        return [result.get("text", "") for result in results] == list(texts)

    return is_right


def is_one_of(*statuses: int) -> IsRight:
    """Return a check of the status only."""
    return lambda status, _body: status in statuses


async def _send_and_leave(address: tuple[str, int], request: Request) -> None:
    """Close the connection after half of the body, or after all of it without reading the answer."""
    _, writer = await asyncio.open_connection(*address)
    whole = request.manner is Manner.LEAVES_UNANSWERED
    writer.write(_head(request, len(request.body)) + request.body[: None if whole else len(request.body) // 2])
    await writer.drain()
    writer.transport.abort()


async def _read_slowly(address: tuple[str, int], request: Request) -> tuple[int, bytes]:
    """Receive the answer in pieces, with pauses, through a small buffer, so that the service has to wait."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, address)
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 16)
    writer.write(_head(request, 0))
    head = await reader.readuntil(b"\r\n\r\n")
    body = b""
    while part := await reader.read(1 << 16):
        body += part
        await asyncio.sleep(PAUSE)
    writer.close()
    return int(head[9:12]), body


def _head(request: Request, length: int) -> bytes:
    sent = f"Content-Type: {request.content_type}\r\nContent-Length: {length}\r\n" if length else ""
    method = "POST" if length else "GET"
    return f"{method} {request.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{sent}\r\n".encode()


async def _slowly(body: bytes) -> AsyncIterator[bytes]:
    size = len(body) // 10 + 1
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(PAUSE)


def _encoded(image: Image.Image, kind: str) -> bytes:
    mode, options = FORMATS[kind]
    file = io.BytesIO()
    image.convert(mode).save(file, kind, **options)
    return file.getvalue()


def _form(field: str, files: Sequence[bytes]) -> tuple[bytes, str]:
    """Return the body of a multipart form (RFC 7578) with these files, and its content type."""
    request = httpx.Request("POST", "http://localhost", files=[(field, ("image", file)) for file in files])
    return request.read(), request.headers["Content-Type"]


def _largest_script(port: int) -> tuple[str, int]:
    """Return the path and the size of the script of `/docs`."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        (path,) = re.findall(r'src="(/[^"]+swagger[^"]+js)"', client.get("/docs").text)
        return path, len(client.get(path).content)
