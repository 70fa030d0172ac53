"""Files and folders that are there whole or not at all, and what is said where they cannot be."""

import errno
import os
from pathlib import Path

import pytest

from app.shared.files import error_in_words, lock, write_atomically, write_folder, write_json


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


def test_a_full_disk_is_told_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_json({}, tmp_path / "a.json")
    assert error_in_words(caught.value) == f"{tmp_path / 'a.json'}: No space left on device"
    assert not names_in(tmp_path)


def test_a_folder_that_takes_no_files_is_told_with_the_path() -> None:
    with pytest.raises(OSError, match="/proc/a") as caught:
        write_json({}, Path("/proc/a.json"))
    assert error_in_words(caught.value).startswith("/proc/a.json: ")


def test_an_error_of_another_file_keeps_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, write_atomically(tmp_path / "a.txt"):
        (tmp_path / "nothing").read_text()
    assert error_in_words(caught.value, "a.txt") == f"{tmp_path / 'nothing'}: No such file or directory"


def test_an_error_without_a_path_is_told_with_the_given_one() -> None:
    assert error_in_words(OSError(errno.ENOSPC, "Detail: x"), "out") == "out: No space left on device"
    assert error_in_words(OSError(errno.ENOSPC, "Detail: x")) == "No space left on device"


def test_an_error_that_is_not_from_the_system_stays_as_it_is() -> None:
    assert error_in_words(FileExistsError("out exists already"), "out") == "out exists already"
