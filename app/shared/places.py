"""Where models and runs are kept, and the files that pages share."""

import shutil
import sys
from pathlib import Path

from platformdirs import user_data_path

from app.shared.files import write_folder

MODEL_STORE, RUNS = Path("model_store"), Path("runs")
GENERAL = "general"
"""The model that reads many kinds of picture."""
SHARED_WEB = Path(__file__).with_name("web")
"""What the pages of the service and of labelling both load."""
SHIPPED_MODELS = Path(__file__).parents[1] / MODEL_STORE
"""The models that came with an installed package; a checkout has its own at its root and none here."""


def working_folder() -> Path:
    """Return the folder that holds models and runs.

    It is the current one in a checkout and wherever there is a `model_store` in it; for an installed package, it
    otherwise is where the system keeps a user's data, such as `~/.local/share/captcha-reader`.
    """
    if not SHIPPED_MODELS.is_dir() or MODEL_STORE.is_dir():
        return Path()
    return user_data_path("captcha-reader", appauthor=False)


def model_store() -> Path:
    """Return the folder of models, and copy the shipped ones into the user's where they are missing.

    The first copy is told on standard error. Where nothing can be written, it is the folder of the shipped models.
    """
    if working_folder() == Path():
        return MODEL_STORE
    store = working_folder() / MODEL_STORE
    is_new = not store.exists()
    try:
        for version in sorted(SHIPPED_MODELS.glob("*/*/")):
            destination = store / version.relative_to(SHIPPED_MODELS)
            if not destination.exists():
                with write_folder(destination) as folder:
                    shutil.copytree(version, folder, dirs_exist_ok=True)
    except OSError:
        return store if store.is_dir() else SHIPPED_MODELS
    if is_new:
        sys.stderr.write(f"models are kept in {store}\n")
    return store


def runs() -> Path:
    """Return the folder of training runs."""
    return working_folder() / RUNS
