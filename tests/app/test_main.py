"""`python -m app`: its commands, and the service without one."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from app import __version__
from app.__main__ import main
from app.commands.cli import PROGRAM, READ_EXAMPLES, app
from app.settings import Settings, descriptions, variable
from tests.waiting import GENEROUS_SECONDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory that holds an empty model store."""
    (tmp_path / "model_store").mkdir()
    return tmp_path


def run(*arguments: str, folder: Path, repository: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(repository), "PATH": os.environ["PATH"]} | variables
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=GENEROUS_SECONDS,
        check=False,
    )


def modules_of(*arguments: str, folder: Path, repository: Path) -> set[str]:
    """Return the modules that a command has imported when it ends."""
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_module('app', run_name='__main__')\n"
        "except SystemExit: sys.stderr.write('\\nMODULES ' + ' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "python -m app", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(repository), "PATH": os.environ["PATH"], "OCR_PORT": "1", "OCR_HOST": "no host"},
        capture_output=True,
        text=True,
        timeout=GENEROUS_SECONDS,
        check=True,
    )
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("arguments", [[], ["serve"], ["read", "x.png"]])
def test_an_invalid_value_in_the_env_file_stops_the_process(
    folder: Path, repository: Path, arguments: list[str]
) -> None:
    (folder / ".env").write_text("OCR_PORT=eighty\n")
    finished = run(*arguments, folder=folder, repository=repository)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.startswith("OCR_PORT: ")
    assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize("line", READ_EXAMPLES)
def test_the_examples_of_the_help_are_commands(line: str) -> None:
    name, *arguments = shlex.split(line.removeprefix(PROGRAM))
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    group.commands[name].make_context(name, arguments)  # raises if an option is unknown or has no value


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]])
def test_help_lists_every_setting_with_its_default(folder: Path, repository: Path, arguments: list[str]) -> None:
    finished = run(*arguments, folder=folder, repository=repository, OCR_PORT="1")
    assert finished.returncode == 0
    assert finished.stderr == ""
    lines = finished.stdout.splitlines()
    for name, field in Settings.model_fields.items():
        (line,) = [line for line in lines if line.split()[:1] == [variable(name)]]
        assert descriptions()[name] in line
        assert line.endswith(f"[{'not set' if field.default is None else field.default}]")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["--port", "1"], "--port"), (["raed"], "'read'"), (["read", "x.png", "--outptu", "y.csv"], "--output")],
)
def test_an_unknown_option_or_command_is_refused_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: list[str], meant: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["python -m app", *typed])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert meant in output.err.splitlines()[-1]


@pytest.mark.parametrize("package", ["app", "training"])
def test_the_version_is_printed_whatever_the_settings(folder: Path, repository: Path, package: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", package, "--version"],
        cwd=folder,
        env={"PYTHONPATH": str(repository), "PATH": os.environ["PATH"], "OCR_PORT": "eighty"},
        capture_output=True,
        text=True,
        timeout=GENEROUS_SECONDS,
        check=True,
    )
    assert finished.stdout == f"captcha-reader {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_serving_imports_nothing_for_reading_files_or_for_the_command_line(
    folder: Path, repository: Path, arguments: list[str]
) -> None:
    modules = modules_of(*arguments, folder=folder, repository=repository)
    assert "uvicorn" in modules
    assert not modules & {"pyarrow", "app.bulk", "cv2", "rich", "typer"}


@pytest.mark.parametrize("command", ["--version", "--help"])
def test_commands_that_open_no_image_import_no_numeric_libraries(command: str, folder: Path, repository: Path) -> None:
    assert not modules_of(command, folder=folder, repository=repository) & {"numpy", "cv2", "onnxruntime", "fastapi"}


def test_reading_files_imports_nothing_for_serving(folder: Path, repository: Path) -> None:
    (folder / "model_store").rmdir()
    (folder / "model_store").symlink_to(repository / "model_store")
    modules = modules_of("read", str(repository / "samples"), folder=folder, repository=repository)
    assert "app.bulk.reader" in modules
    assert not modules & {"uvicorn", "fastapi", "structlog", "rich", "pyarrow"}
