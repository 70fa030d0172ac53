"""The commands: `python -m app [COMMAND]`; without one, the service."""

import typer

from app.commands.common import examples, settings_help
from app.commands.read import read
from app.commands.serve import serve

PROGRAM = "python -m app"
SERVE_EXAMPLES = (PROGRAM, f"OCR_PORT=8080 OCR_WORKERS=2 {PROGRAM}")
READ_EXAMPLES = (
    f"{PROGRAM} read samples",
    f"{PROGRAM} read 'scans/**/*.png' --output readings.csv",
    f"{PROGRAM} read samples --json --pattern '[a-z0-9]{{5}}' --min-confidence 0.99",
)
READ_SETTINGS = ("model_store", "default_model", "max_upload_bytes", "max_pixels", "max_side")

app = typer.Typer(
    help="Reads short text in small images: from files, or over HTTP, which it does without a command.",
    epilog=f"{examples(*SERVE_EXAMPLES, *READ_EXAMPLES[:1])}\n\n{settings_help()}",
    rich_markup_mode=None,  # its boxes would break the lines of the settings
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command(epilog=f"{examples(*SERVE_EXAMPLES)}\n\n{settings_help()}")(serve)
app.command(epilog=f"{examples(*READ_EXAMPLES)}\n\n{settings_help(*READ_SETTINGS)}")(read)


@app.callback(invoke_without_command=True)
def _serve_without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


def main() -> None:
    """Run the command of the command line."""
    app(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
