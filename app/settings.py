"""What the environment says: `OCR_…` variables and `.env`."""

import ast
import glob
import inspect
import os
import re
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from app.shared.files import FileError, sha256_of_file
from app.shared.places import MODEL_STORE, model_store
from app.shared.suggestions import did_you_mean

PREFIX = "OCR_"
MAX_SUMS_BYTES = 1_000_000


def _readable_store(path: Path) -> Path:
    if path == MODEL_STORE:  # the default
        path = model_store()
    if not path.is_dir():
        shown = {"path": str(path.absolute()), "meant": did_you_mean(path.absolute())}
        raise PydanticCustomError("no_folder", "There is no folder {path}.{meant}", shown)
    if not os.access(path, os.R_OK | os.X_OK):
        raise PydanticCustomError("closed", "This user may not read {path}", {"path": str(path.absolute())})
    return path


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _keys_of(keys: SecretStr | None) -> list[str]:
    return _split(keys.get_secret_value()) if keys else []


def _with_key(keys: SecretStr) -> SecretStr:
    if not _keys_of(keys):
        raise PydanticCustomError("no_key", "There is no key in it")
    return keys


def _sum_of(file: Path) -> str:
    try:
        return sha256_of_file(file, MAX_SUMS_BYTES)
    except FileError as error:
        return str(error)


def _keys_in(file: Path) -> list[str]:
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _key_file(path: Path) -> Path:
    shown = {"path": str(path.absolute())}
    try:
        keys = _keys_in(path)
    except OSError as error:
        shown |= {"reason": str(error.strerror), "meant": did_you_mean(path.absolute())}
        raise PydanticCustomError("closed", "Cannot read {path}: {reason}.{meant}", shown) from error
    except UnicodeDecodeError as error:
        raise PydanticCustomError("no_text", "There is no text in UTF-8 in {path}", shown) from error
    if not keys:
        raise PydanticCustomError("no_key", "There is no key in {path}", shown)
    return path


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise PydanticCustomError("no_sha256", "Should be 64 hexadecimal digits")
    return text.lower()


def _list_of(pattern: str, examples: str) -> AfterValidator:
    def check(text: str) -> str:
        parts = _split(text)
        if not parts or not all(re.fullmatch(pattern, part, re.ASCII | re.IGNORECASE) for part in parts):
            raise PydanticCustomError("no_list", "Should be {examples}, or *", {"examples": examples})
        return text

    return AfterValidator(check)


HOSTS = _list_of(r"\*|(\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\]", "names like api.example.com,*.example.org")
ORIGINS = _list_of(r"\*|https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d+)?", "origins like https://example.com")


SHA256 = AfterValidator(_sha256)


class Settings(BaseSettings):
    """The settings of the service; each is the variable of its name in capitals after `OCR_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
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
    """Maximum number of requests that wait in a worker; further ones get 503 with Retry-After."""
    request_timeout: Annotated[float, Field(gt=0)] = 10
    """Seconds in which a request must be read; then it gets 504, and what had not been begun is not done."""
    head_timeout: Annotated[float, Field(gt=0)] = 10
    """How many seconds the headers of a request may take to arrive, or a new connection to say anything."""
    body_timeout: Annotated[float, Field(gt=0)] = 30
    """How many seconds the body of a request may take to arrive, and a client to take what is written to it."""
    drain_seconds: Annotated[float, Field(ge=0)] = 0
    """How many seconds to go on serving after SIGTERM, not ready any more, so that a load balancer notices."""
    model_store: Annotated[Path, AfterValidator(_readable_store)] = MODEL_STORE
    """The folder of models, <name>/<version>/; where an installed package finds none here, one of the user's."""
    default_model: str = "captcha"
    """The model that reads where a request names none."""
    model_sha256: Annotated[str, SHA256] | None = None
    """The SHA-256 of the SHA256SUMS of the only version of the default model that may be served; without it, any."""
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
    api_key: Annotated[SecretStr, AfterValidator(_with_key)] | None = None
    """Keys, separated by commas, one of which a request for a reading or a model must carry; without them, none."""
    api_key_file: Annotated[Path, AfterValidator(_key_file)] | None = None
    """A file of such keys, one a line; lines that begin with # are comments."""
    admin_key: Annotated[SecretStr, AfterValidator(_with_key)] | None = None
    """A key that POST /models/reload must carry; it is refused without it."""
    allowed_hosts: Annotated[str, HOSTS] = "*"
    """The names of this host, separated by commas, that requests other than probes must be for; * is any."""
    cors_origins: Annotated[str, ORIGINS] | None = None
    """The origins, separated by commas, whose pages may call the service from a browser; * is any."""
    metrics: Literal["open", "key", "off"] = "open"
    """Who may read /metrics: anybody, who has one of the keys, or nobody."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """Log lines for people or machines; auto is text on a terminal and JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this level and above."""

    @field_validator("model_sha256")
    @classmethod
    def _is_in_the_store(cls, wanted: str | None, info: ValidationInfo) -> str | None:
        store, model = info.data.get("model_store"), info.data.get("default_model")
        if wanted and store and model:
            found = {
                file.parent.name: _sum_of(file) for file in sorted(store.glob(f"{glob.escape(model)}/*/SHA256SUMS"))
            }
            if wanted not in found.values():
                shown = {
                    "model": model,
                    "store": str(store.absolute()),
                    "found": ", ".join(f"{digest} is {version}" for version, digest in found.items())
                    or "there is none",
                }
                raise PydanticCustomError("other_model", "No SHA256SUMS of {model} in {store} has it: {found}", shown)
        return wanted

    @field_validator("metrics")
    @classmethod
    def _there_is_a_key(cls, metrics: str, info: ValidationInfo) -> str:
        keys = ("api_key", "api_key_file")
        if metrics == "key" and all(info.data.get(name, "wrong") is None for name in keys):
            raise PydanticCustomError("no_key", "There is no key to ask for; set OCR_API_KEY or OCR_API_KEY_FILE")
        return metrics

    @property
    def api_keys(self) -> list[str]:
        """All keys that requests may carry; the file is read again."""
        return [*_keys_of(self.api_key), *(_keys_in(self.api_key_file) if self.api_key_file else [])]

    @property
    def admin_keys(self) -> list[str]:
        """The parts of `admin_key`."""
        return _keys_of(self.admin_key)

    @property
    def hosts(self) -> list[str]:
        """The parts of `allowed_hosts`."""
        return _split(self.allowed_hosts)

    @property
    def origins(self) -> list[str]:
        """The parts of `cors_origins`."""
        return _split(self.cors_origins or "")


def descriptions() -> dict[str, str]:
    """Return the docstring under each setting; Pydantic would parse them in every process, before it could serve."""
    found = {}
    for pair in pairwise(ast.parse(inspect.getsource(Settings)).body[0].body):  # type: ignore[attr-defined]
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + setting.upper()


def unknown_variables() -> dict[str, str | None]:
    """The variables `OCR_…` of the environment and `.env` that are no settings, with the nearest that is one."""
    known = [variable(setting) for setting in Settings.model_fields]
    set_here = {*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars}
    unknown = sorted({name.upper() for name in set_here if name.upper().startswith(PREFIX)}.difference(known))
    return {name: next(iter(get_close_matches(name, known, n=1)), None) for name in unknown}
