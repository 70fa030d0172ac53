"""Folders of models, runs and shared web files."""

import shutil
import sys
from pathlib import Path

from platformdirs import user_data_path

from app.shared.files import write_folder

MODEL_STORE, RUNS = Path("model_store"), Path("runs")
GENERAL = "general"
"""Name of the model that reads many kinds of image."""
SHARED_WEB = Path(__file__).with_name("web")
"""Files that the page of the service and the labelling page both load."""
SHIPPED_MODELS = Path(__file__).parents[1] / MODEL_STORE
"""Models inside an installed package; a checkout has them at its root instead."""


def working_folder() -> Path:
    """Return the folder that holds models and runs.

    It is the current folder in a checkout, or if it contains a `model_store`. Otherwise an installed package uses the
    user's data folder, such as `~/.local/share/captcha-reader`.
    """
    if not SHIPPED_MODELS.is_dir() or _is_folder(MODEL_STORE):
        return Path()
    return user_data_path("captcha-reader", appauthor=False)


def model_store() -> Path:
    """Return the folder of models, and copy missing shipped models into the user's.

    The first copy is reported on standard error. If a model cannot be copied, the reason is reported; return the
    folder of the shipped models if the user's has none.
    """
    if working_folder() == Path():
        return MODEL_STORE
    store = working_folder() / MODEL_STORE
    try:
        is_new = not store.exists()
        for version in sorted(SHIPPED_MODELS.glob("*/*/")):
            destination = store / version.relative_to(SHIPPED_MODELS)
            if not destination.exists():
                with write_folder(destination) as folder:
                    for file in version.iterdir():
                        shutil.copyfile(file, folder / file.name)
    except OSError as error:
        used = store if _has_models(store) else SHIPPED_MODELS
        sys.stderr.write(f"warning: cannot copy models to {store}: {error.strerror}; using {used}\n")
        return used
    if is_new:
        sys.stderr.write(f"models are kept in {store}\n")
    return store


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # such as a folder above it that may not be entered
        return False


def _has_models(store: Path) -> bool:
    return _is_folder(store) and any(store.glob("[!.]*/[!.]*/"))


def runs() -> Path:
    """Return the folder of training runs."""
    return working_folder() / RUNS
