"""`python -m app`: the service."""

import argparse
import sys

import uvicorn
from pydantic import ValidationError

from app.settings import PREFIX, Settings

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
        sys.exit(_explain(error))
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
    lines = (f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors())
    return "\n".join(lines)


def _settings_help() -> str:
    names = {f"{PREFIX}{name.upper()}": field for name, field in Settings.model_fields.items()}
    width = max(map(len, names))
    return "\n".join(
        f"  {name:<{width}}  {field.description} [{'not set' if field.default is None else field.default}]"
        for name, field in names.items()
    )


if __name__ == "__main__":
    main()
