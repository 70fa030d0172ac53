"""What the commands share."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from app.settings import Settings, descriptions, unknown_variables, variable

WRONG_USAGE = 2

ModelStore = Annotated[Path | None, typer.Option("--model-store", help="Folder of models.  [default: OCR_MODEL_STORE]")]


def settings_or_exit(model_store: Path | None = None) -> Settings:
    """Return the settings; end with status 2 and a line that names the variable for each that is wrong.

    Args:
        model_store: instead of the environment's. It is set there, for the processes that this one starts.
    """
    if model_store is not None:
        os.environ[variable("model_store")] = str(model_store)
    try:
        return Settings()
    except ValidationError as error:
        for item in error.errors():
            sys.stderr.write(f"{variable(str(item['loc'][0]))}: {item['msg']}\n")
        raise typer.Exit(WRONG_USAGE) from None


def tell_unknown_variables() -> None:
    """Warn on standard error of variables that are no settings."""
    for name, nearest in unknown_variables().items():
        meant = f"; did you mean {nearest}?" if nearest else ""
        sys.stderr.write(f"warning: there is no setting {name}{meant}\n")


def examples(*lines: str) -> str:
    """For the end of a command's help: command lines."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])  # \b: not wrapped


class WithSettings:
    """A command or group whose help ends with settings, which are described only when it is shown."""

    settings: tuple[str, ...] = ()
    """Those that are meant; all if none is named."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the end of the help."""
        super().format_epilog(ctx, formatter)  # type: ignore[misc]
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_settings_help(self.settings))


def _settings_help(settings: tuple[str, ...]) -> str:
    """Return a line a setting: variable, meaning and default."""
    meanings = descriptions()
    defaults = {name: Settings.model_fields[name].default for name in settings or Settings.model_fields}
    width = max(len(variable(name)) for name in defaults)
    lines = (
        f"{variable(name):<{width}}  {meanings[name]} [{'not set' if default is None else default}]"
        for name, default in defaults.items()
    )
    # \b: not wrapped
    return "\n".join(["Settings come from the environment and .env:", "", "\b", *lines])
