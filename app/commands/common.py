"""What the commands share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from app.settings import Settings, unknown_variables, variable

WRONG_USAGE = 2

ModelStore = Annotated[
    Path | None, typer.Option("--model-store", help="The folder of models.  [default: OCR_MODEL_STORE]")
]


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


def settings_help(*settings: str) -> str:
    """For the end of a command's help, a line a setting, all if none is named: variable, meaning and default."""
    fields = {name: Settings.model_fields[name] for name in settings or Settings.model_fields}
    width = max(len(variable(name)) for name in fields)
    lines = (
        f"{variable(name):<{width}}  {field.description} [{'not set' if field.default is None else field.default}]"
        for name, field in fields.items()
    )
    # \b: not wrapped
    return "\n".join(["Settings come from the environment and .env:", "", "\b", *lines])
