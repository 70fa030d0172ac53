"""Options and help that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.settings import Settings, descriptions, variable

ModelStore = Annotated[Path | None, typer.Option("--model-store", help="Folder of models.  [default: OCR_MODEL_STORE]")]


def examples(*lines: str) -> str:
    """Return example command lines for the end of a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])  # \b: not wrapped


class WithSettings:
    """Mixin for commands and groups whose help ends with the settings."""

    settings: tuple[str, ...] = ()
    """Names of the settings to show; empty: all."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the epilog and the settings."""
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
