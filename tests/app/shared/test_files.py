"""Atomic writes of files and folders, and their error messages."""

import errno
import os
from pathlib import Path

import pytest

from app.shared.files import error_in_words, lock, write_atomically, write_folder, write_json


def names_in(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))]


def test_a_file_is_unchanged_if_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json({"é": 1}, file)
    with pytest.raises(TypeError):
        write_json(object(), file)
    assert file.read_text(encoding="utf-8") == '{\n "é": 1\n}\n'
    assert names_in(tmp_path) == ["a.json"]


def test_a_folder_gets_its_name_when_complete(tmp_path: Path) -> None:
    with write_folder(tmp_path / "models" / "1") as folder:
        (folder / "new").touch()
        assert not (tmp_path / "models" / "1").exists()
    with write_folder(tmp_path / "models" / "1") as folder:
        (folder / "newer").touch()
    assert names_in(tmp_path) == ["models", "models/1", "models/1/newer"]


def test_an_aborted_folder_is_removed(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), write_folder(tmp_path / "1") as folder:
        folder.mkdir()
    assert not names_in(tmp_path)


def test_remains_of_a_killed_process_with_the_same_id_are_removed(tmp_path: Path) -> None:
    left = tmp_path / f".1.{os.getpid()}.tmp"
    left.mkdir()
    (left / "half").touch()
    with write_folder(tmp_path / "1") as folder:
        assert not names_in(folder)
    assert names_in(tmp_path) == ["1"]


def test_a_folder_that_cannot_be_replaced_is_kept(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "mine").touch()
    with pytest.raises(FileNotFoundError), write_folder(tmp_path / "1") as folder:
        folder.rmdir()  # so that renaming fails after the old folder was moved
    assert names_in(tmp_path) == ["1", "1/mine"]


def test_locks_are_exclusive_or_shared(tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.touch()
    with path.open() as first, path.open() as second:
        assert lock(first, exclusive=False)
        assert lock(second, exclusive=False)
        assert not lock(first)
    with path.open() as first, path.open() as second:
        assert lock(first)
        assert not lock(second)


def test_a_full_disk_is_reported_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_json({}, tmp_path / "a.json")
    assert error_in_words(caught.value) == f"{tmp_path / 'a.json'}: No space left on device"
    assert not names_in(tmp_path)


def test_a_read_only_folder_is_reported_with_the_path() -> None:
    with pytest.raises(OSError, match="/proc/a") as caught:
        write_json({}, Path("/proc/a.json"))
    assert error_in_words(caught.value).startswith("/proc/a.json: ")


def test_an_error_of_another_file_keeps_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, write_atomically(tmp_path / "a.txt"):
        (tmp_path / "nothing").read_text()
    assert error_in_words(caught.value, "a.txt") == f"{tmp_path / 'nothing'}: No such file or directory"


def test_an_error_without_a_path_gets_the_given_one() -> None:
    assert error_in_words(OSError(errno.ENOSPC, "Detail: x"), "out") == "out: No space left on device"
    assert error_in_words(OSError(errno.ENOSPC, "Detail: x")) == "No space left on device"


def test_an_error_that_is_not_from_the_system_is_unchanged() -> None:
    assert error_in_words(FileExistsError("out exists already"), "out") == "out exists already"
