"""One log format for the service, the server and the libraries."""

import logging
import sys
from contextlib import suppress
from typing import Any, BinaryIO, cast

from app.settings import Settings
from app.shared.imports import hidden
from app.shared.json_bytes import json_bytes

# With rich, structlog would show local variables in tracebacks: uploads and keys. It also takes 40 ms to import.
with hidden("rich"):
    import structlog

get_logger = structlog.get_logger


def _without_colours(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.pop("color_message", None)  # uvicorn's copy of the message with escape sequences
    return event


def _to_bytes(_: Any, __: str, line: Any) -> bytes:
    return str(line).encode(errors="backslashreplace")


def _to_json(_: Any, __: str, event: structlog.typing.EventDict) -> str:
    return json_bytes(event).decode()


class _Output:
    """Output stream that drops lines it cannot write, so that logging never fails a request."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure_logging(settings: Settings) -> None:
    """Send every log record to standard output, as text or as one JSON object per line.

    The service's own lines bypass the standard library, which is slower.
    """
    output = cast(BinaryIO, _Output(sys.stdout.buffer))
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stdout.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    first: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if as_text
        else [structlog.processors.format_exc_info, _to_json]
    )
    structlog.configure(
        processors=[*first, *last, _to_bytes],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name: structlog.BytesLogger(output, name=name),
        cache_logger_on_first_use=True,
    )
    logging.raiseExceptions = False  # when a line cannot be written, see `_Output`
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, structlog.stdlib.ExtraAdder(), _without_colours],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
