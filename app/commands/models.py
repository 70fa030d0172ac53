"""`captcha-reader models`: list the model store, and fetch models into it."""

import sys
from typing import Annotated

import typer

from app.commands.common import ModelStore
from app.commands.environment import WRONG_USAGE, settings_or_exit, tell_unknown_variables

SOME_ERRORS = 1

models = typer.Typer(rich_markup_mode=None)


@models.callback(invoke_without_command=True)
def list_models(context: typer.Context, model_store: ModelStore = None) -> None:
    """List the models in the model store; a star marks the default model.

    Prints name, version, number of characters and input size, separated by tabs. Exits with status 1 if a model cannot
    be loaded, with the reason on standard error.
    """
    if context.invoked_subcommand is not None:
        return
    from app.inference.models.store import ModelStore as Store

    settings = settings_or_exit(model_store)
    tell_unknown_variables()
    store = Store(settings.model_store, settings.default_model, settings.model_sha256)
    sys.stderr.write(f"models in {settings.model_store.absolute()}:\n")
    for stored in store:
        name = f"{stored.name}{'*' if stored.name == store.default_model else ''}"
        model = stored.model
        row = (name, stored.version, f"{len(model.configs.vocab)} characters", f"{model.width}×{model.height} pixels")
        typer.echo("\t".join(row))
    for broken in store.broken:
        sys.stderr.write(f"{broken.name}/{broken.version}: {broken.reason}\n")
    raise typer.Exit(SOME_ERRORS if store.broken else 0)


@models.command()
def pull(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="A version folder …/<model>/<version> with a SHA256SUMS file, or a .tar.gz of such folders: "
            "https://, http://, hf://owner/repository/, file:// or a path.",
        ),
    ],
    sha256: Annotated[str, typer.Option(help="SHA-256 of the archive, or of the folder's SHA256SUMS file.")],
    model_store: ModelStore = None,
) -> None:
    """Download models into the model store; each is verified and test-loaded first.

    A running service loads them on SIGHUP or `POST /models/reload`.
    """
    from app.inference.models.fetch import FetchError, fetch_models

    settings = settings_or_exit(model_store)
    tell_unknown_variables()
    try:
        for folder in fetch_models(url, sha256, settings.model_store):
            typer.echo(f"written: {folder}")
    except FetchError as error:
        sys.stderr.write(f"error: {error}\n")
        raise typer.Exit(WRONG_USAGE) from None
