"""`python -m app`: the service."""

import argparse
import signal
import socket
import sys

import structlog
import uvicorn
from pydantic import ValidationError

from app.observability.logs import configure_logging
from app.settings import Settings, unknown_variables, variable

GRACE_SECONDS = 30


def main() -> None:
    """Serve until stopped; end with status 2 and a line that names the variable if a setting is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="Serves the models of the model store over HTTP. Settings come from the environment and .env:",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    try:
        settings = Settings()
    except ValidationError as error:
        parser.exit(2, _explain(error))
    try:
        _try_address(settings)
    except OSError as error:
        address = f"{settings.host}, port {settings.port}"
        parser.exit(2, f"OCR_HOST, OCR_PORT: Cannot listen on {address}: {error.strerror}\n")
    configure_logging(settings)
    _warn_of_unknown_variables()
    # When it has stopped, uvicorn raises the signal anew; stopping when told to is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        "app.main:create_app_for_server",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _explain(error: ValidationError) -> str:
    return "".join(f"{variable(str(item['loc'][0]))}: {item['msg']}\n" for item in error.errors())


def _try_address(settings: Settings) -> None:
    """Raise what uvicorn would meet later, and with two workers log without naming the address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))


def _warn_of_unknown_variables() -> None:
    log = structlog.get_logger("app")
    for name, nearest in unknown_variables().items():
        log.warning("unknown setting", variable=name, nearest=nearest)


def _settings_help() -> str:
    names = {variable(name): field for name, field in Settings.model_fields.items()}
    width = max(map(len, names))
    return "\n".join(
        f"  {name:<{width}}  {field.description} [{'not set' if field.default is None else field.default}]"
        for name, field in names.items()
    )


if __name__ == "__main__":
    main()
