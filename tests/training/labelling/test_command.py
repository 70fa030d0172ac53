"""`python -m training label` with errors before the page is served."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.inference.images import ACCEPTED, SUFFIXES
from tests.command import loaded_modules
from training.__main__ import app
from training.data.suspects import Suspect, write_suspects
from training.labelling.decisions import lock_labels


def refused(*arguments: object) -> str:
    """Return the output of the command, which must exit with status 1."""
    words = ["label", *map(str, arguments), "--no-open", "--port", "0"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return result.output


def test_a_folder_is_needed(tmp_path: Path) -> None:
    assert "nowhere is not a folder" in refused(tmp_path / "nowhere")


def test_images_are_needed(tmp_path: Path) -> None:
    output = refused(tmp_path)
    assert f"holds no images ({ACCEPTED}; files that end in {', '.join(SUFFIXES)})" in output


def test_the_table_must_be_one_of_labels(folder: Path) -> None:
    (folder / "labels.csv").write_text("name;text\n")
    assert "the first line must contain the columns path,label" in refused(folder)


def test_the_table_needs_a_folder(folder: Path) -> None:
    assert "There is no folder" in refused(folder, "--labels", folder / "no" / "labels.csv")


def test_suspects_must_be_labelled(folder: Path) -> None:
    write_suspects([Suspect(str(folder / "a.png"), "1234", "1284", 0.9)], folder.parent / "suspects.csv")
    output = refused(folder, "--suspects", folder.parent / "suspects.csv")
    assert f"1 of 1 images ({folder / 'a.png'}) are without a label in {folder / 'labels.csv'}" in output
    assert "is not a file written by `training suspects`" in refused(folder, "--suspects", folder / "a.png")


def test_the_model_must_exist(folder: Path, tmp_path: Path) -> None:
    output = refused(folder, "--model", tmp_path)
    assert f"error: {tmp_path} holds no model" in output


def test_another_command_must_not_be_writing(folder: Path) -> None:
    with lock_labels(folder / "labels.csv"):
        assert "Another labelling command uses" in refused(folder)


def test_the_port_must_be_free(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["label", str(folder), "--no-open", "--port", str(port)])
    assert result.exit_code == 1
    assert f"cannot use port {port} (Address already in use); choose another --port" in result.output


@pytest.mark.parametrize("option", [["--retrain-every", "0"], ["--port", "65536"]])
def test_wrong_options_exit_with_status_2(folder: Path, option: list[str]) -> None:
    assert CliRunner().invoke(app, ["label", str(folder), *option]).exit_code == 2


def test_it_does_not_import_tensorflow(repository: Path) -> None:
    loaded = loaded_modules(repository, "training.__main__, training.labelling.server")
    assert not {"tensorflow", "keras", "matplotlib"} & loaded
