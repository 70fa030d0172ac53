"""Folders of models and runs: the current one in a checkout, the user's data folder for an installed package."""

import errno
from pathlib import Path

import pytest

from app.settings import Settings
from app.shared import places


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("OCR_MODEL_STORE", raising=False)
    return folder


@pytest.fixture
def shipped(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models in an installed package."""
    folder = tmp_path / "package" / "model_store"
    (folder / "captcha" / "1").mkdir(parents=True)
    (folder / "captcha" / "1" / "model.onnx").write_text("first")
    monkeypatch.setattr(places, "SHIPPED_MODELS", folder)
    return folder


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder."""
    folder = tmp_path / "data" / "captcha-reader"
    monkeypatch.setattr(places, "user_data_path", lambda name, **_: tmp_path / "data" / name)
    return folder


def test_a_checkout_uses_the_current_folder(here: Path) -> None:
    assert (places.model_store(), places.runs()) == (Path("model_store"), Path("runs"))


def test_an_installed_package_uses_the_users_data_folder(shipped: Path, data: Path) -> None:
    assert (places.model_store(), places.runs()) == (data / "model_store", data / "runs")


def test_an_existing_model_store_in_the_current_folder_is_used(here: Path, shipped: Path, data: Path) -> None:
    (here / "model_store").mkdir()
    assert (places.model_store(), places.runs()) == (Path("model_store"), Path("runs"))
    assert not data.exists()


def test_the_shipped_models_are_copied_and_reported_once(
    shipped: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places.model_store()
    assert capsys.readouterr().err == f"models are kept in {data / 'model_store'}\n"
    places.model_store()
    assert capsys.readouterr().err == ""
    assert [path.name for path in (data / "model_store" / "captcha" / "1").iterdir()] == ["model.onnx"]


def test_a_newer_package_only_adds_models(shipped: Path, data: Path) -> None:
    places.model_store()
    (shipped / "captcha" / "1" / "model.onnx").write_text("changed")
    (shipped / "captcha" / "2").mkdir()
    (data / "model_store" / "mine" / "1").mkdir(parents=True)
    store = places.model_store()
    assert sorted(path.relative_to(store).as_posix() for path in store.glob("*/*")) == [
        "captcha/1",
        "captcha/2",
        "mine/1",
    ]
    assert (store / "captcha" / "1" / "model.onnx").read_text() == "first"


def test_if_nothing_can_be_written_the_shipped_models_are_used(
    shipped: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data.parent.write_text("no folder")
    assert places.model_store() == shipped
    assert f"cannot copy models to {data / 'model_store'}: Not a directory; using {shipped}" in capsys.readouterr().err


def test_if_the_users_folder_cannot_be_reached_the_shipped_models_are_used(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "user_data_path", lambda name, **_: tmp_path / ("long" * 100) / name)
    assert places.model_store() == shipped


class TestFullDisk:
    @pytest.fixture(autouse=True)
    def full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A disk on which folders can be created, but no files."""

        def copyfile(source: Path, destination: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(source))

        monkeypatch.setattr("shutil.copyfile", copyfile)

    def test_the_shipped_models_are_used(self, shipped: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert places.model_store() == shipped
        assert "No space left on device" in capsys.readouterr().err
        assert places.model_store() == shipped

    def test_the_users_own_models_are_still_used(self, shipped: Path, data: Path) -> None:
        (data / "model_store" / "mine" / "1").mkdir(parents=True)
        assert places.model_store() == data / "model_store"


def test_the_service_uses_them_by_default(shipped: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().model_store == data / "model_store"
    monkeypatch.setenv("OCR_MODEL_STORE", str(shipped))
    assert Settings().model_store == shipped
