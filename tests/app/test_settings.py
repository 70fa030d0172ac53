"""`OCR_…`: what the environment and `.env` say."""

import hashlib
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, descriptions, unknown_variables, variable

CONTRACT = {
    "OCR_HOST",
    "OCR_PORT",
    "OCR_WORKERS",
    "OCR_MODEL_STORE",
    "OCR_DEFAULT_MODEL",
    "OCR_MAX_UPLOAD_BYTES",
    "OCR_MAX_PIXELS",
    "OCR_API_KEY",
    "OCR_LOG_FORMAT",
}


@pytest.fixture(autouse=True)
def folder(empty_environment: Path) -> Path:
    """The working directory."""
    return empty_environment


def test_the_variables_of_the_contract_are_settings() -> None:
    assert set(map(variable, Settings.model_fields)) >= CONTRACT


def test_every_setting_has_a_default_and_a_description() -> None:
    Settings()
    assert descriptions().keys() == Settings.model_fields.keys()
    assert all(description.endswith(".") for description in descriptions().values())


def test_it_listens_only_on_this_machine_by_default() -> None:
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8000)


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_PORT", "8001")
    monkeypatch.setenv("OCR_DEFAULT_MODEL", "plates")
    monkeypatch.setenv("ocr_workers", "2")
    settings = Settings()
    assert (settings.port, settings.default_model, settings.workers) == (8001, "plates", 2)


