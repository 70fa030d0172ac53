"""`python -m app models`: list the store, and fetch models into it."""

import hashlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.commands.cli import app


@pytest.fixture
def store(tmp_path: Path, shipped_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the shipped model."""
    folder = tmp_path / "store"
    shutil.copytree(shipped_model.parent, folder / "captcha")
    monkeypatch.setenv("OCR_MODEL_STORE", str(folder))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)], catch_exceptions=False)


def test_the_models_are_listed_with_the_default_one_marked(store: Path, shipped_model: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout == f"captcha*\t{shipped_model.name}\t19 characters\t200×50 pixels\n"
    assert result.stderr == f"models in {store}:\n"


def test_an_unknown_variable_is_reported(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MODELSTORE", "nowhere")
    warning = "warning: there is no setting OCR_MODELSTORE; did you mean OCR_MODEL_STORE?"
    assert run().stderr.splitlines()[0] == warning
    assert run("pull", "nowhere", "--sha256", "0" * 64).stderr.splitlines()[0] == warning


def test_a_broken_model_is_reported_with_the_reason(store: Path) -> None:
    (store / "mine" / "1").mkdir(parents=True)
    result = run()
    assert result.exit_code == 1
    assert "mine/1: configs.yaml" in result.stderr


def test_another_store_can_be_selected(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MODEL_STORE", "nowhere")
    assert run("--model-store", store).stdout.startswith("captcha*")


def test_a_model_is_pulled_and_listed(store: Path, shipped_model: Path, tmp_path: Path) -> None:
    published = tmp_path / "meters" / "3"
    shutil.copytree(shipped_model, published)
    digest = hashlib.sha256((published / "SHA256SUMS").read_bytes()).hexdigest()
    result = run("pull", published, "--sha256", digest)
    assert (result.exit_code, result.stdout) == (0, f"written: {store / 'meters' / '3'}\n")
    assert "\nmeters\t3\t" in run().stdout


def test_a_pull_that_fails_says_why(store: Path, tmp_path: Path) -> None:
    result = run("pull", tmp_path / "meters" / "3", "--sha256", "0" * 64)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "cannot be fetched" in result.stderr
