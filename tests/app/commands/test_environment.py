"""Settings that cannot be read end a command with one line."""

from pathlib import Path

import pytest

from app.commands.environment import settings_or_exit


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        settings_or_exit()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_file_that_cannot_be_read(empty_environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_environment / ".env").symlink_to("/proc/self/mem")
    assert complaint(capsys).startswith("error: settings cannot be read: ")


def test_a_file_that_is_not_text(empty_environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_environment / ".env").write_bytes(b"OCR_API_KEY=\xff\n")
    assert complaint(capsys) == "error: settings cannot be read: .env is not UTF-8 text"


def test_a_model_store_that_cannot_be_reached(
    empty_environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OCR_MODEL_STORE", "long" * 100)
    assert complaint(capsys).endswith("File name too long")
