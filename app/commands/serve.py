"""`python -m app serve`, and what `python -m app` alone does."""

import signal
import socket
import sys

import typer

from app.commands.common import WRONG_USAGE, settings_or_exit
from app.settings import Settings, unknown_variables

GRACE_SECONDS = 30


def serve() -> None:
    """Serve the models of the model store over HTTP until stopped."""
    import uvicorn

    from app.observability.logs import configure_logging
    from app.server import DeadlineProtocol
    from app.supervisor import hand_sighup_on

    settings = settings_or_exit()
    try:
        _try_address(settings)
    except OSError as error:
        address = f"{settings.host}, port {settings.port}"
        sys.stderr.write(f"OCR_HOST, OCR_PORT: Cannot listen on {address}: {error.strerror}\n")
        raise typer.Exit(WRONG_USAGE) from None
    configure_logging(settings)
    _warn_of_unknown_variables()
    # When it has stopped, uvicorn raises the signal anew; stopping when told to is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    hand_sighup_on()
    uvicorn.run(
        "app.main:create_app_for_server",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        log_config=None,
        server_header=False,
        http=DeadlineProtocol,
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _try_address(settings: Settings) -> None:
    """Raise what uvicorn would meet later, and with two workers log without naming the address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))


def _warn_of_unknown_variables() -> None:
    import structlog

    log = structlog.get_logger("app")
    for name, nearest in unknown_variables().items():
        log.warning("unknown setting", variable=name, nearest=nearest)
