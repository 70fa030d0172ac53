"""Settings of the service, from `OCR_…` environment variables and `.env`."""

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
MAX_CHECKSUM_FILE_BYTES = 1_000_000


def _readable_store(path: Path) -> Path:
    if path == MODEL_STORE:  # the default
        path = model_store()
    try:
        if not path.is_dir():
            context = {"path": str(path.absolute()), "suggestion": did_you_mean(path.absolute())}
            raise PydanticCustomError("no_folder", "There is no folder {path}.{suggestion}", context)
    except OSError as error:  # such as a folder above it that may not be entered
        context = {"path": str(path.absolute()), "reason": str(error.strerror)}
        raise PydanticCustomError("closed", "Cannot read {path}: {reason}", context) from error
    if not os.access(path, os.R_OK | os.X_OK):
        raise PydanticCustomError("closed", "This user may not read {path}", {"path": str(path.absolute())})
    return path


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _keys_of(keys: SecretStr | None) -> list[str]:
    return _split(keys.get_secret_value()) if keys else []


def _with_key(keys: SecretStr) -> SecretStr:
    if not _keys_of(keys):
        raise PydanticCustomError("no_key", "Contains no key")
    return keys


def _checksum_of(file: Path) -> str:
    try:
        return sha256_of_file(file, MAX_CHECKSUM_FILE_BYTES)
    except FileError as error:
        return str(error)


def _keys_in(file: Path) -> list[str]:
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _key_file(path: Path) -> Path:
    context = {"path": str(path.absolute())}
    try:
        keys = _keys_in(path)
    except OSError as error:
        context |= {"reason": str(error.strerror), "suggestion": did_you_mean(path.absolute())}
        raise PydanticCustomError("closed", "Cannot read {path}: {reason}.{suggestion}", context) from error
    except UnicodeDecodeError as error:
        raise PydanticCustomError("no_text", "{path} is not UTF-8 text", context) from error
    if not keys:
        raise PydanticCustomError("no_key", "No key in {path}", context)
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


class Settings(BaseSettings):
    """Settings of the service; `host` is read from `OCR_HOST`, and so on."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 = all interfaces."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 = any free port."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Worker processes on the same port; one per CPU gives the highest throughput."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads per worker for large images and batches; 0 = CPUs divided by workers."""
    max_waiting: Annotated[int, Field(ge=1)] = 64
    """Maximum queue length per worker; excess requests get 503 with Retry-After."""
    request_timeout: Annotated[float, Field(gt=0)] = 10
    """Seconds before an unfinished request gets 504; its remaining images are skipped."""
    head_timeout: Annotated[float, Field(gt=0)] = 10
    """Seconds for the headers of a request to arrive, also the idle limit of a new connection."""
    body_timeout: Annotated[float, Field(gt=0)] = 30
    """Seconds for the body of a request to arrive, and for the client to receive the response."""
    drain_seconds: Annotated[float, Field(ge=0)] = 0
    """Seconds to keep serving after SIGTERM with /readyz at 503, so that load balancers notice."""
    model_store: Annotated[Path, AfterValidator(_readable_store)] = MODEL_STORE
    """Folder of models, <name>/<version>/; an installed package falls back to a folder in the home directory."""
    default_model: str = "captcha"
    """Model for requests that do not name one."""
    model_sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    """SHA-256 of the SHA256SUMS file of the only default model version to serve. Empty: any version."""
    max_upload_bytes: Annotated[int, Field(ge=1)] = 1_048_576
    """Maximum size of an image file in bytes."""
    max_batch_files: Annotated[int, Field(ge=1)] = 64
    """Maximum number of images in a request to /predict/batch."""
    max_batch_bytes: Annotated[int, Field(ge=1)] = 16_777_216
    """Maximum size of a request to /predict/batch in bytes."""
    max_pixels: Annotated[int, Field(ge=1)] = 4_000_000
    """Maximum width × height, checked before decoding."""
    max_side: Annotated[int, Field(ge=1)] = 8192
    """Maximum width and maximum height of an image in pixels."""
    api_key: Annotated[SecretStr, AfterValidator(_with_key)] | None = None
    """Comma-separated API keys; reading and model requests must carry one. Empty: no key needed."""
    api_key_file: Annotated[Path, AfterValidator(_key_file)] | None = None
    """File of further API keys, one per line; lines that start with # are comments."""
    admin_key: Annotated[SecretStr, AfterValidator(_with_key)] | None = None
    """Comma-separated keys for POST /models/reload. Empty: reloads are refused."""
    allowed_hosts: Annotated[str, HOSTS] = "*"
    """Comma-separated host names the service answers to (probes exempt); * = any."""
    cors_origins: Annotated[str, ORIGINS] | None = None
    """Comma-separated origins allowed by CORS; * = any."""
    metrics: Literal["open", "key", "off"] = "open"
    """Access to /metrics: open = everybody, key = with an API key, off = nobody."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """Log format; auto = text on a terminal, JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum level of log lines."""

    @field_validator("model_sha256")
    @classmethod
    def _exists_in_store(cls, wanted: str | None, info: ValidationInfo) -> str | None:
        store, model = info.data.get("model_store"), info.data.get("default_model")
        if wanted and store and model:
            found = {
                file.parent.name: _checksum_of(file)
                for file in sorted(store.glob(f"{glob.escape(model)}/*/SHA256SUMS"))
            }
            if wanted not in found.values():
                context = {
                    "model": model,
                    "store": str(store.absolute()),
                    "found": ", ".join(f"{digest} is {version}" for version, digest in found.items())
                    or "there is none",
                }
                raise PydanticCustomError("other_model", "No SHA256SUMS of {model} in {store} has it: {found}", context)
        return wanted

    @field_validator("metrics")
    @classmethod
    def _has_a_key(cls, metrics: str, info: ValidationInfo) -> str:
        keys = ("api_key", "api_key_file")
        if metrics == "key" and all(info.data.get(name, "wrong") is None for name in keys):
            raise PydanticCustomError("no_key", "No API key is set; set OCR_API_KEY or OCR_API_KEY_FILE")
        return metrics

    @property
    def api_keys(self) -> list[str]:
        """Return all API keys; read `api_key_file` again on each call."""
        return [*_keys_of(self.api_key), *(_keys_in(self.api_key_file) if self.api_key_file else [])]

    @property
    def admin_keys(self) -> list[str]:
        """Return the keys in `admin_key`."""
        return _keys_of(self.admin_key)

    @property
    def hosts(self) -> list[str]:
        """Return the names in `allowed_hosts`."""
        return _split(self.allowed_hosts)

    @property
    def origins(self) -> list[str]:
        """Return the origins in `cors_origins`."""
        return _split(self.cors_origins or "")


def descriptions() -> dict[str, str]:
    """Return the docstring of each setting; Pydantic would parse them at the start of every process."""
    found = {}
    for pair in pairwise(ast.parse(inspect.getsource(Settings)).body[0].body):  # type: ignore[attr-defined]
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


def variable(setting: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + setting.upper()


def unknown_variables() -> dict[str, str | None]:
    """Return unknown `OCR_…` variables of the environment and `.env`, each with the most similar known one."""
    known = [variable(setting) for setting in Settings.model_fields]
    set_here = {*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars}
    unknown = sorted({name.upper() for name in set_here if name.upper().startswith(PREFIX)}.difference(known))
    return {name: next(iter(get_close_matches(name, known, n=1)), None) for name in unknown}
