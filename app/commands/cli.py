"""Command line: `captcha-reader COMMAND` or `python -m app COMMAND`."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from app.commands.common import ModelStore, WithSettings, examples
from app.commands.models import models
from app.commands.read import read
from app.commands.serve import serve as start_serving
from app.shared.command_line import program
from app.shared.version_option import Version

PROGRAM = program("app")
SERVE_EXAMPLES = (PROGRAM, f"OCR_PORT=8080 OCR_WORKERS=2 {PROGRAM}")
READ_EXAMPLES = (
    f"{PROGRAM} read samples",
    f"{PROGRAM} read 'scans/**/*.png' --output readings.csv",
    f"{PROGRAM} read samples --json --pattern '[a-z0-9]{{5}}' --min-confidence 0.99",
)
MODELS_EXAMPLES = (f"{PROGRAM} models",)
PULL_EXAMPLES = (f"{PROGRAM} models pull https://example.com/models/meters/3 --sha256 {'0123456789abcdef' * 4}",)
OTHER_COMMANDS = "captcha_reader.commands"
"""Entry point group of Typer applications whose commands other installed packages add, such as `training`."""


class Commands(WithSettings, TyperGroup):
    """Commands of the service and of other installed packages, imported on demand."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *(name for group in _other_groups() for name in group.list_commands(ctx))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by name; None if unknown."""
        found = super().get_command(ctx, cmd_name)
        others = (group.get_command(ctx, cmd_name) for group in (() if found else _other_groups()))
        return found or next(filter(None, others), None)


class Serve(WithSettings, TyperCommand):
    """Command that serves over HTTP."""


class Read(WithSettings, TyperCommand):
    """Command that reads files."""

    settings = ("model_store", "default_model", "max_upload_bytes", "max_pixels", "max_side")


def _other_groups() -> list[Any]:
    from importlib.metadata import entry_points

    return [get_command(point.load()) for point in entry_points(group=OTHER_COMMANDS)]


app = typer.Typer(
    cls=Commands,
    help="Reads short text in small images, from files or over HTTP. Without a command, serves over HTTP.",
    epilog=examples(*SERVE_EXAMPLES, *READ_EXAMPLES[:1]),
    rich_markup_mode=None,  # its boxes would wrap the lines of the settings
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _options(_version: Version = False) -> None:
    pass


@app.command(cls=Serve, epilog=examples(*SERVE_EXAMPLES))
def serve(model_store: ModelStore = None) -> None:
    """Serve the models of the model store over HTTP until stopped."""
    start_serving(model_store)


app.command(cls=Read, epilog=examples(*READ_EXAMPLES))(read)
app.add_typer(models, name="models", epilog=examples(*MODELS_EXAMPLES, *PULL_EXAMPLES))


def run() -> None:
    """Run the command line."""
    app(prog_name=PROGRAM)
