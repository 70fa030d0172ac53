"""A DNS server for tests: every name has the same addresses."""

import ipaddress
import socketserver
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

HEADER = struct.Struct("!6H")
ANSWER = struct.Struct("!HHHIH4s")
TYPE_A, CLASS_IN = 1, 1
AUTHORITATIVE = 0x8580
NAME_OF_QUESTION = 0xC00C
END_OF_NAME = b"\0"
SECONDS_TO_LIVE = 1


@contextmanager
def name_server(addresses: Sequence[str]) -> Iterator[str]:
    """Run one while the context lasts; its address is given as `127.0.0.1:PORT`."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, listener = self.request
            listener.sendto(_answer(query, addresses), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _answer(query: bytes, addresses: Sequence[str]) -> bytes:
    number, *_ = HEADER.unpack_from(query)
    end = query.index(END_OF_NAME, HEADER.size) + 5
    question = query[HEADER.size : end]
    (kind,) = struct.unpack_from("!H", question, len(question) - 4)
    records = [
        ANSWER.pack(NAME_OF_QUESTION, TYPE_A, CLASS_IN, SECONDS_TO_LIVE, 4, ipaddress.IPv4Address(address).packed)
        for address in (addresses if kind == TYPE_A else ())
    ]
    return HEADER.pack(number, AUTHORITATIVE, 1, len(records), 0, 0) + question + b"".join(records)