def test_a_file_in_the_working_directory_sets_and_the_environment_overrides(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("# mine\nOCR_PORT=8001\nOCR_WORKERS=2\nOCR_API_KEY='Schlüssel 1'\nOTHER=1\n", "utf-8")
    monkeypatch.setenv("OCR_PORT", "8002")
    settings = Settings()
    assert (settings.port, settings.workers) == (8002, 2)
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "Schlüssel 1"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in map(variable, Settings.model_fields):
        monkeypatch.setenv(name, "")
    assert Settings() == Settings(_env_file=None)
    assert Settings().api_key is None


WRONG = {
    "OCR_PORT": ["-1", "65536", "eighty", "80.5"],
    "OCR_WORKERS": ["0", "257", "two"],
    "OCR_THREADS": ["-1", "many"],
    "OCR_MODEL_STORE": ["nowhere", "/nowhere/at/all", ".env"],
    "OCR_MODEL_SHA256": ["0" * 63, "g" * 64, "0" * 64],
    "OCR_MAX_UPLOAD_BYTES": ["0", "1MB"],
    "OCR_MAX_BATCH_FILES": ["0"],
    "OCR_MAX_BATCH_BYTES": ["0"],
    "OCR_MAX_PIXELS": ["0"],
    "OCR_MAX_SIDE": ["-5"],
    "OCR_API_KEY": [" ", ", ,"],
    "OCR_API_KEY_FILE": ["nowhere", "model_store", "empty", "no-text"],
    "OCR_ADMIN_KEY": [" ", ","],
    "OCR_ALLOWED_HOSTS": [",", "a b", "http://example.com", "example.com:8000", "*.*", "exa*mple.com"],
    "OCR_METRICS": ["on", "key"],
    "OCR_CORS_ORIGINS": [",", "example.com", "https://example.com/", "https://*.example.com", "ftp://example.com"],
    "OCR_LOG_FORMAT": ["xml"],
    "OCR_LOG_LEVEL": ["loud"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_an_invalid_value_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    (folder / ".env").touch()
    (folder / "empty").write_text("# no key\n\n")
    (folder / "no-text").write_bytes(b"\xff\n")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    (error,) = caught.value.errors()
    assert variable(str(error["loc"][0])) == name


def test_a_missing_model_store_is_reported(folder: Path) -> None:
    (folder / "model_store").rmdir()
    with pytest.raises(ValidationError, match=re.escape(f"There is no folder {folder / 'model_store'}")):
        Settings()


@pytest.mark.parametrize(
    ("name", "value", "meant"), [("OCR_MODEL_STORE", "modelstore", "model_store"), ("OCR_API_KEY_FILE", "key", "keys")]
)
def test_a_mistyped_path_is_reported_with_a_suggestion(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, meant: str
) -> None:
    (folder / "keys").write_text("opensesame\n")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=re.escape(f"Did you mean {folder / meant}?")):
        Settings()


def test_the_checksum_of_a_model_must_be_valid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = folder / "model_store" / "captcha" / "1"
    version.mkdir(parents=True)
    (version / "SHA256SUMS").write_text("0  model.onnx\n")
    digest = hashlib.sha256(b"0  model.onnx\n").hexdigest()
    monkeypatch.setenv("OCR_MODEL_SHA256", digest.upper())
    assert Settings().model_sha256 == digest
    monkeypatch.setenv("OCR_MODEL_SHA256", "0" * 64)
    with pytest.raises(ValidationError, match=f"No SHA256SUMS of captcha in .* has it: {digest} is 1"):
        Settings()


class TestKey:
    def test_it_is_not_shown(self) -> None:
        settings = Settings(api_key="opensesame")
        for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
            assert "opensesame" not in shown

    def test_it_is_not_shown_in_errors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OCR_API_KEY", "opensesame")
        monkeypatch.setenv("OCR_PORT", "x")
        with pytest.raises(ValidationError) as caught:
            Settings()
        assert "opensesame" not in str(caught.value)

    @pytest.mark.parametrize("wrong", [5550199, b"\xff5550199", ["5550199"], {"key": "5550199"}])
    def test_a_key_of_a_wrong_type_is_not_shown(self, wrong: object) -> None:
        with pytest.raises(ValidationError) as caught:
            Settings.model_validate({"api_key": wrong})
        assert "5550199" not in str(caught.value)

    def test_there_may_be_several_keys_in_the_variable_and_in_a_file(self, folder: Path) -> None:
        (folder / "keys").write_text("# ours\n  first \n\nsecond, with a comma\r\nSchlüssel\n", "utf-8")
        settings = Settings(api_key=" third ,fourth,", api_key_file="keys", admin_key="fifth")
        assert settings.api_keys == ["third", "fourth", "first", "second, with a comma", "Schlüssel"]
        assert settings.admin_keys == ["fifth"]
        assert Settings(api_key_file="keys").api_keys[0] == "first"
        assert Settings().api_keys == Settings().admin_keys == []
        for shown in (repr(settings), settings.model_dump_json()):
            assert "first" not in shown

    def test_a_file_without_a_key_is_reported(self, folder: Path) -> None:
        (folder / "keys").write_text("#opensesame\n")
        with pytest.raises(ValidationError, match=re.escape(f"No key in {folder / 'keys'}")):
            Settings(api_key_file="keys")


def test_hosts_and_origins_are_lists() -> None:
    settings = Settings(
        allowed_hosts="Example.com, *.example.com,[::1]", cors_origins="https://a.example,http://b:8080"
    )
    assert settings.hosts == ["Example.com", "*.example.com", "[::1]"]
    assert settings.origins == ["https://a.example", "http://b:8080"]
    assert (Settings().hosts, Settings().origins) == (["*"], [])


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


class TestUnknownVariables:
    def test_there_are_none_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in map(variable, Settings.model_fields):
            monkeypatch.setenv(name, "1")
        monkeypatch.setenv("OTHER", "1")
        assert unknown_variables() == {}

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("OCR_MODELSTORE", "OCR_MODEL_STORE"),
            ("OCR_MAX_UPLOAD_BYTE", "OCR_MAX_UPLOAD_BYTES"),
            ("OCR_APIKEY", "OCR_API_KEY"),
            ("ocr_prot", "OCR_PORT"),
            ("OCR_XYZZY", None),
        ],
    )
    def test_one_is_reported_with_the_nearest_setting(
        self, monkeypatch: pytest.MonkeyPatch, name: str, meant: str | None
    ) -> None:
        monkeypatch.setenv(name, "1")
        assert unknown_variables() == {name.upper(): meant}

    def test_one_in_the_file_is_reported(self, folder: Path) -> None:
        (folder / ".env").write_text("OCR_WORKER=2\nOTHER=1\n")
        assert unknown_variables() == {"OCR_WORKER": "OCR_WORKERS"}
