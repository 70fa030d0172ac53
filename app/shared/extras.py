"""How to add an extra of this package."""

from app import __version__
from app.shared.places import SHIPPED_MODELS

WHEEL = f"captcha_reader-{__version__}-py3-none-any.whl"


def how_to_add(extra: str, in_a_checkout: str) -> str:
    """Return what to run to add an extra.

    The command has its own environment if pipx or uv installed it, so that pip would add packages elsewhere. The wheel
    is named as a file, because a package index may have another project of the same name.

    Args:
        extra: name in `pyproject.toml`.
        in_a_checkout: the command to run there instead.
    """
    if not SHIPPED_MODELS.is_dir():
        return f"run {in_a_checkout}"
    return f"reinstall the wheel with its extra `{extra}`, such as: pipx install --force './{WHEEL}[{extra}]'"
