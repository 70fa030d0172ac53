"""What the commands share."""

from pathlib import Path

import pytest
from typer import Exit

from app.shared import places
from training.commands.common import model_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)


def test_outside_a_checkout_a_missing_model_is_answered_with_where_models_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(places, "SHIPPED_MODELS", tmp_path)
    monkeypatch.setattr(places, "user_data_path", lambda name, **_: Path("/data") / name)
    with pytest.raises(Exit):
        model_folder(Path("model_store/mine"))
    said = "model_store/mine is not a model folder. Models are kept in /data/captcha-reader/model_store."
    assert said in capsys.readouterr().err


def test_in_a_checkout_it_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exit):
        model_folder(Path("model_store/mine"))
    assert capsys.readouterr().err == "error: model_store/mine is not a model folder.\n"
