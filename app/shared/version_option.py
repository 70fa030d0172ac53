"""The option `--version` of both packages."""

from typing import Annotated

import typer

from app import __version__
from app.shared.command_line import COMMAND


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{COMMAND} {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
]
