"""Early checks that a file can be written."""

from pathlib import Path

import pytest

from app.shared.errors import UserError
from app.shared.outputs import check_place


def test_new_and_existing_files_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "there.csv").touch()
    for name in ("new.csv", "there.csv"):
        check_place(tmp_path / name, "--output")
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder; --output names the file to write\.$"):
        check_place(tmp_path, "--output")


def test_a_file_in_a_missing_folder_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "readings").mkdir()
    with pytest.raises(UserError, match=r"There is no folder .*reading; --json .* Did you mean .*readings\?"):
        check_place(tmp_path / "reading" / "a.json", "--json")


def test_a_read_only_folder_is_refused() -> None:
    with pytest.raises(UserError, match=r"/proc cannot be written to \(.+\); --output names the file to write"):
        check_place(Path("/proc/a.csv"), "--output")


def test_a_path_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    """Such as below a folder that may not be entered; here, one with too long a name."""
    with pytest.raises(UserError, match=r"long cannot be written to \(.+\); --output names the file to write"):
        check_place(tmp_path / ("long" * 100) / "a.csv", "--output")
