"""A web server for archives of drawn images, with configurable failures."""

import io
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from PIL import Image, ImageDraw

LABELS = ["2b827", "p4nwe", "xx6dy", "n7meb"]


def drawn(label: str) -> bytes:
    image = Image.effect_noise((60, 20), 90)  # noise does not compress, so the archive has many bytes
    ImageDraw.Draw(image).text((5, 4), label, fill=0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


IMAGES = {f"{label}.png": drawn(label) for label in LABELS}


def packed(entries: dict[str, bytes] | list[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = packed({f"captcha_images_v2/{name}": content for name, content in IMAGES.items()})

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A server of one file; `answers` are given first, one per request."""

    def __init__(self, address: str) -> None:
        self.url = f"{address}/data.zip"
        self.body = GOOD
        self.answers: list[Answer] = []
        self.asked: list[str] = []  # the path of every request
        self.closing = threading.Event()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        (self.answers.pop(0) if self.answers else self.serve)(handler)

    def serve(self, handler: BaseHTTPRequestHandler, upto: int | None = None) -> None:
        send(200, self.body[:upto], {"Content-Length": str(len(self.body))})(handler)

    def broken_after(self, upto: int) -> Answer:
        return lambda handler: self.serve(handler, upto)

    def silent(self, _handler: BaseHTTPRequestHandler) -> None:
        self.closing.wait(5)


def send(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def nothing_left(folder: Path) -> bool:
    return not folder.parent.exists() or not list(folder.parent.iterdir())
