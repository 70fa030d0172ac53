"""What the environment says: `OCR_…` variables and `.env`."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

PREFIX = "OCR_"


def _readable_folder(path: Path) -> Path:
    if not path.is_dir():
        raise PydanticCustomError("no_folder", "There is no folder {path}", {"path": str(path.absolute())})
    if not os.access(path, os.R_OK | os.X_OK):
        raise PydanticCustomError("closed", "This user may not read {path}", {"path": str(path.absolute())})
    return path


class Settings(BaseSettings):
    """The settings of the service; each is the variable of its name in capitals after `OCR_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 is all of them."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """The port to listen on; 0 takes a free one."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that serve on the one port; one a processor serves the most requests."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Large images and batches that a worker reads at the same time; 0 shares the processors among the workers."""
    max_waiting: Annotated[int, Field(ge=1)] = 64
    """The most requests that wait in a worker for their turn; further ones are told to come back (503)."""
    model_store: Annotated[Path, AfterValidator(_readable_folder)] = Path("model_store")
    """The folder of models, <name>/<version>/."""
    default_model: str = "captcha"
    """The model that reads where a request names none."""
    max_upload_bytes: Annotated[int, Field(ge=1)] = 1_048_576
    """The largest image file, in bytes."""
    max_batch_files: Annotated[int, Field(ge=1)] = 64
    """The most images in one request to /predict/batch."""
    max_batch_bytes: Annotated[int, Field(ge=1)] = 16_777_216
    """The largest request to /predict/batch, in bytes."""
    max_pixels: Annotated[int, Field(ge=1)] = 4_000_000
    """The most pixels of an image, by its header."""
    max_side: Annotated[int, Field(ge=1)] = 8192
    """The greatest width or height of an image, in pixels."""
    api_key: SecretStr | None = None
    """A key that every request for a reading or a model must carry; none is asked for without it."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """Log lines for people or machines; auto is text on a terminal and JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this level and above."""


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + setting.upper()


def unknown_variables() -> dict[str, str | None]:
    """The variables `OCR_…` of the environment and `.env` that are no settings, with the nearest that is one."""
    known = [variable(setting) for setting in Settings.model_fields]
    set_here = {*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars}
    unknown = sorted({name.upper() for name in set_here if name.upper().startswith(PREFIX)}.difference(known))
    return {name: next(iter(get_close_matches(name, known, n=1)), None) for name in unknown}
