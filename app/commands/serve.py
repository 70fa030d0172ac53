"""`python -m app serve`, the default command."""

import logging
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__
from app.commands.environment import WRONG_USAGE, settings_or_exit
from app.settings import Settings, unknown_variables
from app.shared.command_line import COMMAND

if TYPE_CHECKING:
    from app.serving.worker import WorkerConfig

START_FAILED = 3  # like uvicorn's own command
IDLE_SECONDS = 75
"""Keep-alive timeout: longer than those of clients and proxies (httpx 5 s, nginx and AWS 60 s), since a connection that
is closed while they send loses the request."""
GRACE_SECONDS = 30
LAST_SECONDS = 10
"""Additional time that one of several workers may take to stop before it is killed."""


def serve(model_store: Path | None = None) -> None:
    """Serve the models of a model store, by default that of the settings, over HTTP until stopped."""
    import uvicorn

    from app.observability.logs import configure_logging, get_logger
    from app.serving.worker import WorkerConfig

    settings = settings_or_exit(model_store)
    try:
        claimed = _claim_address(settings)
    except OSError as error:
        address = f"{settings.host}, port {settings.port}"
        sys.stderr.write(f"OCR_HOST, OCR_PORT: Cannot listen on {address}: {error.strerror}\n")
        sys.exit(WRONG_USAGE)
    configure_logging(settings)
    log = get_logger("app")
    log.info(COMMAND, version=__version__, model_store=str(settings.model_store.absolute()))
    for name, nearest in unknown_variables().items():
        log.warning("unknown setting", variable=name, nearest=nearest)
    # Uvicorn raises the signal again after it stops; a requested stop is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    loop = "app.serving.listening:WorkerLoop" if sys.platform == "linux" else "auto"
    config = WorkerConfig(
        "app.serving.application:create_app_for_server",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        log_config=None,
        server_header=False,
        http="app.serving.server:DeadlineProtocol",  # imported in the workers, not in their parent
        ws="none",
        loop=loop,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if settings.workers > 1:
        _serve_with_several_workers(claimed, config, settings.drain_seconds + GRACE_SECONDS + LAST_SECONDS)
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        config.begin()
        server.run()
    if not server.started:
        sys.exit(START_FAILED)


def _serve_with_several_workers(claimed: socket.socket | None, config: "WorkerConfig", seconds_to_end: float) -> None:
    from app.observability.counts import sharing
    from app.serving.supervisor import Supervisor
    from app.shared.memory import freeze_objects

    freeze_objects()
    if claimed is None:  # only Linux distributes connections among sockets of one port
        Supervisor(config, [config.bind_socket()], seconds_to_end).run()
        return
    with claimed, sharing(config.workers):
        host, port = claimed.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        logging.getLogger("uvicorn.error").info("Uvicorn running on http://%s:%d (Press CTRL+C to quit)", shown, port)
        Supervisor(config, [claimed], seconds_to_end).run()


def _claim_address(settings: Settings) -> socket.socket | None:
    """Reserve the address for several workers; for one, only raise the error that uvicorn would meet later."""
    if settings.workers > 1 and sys.platform == "linux":
        from app.serving.listening import claim

        return claim(settings.host, settings.port)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(1)  # binding alone succeeds on a port that another service shares among its workers
    return None
