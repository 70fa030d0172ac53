"""Where a file cannot be written, before it is made."""

from pathlib import Path

import pytest

from app.shared.errors import UserError
from app.shared.outputs import check_place


def test_a_new_file_in_a_folder_and_one_that_is_there_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "there.csv").touch()
    for name in ("new.csv", "there.csv"):
        check_place(tmp_path / name, "--output")
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]


def test_a_folder_cannot(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder; --output names the file to write\.$"):
        check_place(tmp_path, "--output")


def test_nor_a_file_in_a_folder_that_is_not_there_for_which_the_nearest_is_named(tmp_path: Path) -> None:
    (tmp_path / "readings").mkdir()
    with pytest.raises(UserError, match=r"There is no folder .*reading; --json .* Did you mean .*readings\?"):
        check_place(tmp_path / "reading" / "a.json", "--json")


def test_nor_one_where_nothing_can_be_written() -> None:
    with pytest.raises(UserError, match=r"/proc cannot be written to \(.+\); --output names the file to write"):
        check_place(Path("/proc/a.csv"), "--output")
