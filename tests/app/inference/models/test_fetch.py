"""Fetching models from folders and archives, verified and tested before use."""

import hashlib
import io
import re
import shutil
import tarfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from app.inference.models import fetch
from app.inference.models.fetch import FetchError, fetch_models
from tests.ports import held_port
from tests.web_server import serving, serving_files


@pytest.fixture
def version(shipped_model: Path, tmp_path: Path) -> Path:
    """A published version of a model: the files in `SHA256SUMS`."""
    folder = tmp_path / "published" / "meters" / "3"
    shutil.copytree(shipped_model, folder)
    return folder


@pytest.fixture
def archive(version: Path, tmp_path: Path) -> Path:
    """An archive of the published version."""
    path = tmp_path / "published" / "models.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(version.parent, "meters")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_folder_is_fetched_over_http(version: Path, store: Path) -> None:
    with serving_files(version.parents[1]) as site:
        (folder,) = fetch_models(f"{site}/meters/3/", sha256(version / "SHA256SUMS"), store)
    assert folder == store / "meters" / "3"
    names = {line.split()[1] for line in (version / "SHA256SUMS").read_text().splitlines()}
    assert {path.name for path in folder.iterdir()} == {"SHA256SUMS", *names}


def test_an_archive_is_fetched_over_http(archive: Path, store: Path) -> None:
    with serving_files(archive.parent) as site:
        assert fetch_models(f"{site}/models.tar.gz", sha256(archive), store) == [store / "meters" / "3"]
    assert sorted(path.name for path in store.iterdir()) == ["meters"]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_local_files_and_folders_are_accepted(version: Path, archive: Path, tmp_path: Path, form: str) -> None:
    folder, packed = tmp_path / "from-folder", tmp_path / "from-archive"
    fetch_models(form.format(version), sha256(version / "SHA256SUMS"), folder)
    fetch_models(form.format(archive), sha256(archive), packed)
    for store in (folder, packed):
        assert (store / "meters" / "3" / "model.onnx").read_bytes() == (version / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("hf://someone/models/meters/3", "https://huggingface.co/someone/models/resolve/main/meters/3"),
        ("hf://someone/models@v2/meters.tar.gz", "https://huggingface.co/someone/models/resolve/v2/meters.tar.gz"),
    ],
)
def test_files_of_hugging_face_repositories_are_fetched(
    monkeypatch: pytest.MonkeyPatch, store: Path, url: str, address: str
) -> None:
    asked = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        raise OSError("not here")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(FetchError, match="not here"):
        fetch_models(url, "0" * 64, store)
    assert asked[0].removesuffix("/SHA256SUMS") == address


def test_spaces_and_other_characters_are_escaped(archive: Path, store: Path) -> None:
    folder = archive.parent / "Zähler 1"
    folder.mkdir()
    shutil.move(archive, folder)
    digest = sha256(folder / archive.name)
    with serving_files(archive.parent) as site:
        assert fetch_models(f"{site}/Zähler 1/models.tar.gz", digest, store)
        shutil.rmtree(store)
        assert fetch_models(f"{site}/Z%C3%A4hler%201/models.tar.gz", digest, store)


