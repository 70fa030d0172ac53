"""The commands: `python -m app [COMMAND]`; without one, the service."""

import typer

from app.commands.common import settings_help
from app.commands.read import read
from app.commands.serve import serve

app = typer.Typer(
    help="Reads short text in small images: from files, or over HTTP, which it does without a command.",
    epilog=settings_help(),
    rich_markup_mode=None,  # its boxes would break the lines of the settings
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command(epilog=settings_help())(serve)
app.command(epilog=settings_help("model_store", "default_model", "max_upload_bytes", "max_pixels", "max_side"))(read)


@app.callback(invoke_without_command=True)
def _serve_without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


def main() -> None:
    """Run the command of the command line."""
    app(prog_name="python -m app")


if __name__ == "__main__":
    main()
