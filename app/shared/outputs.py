"""Early check that a command can write its output."""

from pathlib import Path
from tempfile import TemporaryFile

from app.shared.errors import UserError
from app.shared.suggestions import did_you_mean


def check_place(path: Path, option: str) -> None:
    """Raise `UserError` if a file cannot be written; the message names the option."""
    try:
        if path.is_dir() or not path.parent.is_dir():
            what = f"{path} is a folder" if path.is_dir() else f"There is no folder {path.parent}"
            raise UserError(f"{what}; {option} names the file to write.{did_you_mean(path.parent)}")
        TemporaryFile(dir=path.parent).close()
    except OSError as error:
        reason = f"{path.parent} cannot be written to ({error.strerror})"
        raise UserError(f"{reason}; {option} names the file to write.") from error