class TestRefused:
    def refused(self, url: object, digest: str, store: Path, reason: str) -> None:
        """Check that fetching fails and leaves the store empty."""
        with pytest.raises(FetchError, match=reason):
            fetch_models(str(url), digest, store)
        assert not list(store.glob("**/*"))

    def test_a_wrong_checksum(self, version: Path, archive: Path, store: Path) -> None:
        self.refused(archive, "0" * 64, store, "expected 0000")
        self.refused(version, "0" * 64, store, "SHA256SUMS has the SHA-256")

    def test_an_invalid_checksum(self, archive: Path, store: Path) -> None:
        self.refused(archive, "abc", store, "64 hexadecimal digits")

    def test_a_file_that_does_not_match_the_checksums(self, version: Path, store: Path) -> None:
        with (version / "model.onnx").open("ab") as file:
            file.write(b"more")
        self.refused(version, sha256(version / "SHA256SUMS"), store, "model.onnx has the SHA-256")

    def test_checksums_without_the_network(self, version: Path, store: Path) -> None:
        sums = version / "SHA256SUMS"
        sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "model.onnx" not in line))
        self.refused(version, sha256(sums), store, "does not list model.onnx")

    def test_an_invalid_network(self, version: Path, store: Path) -> None:
        (version / "model.onnx").write_bytes(b"nothing")
        sums = version / "SHA256SUMS"
        names = [line.split()[1] for line in sums.read_text().splitlines()]
        sums.write_text("".join(f"{sha256(version / name)}  {name}\n" for name in names))
        self.refused(version, sha256(sums), store, "meters/3 cannot be used")

    def test_an_unsupported_scheme(self, store: Path) -> None:
        self.refused("ftp://example.com/meters/3", "0" * 64, store, "must start with https://")

    @pytest.mark.parametrize("url", ["hf://someone", "hf://someone/models/", "hf://someone/models@/meters/3"])
    def test_an_incomplete_hugging_face_address(self, url: str, store: Path) -> None:
        self.refused(url, "0" * 64, store, r"must have the form hf://owner/repository\[@revision\]/path")

    def test_what_is_not_a_url(self, store: Path) -> None:
        self.refused("http://[example/meters/3", "0" * 64, store, "is not a URL")

    def test_a_download_that_breaks_off(self, store: Path) -> None:
        class BreaksOff(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x" * 100)

        with serving(BreaksOff) as site:
            self.refused(f"{site}/models.tar.gz", "0" * 64, store, "broke off, 900 bytes before its end")

    def test_an_address_without_a_version(self, store: Path) -> None:
        self.refused("https://example.com/", "0" * 64, store, "must end in <model>/<version>")

    def test_a_missing_address(self, tmp_path: Path, store: Path) -> None:
        with serving_files(tmp_path) as site:
            self.refused(f"{site}/meters/3", "0" * 64, store, "404")
        nowhere = tmp_path / "nowhere.tar.gz"
        self.refused(nowhere, "0" * 64, store, re.escape(f"cannot be fetched: {nowhere}: No such file or directory."))

    def test_a_server_that_does_not_answer(self, store: Path) -> None:
        with held_port() as port:
            url = f"http://127.0.0.1:{port}/models.tar.gz"
            self.refused(url, "0" * 64, store, "cannot be fetched: Connection refused.")

    def test_an_invalid_archive(self, tmp_path: Path, store: Path) -> None:
        file = tmp_path / "models.tar.gz"
        file.write_bytes(b"nothing")
        self.refused(file, sha256(file), store, "models.tar.gz")

    def test_a_damaged_archive(self, version: Path, tmp_path: Path, store: Path) -> None:
        file = tmp_path / "models.tar.gz"
        with tarfile.open(file, "w:gz", compresslevel=0) as opened:
            opened.add(version.parent, "meters")
        content = bytearray(file.read_bytes())
        start = content.index(b"\xff\xff", len(content) // 2)
        content[start : start + 70_000] = b"\xff" * 70_000  # several heads of blocks
        file.write_bytes(content)
        self.refused(file, sha256(file), store, "models.tar.gz: ")

    def test_an_archive_without_a_model(self, tmp_path: Path, store: Path) -> None:
        file = tmp_path / "models.tar.gz"
        with tarfile.open(file, "w:gz"):
            pass
        self.refused(file, sha256(file), store, "contains no model")

    @pytest.mark.parametrize("name", ["../outside", "/outside"])
    def test_an_archive_with_paths_outside_the_folder(self, tmp_path: Path, store: Path, name: str) -> None:
        file = tmp_path / "models.tar.gz"
        with tarfile.open(file, "w:gz") as opened:
            opened.addfile(tarfile.TarInfo(name))
        with pytest.raises(FetchError):
            fetch_models(str(file), sha256(file), store)
        assert not [*tmp_path.glob("**/outside"), *Path("/").glob("outside")]

    def test_an_archive_with_a_link(self, tmp_path: Path, store: Path) -> None:
        file = tmp_path / "models.tar.gz"
        link = tarfile.TarInfo("meters/3")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        with tarfile.open(file, "w:gz") as opened:
            opened.addfile(link)
        self.refused(file, sha256(file), store, "neither a file nor a folder")

    def test_an_archive_that_unpacks_to_too_much(
        self, archive: Path, store: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fetch, "MAX_MEMBERS", 3)
        self.refused(archive, sha256(archive), store, "3 entries")

    def test_a_file_that_is_too_large(self, archive: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fetch, "MAX_FILE_BYTES", 1000)
        self.refused(archive, sha256(archive), store, "larger than the limit of 1,000 bytes")


def test_an_existing_version_is_not_replaced(version: Path, store: Path) -> None:
    digest = sha256(version / "SHA256SUMS")
    fetch_models(str(version), digest, store)
    with pytest.raises(FetchError, match="already exists"):
        fetch_models(str(version), digest, store)


def test_no_version_is_added_if_one_of_them_cannot_be(version: Path, store: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.tar.gz"
    with tarfile.open(both, "w:gz") as file:
        file.add(version, "meters/3")
        file.add(version, "plates/1")
    store.mkdir()
    (store / "plates").write_text("a file where a folder should be")
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch_models(str(both), sha256(both), store)
    assert not [path for path in store.rglob("*") if path.is_dir() and path.name != "meters"]
    assert not list(store.glob("meters/*"))
