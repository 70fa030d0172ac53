"""Command that labels images on a local page: label."""

import os
import signal
import socket
import threading
import webbrowser
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.inference.images.paths import in_words, other_files
from app.inference.models.folders import version_folders
from app.shared.command_line import pasteable
from app.shared.places import GENERAL, model_store
from training.commands.common import err, fail, model_folder, out
from training.data.dataset import LABELS_FILE

if TYPE_CHECKING:
    from training.labelling.images import ImageFolder
    from training.labelling.session import Session

TABLES = ".csv"
MAX_SHOWN = 5


def label(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of images.", show_default=False)],
    labels: Annotated[
        Path | None, typer.Option(help="CSV file of labels to write or continue.", show_default="DIR/labels.csv")
    ] = None,
    suspects: Annotated[
        Path | None,
        typer.Option(help="File written by `suspects`: review its labels first."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model folder for guesses, such as model_store/captcha.",
            show_default="the last background training, else model_store/general",
        ),
    ] = None,
    length: Annotated[int | None, typer.Option(min=1, help="Number of characters in each label.")] = None,
    charset: Annotated[str, typer.Option(help="Characters allowed in labels.", show_default="any")] = "",
    retrain_every: Annotated[
        int | None, typer.Option(min=1, help="Train in the background after this many new labels, for better guesses.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 = any.")] = 8001,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Label the images of a folder on a local page; the least certain images come first.

    Each decision is saved at once, in a file for `train --data`. Ctrl-C ends; the same command resumes.
    """
    from app.inference.models.model import ModelError
    from training.labelling.decisions import Decisions, lock_labels
    from training.labelling.guesses import Expected
    from training.labelling.images import find_images
    from training.labelling.session import Session
    from training.labelling.suspects import find_suspects
    from training.labelling.suspects import in_words as suspects_in_words

    labels = labels or folder / LABELS_FILE
    model = model and model_folder(model)
    try:
        images = find_images(folder)
        with lock_labels(labels), _listen(port) as listener:
            _print_left_out(images)
            decisions = Decisions(labels, images)
            with closing(Session(images, decisions)) as session:
                if suspects is not None:
                    session.suspects = find_suspects(suspects, images, decisions)
                    out.print(suspects_in_words(session.suspects, decisions.all))
                session.guesses.expect(Expected(length, charset))
                if model is not None:
                    session.guesses.read_with(model)
                if retrain_every is not None:
                    _retrain(session, retrain_every)
                if session.guesses.model is None and (general := version_folders(model_store() / GENERAL)):
                    _try_to_guess(session, general[0])
                _serve(session, folder, labels, listener, open_browser)
    except ModelError as error:
        fail(f"{model}: {error}")


def _listen(port: int) -> socket.socket:
    from training.labelling.access import HOST

    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        fail(f"cannot use port {port} ({os.strerror(error.errno or 0)}); choose another --port, or 0 for any.")


def _retrain(session: "Session", every: int) -> None:
    """Retrain in the background; without another model, guess with the result of an earlier retraining."""
    from training.labelling.retrain import Retraining, model_name, models_folder

    folder = models_folder(session.images.root)
    session.retraining = Retraining(folder, every, session.samples, session.guesses.read_with)
    newest = session.retraining.newest()
    if newest is not None and session.guesses.model is None:
        _try_to_guess(session, newest, model_name(newest))
    session.retraining.start_if_due(len(session.samples()))


def _try_to_guess(session: "Session", folder: Path, name: str | None = None) -> None:
    from app.inference.models.model import ModelError

    try:
        session.guesses.read_with(folder, name)
    except ModelError as error:
        err.print(f"[yellow]no guesses yet:[/] {escape(f'{folder}: {error}')}")


def _print_left_out(images: "ImageFolder") -> None:
    for line in images.left_out[:MAX_SHOWN]:
        err.print(f"[yellow]skipped:[/] {escape(line)}")
    if len(images.left_out) > MAX_SHOWN:
        err.print(f"[yellow]skipped:[/] {len(images.left_out) - MAX_SHOWN} more")
    others = other_files(str(images.root))
    if skipped := in_words({ending: count for ending, count in others.items() if ending != TABLES}):
        err.print(f"[yellow]skipped:[/] {skipped}")


def _serve(session: "Session", folder: Path, labels: Path, listener: socket.socket, open_browser: bool) -> None:
    """Serve the page until Ctrl-C, then print how to use the labels."""
    from training.labelling.access import Access
    from training.labelling.schemas import Folder
    from training.labelling.server import create_app, serve

    # Treat a stopped container or a closed terminal like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    command = pasteable("training", "train", "--data", labels)
    texts = Folder(folder=str(folder), labels_file=str(labels), train_command=command)
    access = Access()
    app = create_app(session, texts, access)
    address = "http://{}:{}".format(*listener.getsockname())
    out.print(f"{len(session.samples())} of {len(session.images)} images have a label in {escape(str(labels))}")
    out.print(f"label at {address}/{access.token}/  (Ctrl-C ends; each decision is saved at once)")
    if open_browser:
        # Text-mode browsers return only when they are closed.
        arguments = (f"{address}/open/{access.invitation}",)
        threading.Thread(target=webbrowser.open, args=arguments, daemon=True).start()
    with suppress(KeyboardInterrupt):
        serve(app, listener)
    if left := len(session.open_suspects()):
        out.print(f"{left} of {len(session.suspects)} suspects are left; the same command resumes.")
    count = len(session.samples())
    out.print(f"{count} of {len(session.images)} images have a label.{' Train with:' if count else ''}")
    if count:
        out.print(f"  {escape(command)}")
