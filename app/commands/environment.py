"""Settings of the commands, from the environment."""

import os
import sys
from pathlib import Path

from pydantic import ValidationError

from app.settings import Settings, unknown_variables, variable
from app.shared.files import error_in_words

WRONG_USAGE = 2


def settings_or_exit(model_store: Path | None = None) -> Settings:
    """Return the settings; exit with status 2 and one line per invalid variable, or if `.env` cannot be read.

    A given model store overrides `OCR_MODEL_STORE`, also for child processes.
    """
    if model_store is not None:
        os.environ[variable("model_store")] = str(model_store)
    try:
        return Settings()
    except ValidationError as error:
        for item in error.errors():
            sys.stderr.write(f"{variable(str(item['loc'][0]))}: {item['msg']}\n")
    except OSError as error:
        sys.stderr.write(f"error: settings cannot be read: {error_in_words(error)}\n")
    except UnicodeDecodeError:
        sys.stderr.write("error: settings cannot be read: .env is not UTF-8 text\n")
    raise SystemExit(WRONG_USAGE)


def tell_unknown_variables() -> None:
    """Warn about unknown `OCR_` variables on standard error."""
    for name, nearest in unknown_variables().items():
        meant = f"; did you mean {nearest}?" if nearest else ""
        sys.stderr.write(f"warning: there is no setting {name}{meant}\n")
