"""`python -m app serve`, and what `python -m app` alone does."""

import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import typer

from app import __version__
from app.commands.common import WRONG_USAGE, ModelStore, settings_or_exit
from app.settings import Settings, unknown_variables
from app.shared.command_line import COMMAND

if TYPE_CHECKING:
    import uvicorn

APPLICATION = "app.serving.application:create_app_for_server"
GRACE_SECONDS = 30
HUNG_SECONDS = 30
"""How long one of several workers says nothing before it is killed; one that is starting on a busy machine may take 5,
which uvicorn would give it."""


def serve(model_store: ModelStore = None) -> None:
    """Serve the models of the model store over HTTP until stopped."""
    import uvicorn

    from app.observability.logs import configure_logging
    from app.serving.supervisor import hand_sighup_on

    settings = settings_or_exit(model_store)
    try:
        _try_address(settings)
    except OSError as error:
        address = f"{settings.host}, port {settings.port}"
        sys.stderr.write(f"OCR_HOST, OCR_PORT: Cannot listen on {address}: {error.strerror}\n")
        raise typer.Exit(WRONG_USAGE) from None
    configure_logging(settings)
    _tell_version(settings)
    _warn_of_unknown_variables()
    # When it has stopped, uvicorn raises the signal anew; stopping when told to is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    hand_sighup_on()
    options: dict[str, Any] = {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers,
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "http": "app.serving.server:DeadlineProtocol",  # imported where it serves, not in the parent of several workers
        "ws": "none",
        "proxy_headers": False,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "timeout_worker_healthcheck": HUNG_SECONDS,
    }
    if sys.platform == "linux":
        options["loop"] = "app.serving.listening:WorkerLoop"
    if settings.workers == 1 or sys.platform != "linux":
        uvicorn.run(APPLICATION, **options)
    else:
        _serve_on_several_sockets(settings, uvicorn.Config(APPLICATION, **options))


def _serve_on_several_sockets(settings: Settings, config: "uvicorn.Config") -> None:
    """What uvicorn does for several workers, but for the socket of each."""
    from uvicorn.supervisors import Multiprocess

    from app.observability.counts import sharing
    from app.serving.listening import bind

    with bind(settings.host, settings.port) as taken, sharing():
        host, port = taken.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        logging.getLogger("uvicorn.error").info("Uvicorn running on http://%s:%d (Press CTRL+C to quit)", shown, port)
        Multiprocess(config, sockets=[taken]).run()


def _try_address(settings: Settings) -> None:
    """Raise what uvicorn would meet later, and with two workers log without naming the address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))


def _tell_version(settings: Settings) -> None:
    import structlog

    structlog.get_logger("app").info(COMMAND, version=__version__, model_store=str(settings.model_store.absolute()))


def _warn_of_unknown_variables() -> None:
    import structlog

    log = structlog.get_logger("app")
    for name, nearest in unknown_variables().items():
        log.warning("unknown setting", variable=name, nearest=nearest)
