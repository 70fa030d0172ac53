"""Files and folders that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from app.shared.files import lock, write_folder, write_json


def names_in(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))]


def test_a_file_stays_as_it_was_where_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json({"é": 1}, file)
    with pytest.raises(TypeError):
        write_json(object(), file)
    assert file.read_text(encoding="utf-8") == '{\n "é": 1\n}\n'
    assert names_in(tmp_path) == ["a.json"]


def test_a_folder_takes_its_name_when_all_is_there(tmp_path: Path) -> None:
    with write_folder(tmp_path / "models" / "1") as folder:
        (folder / "new").touch()
        assert not (tmp_path / "models" / "1").exists()
    with write_folder(tmp_path / "models" / "1") as folder:
        (folder / "newer").touch()
    assert names_in(tmp_path) == ["models", "models/1", "models/1/newer"]


def test_nothing_is_left_of_a_folder_that_was_given_up(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), write_folder(tmp_path / "1") as folder:
        folder.mkdir()
    assert not names_in(tmp_path)


def test_what_a_killed_process_of_the_same_number_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    left = tmp_path / f".1.{os.getpid()}.tmp"
    left.mkdir()
    (left / "half").touch()
    with write_folder(tmp_path / "1") as folder:
        assert not names_in(folder)
    assert names_in(tmp_path) == ["1"]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "mine").touch()
    with pytest.raises(FileNotFoundError), write_folder(tmp_path / "1") as folder:
        folder.rmdir()  # so that it cannot be renamed once the one of before has made room
    assert names_in(tmp_path) == ["1", "1/mine"]


def test_one_at_a_time_has_a_lock_and_several_share_one(tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.touch()
    with path.open() as first, path.open() as second:
        assert lock(first, exclusive=False)
        assert lock(second, exclusive=False)
        assert not lock(first)
    with path.open() as first, path.open() as second:
        assert lock(first)
        assert not lock(second)
