"""Downloading an archive of labelled images: verified, retried, and never incomplete."""

import hashlib
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.training.data.download_site import GOOD, IMAGES, Site, drawn, files_in, nothing_left, packed, send
from tests.waiting import wait_until
from training.data import download as module
from training.data.download import DownloadError, download


def test_the_packaged_list_names_the_images_of_the_tutorial() -> None:
    lines = module.CHECKSUMS.read_text().splitlines()

    assert len(lines) == len(set(lines)) == 1040
    assert all(re.fullmatch(r"[0-9a-f]{64}  [0-9a-z]{5}\.png", line) for line in lines)


def test_default_is_fetched_verified_and_unpacked(default_site: Site, folder: Path) -> None:
    report = download(folder, url=default_site.url)

    assert report == (len(IMAGES), False)
    assert files_in(folder) == IMAGES
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_default_is_not_fetched_again(default_site: Site, folder: Path) -> None:
    download(folder, url=default_site.url)

    report = download(folder, url=default_site.url)

    assert report == (len(IMAGES), True)
    assert len(default_site.asked) == 1


def test_default_with_other_images_names_them(default_site: Site, folder: Path) -> None:
    others = {**IMAGES, "2b827.png": IMAGES["p4nwe.png"], "extra.png": drawn("extra")}
    del others["xx6dy.png"]
    default_site.body = packed(others)

    with pytest.raises(DownloadError, match=r"1 missing: xx6dy\.png; 1 extra: extra\.png; 1 different: 2b827\.png"):
        download(folder, url=default_site.url)

    assert nothing_left(folder)


def test_default_folder_with_a_changed_image_is_rejected_and_unchanged(default_site: Site, folder: Path) -> None:
    download(folder, url=default_site.url)
    (folder / "2b827.png").write_bytes(b"mine")

    with pytest.raises(DownloadError, match=r"1 different: 2b827\.png"):
        download(folder, url=default_site.url)

    assert files_in(folder) == {**IMAGES, "2b827.png": b"mine"}


def test_many_names_are_counted_not_listed(default_site: Site, folder: Path) -> None:
    default_site.body = packed({"other.png": drawn("other")})

    with pytest.raises(DownloadError, match=r"4 missing: 2b827\.png, n7meb\.png, p4nwe\.png …; 1 extra"):
        download(folder, url=default_site.url)


def test_progress_goes_from_zero_to_the_total(site: Site, folder: Path) -> None:
    reports: list[tuple[int, int | None]] = []

    download(folder, url=site.url, on_progress=lambda received, total: reports.append((received, total)))

    assert reports[-1] == (len(GOOD), len(GOOD))
    assert reports == sorted(reports)


def test_custom_address_may_have_a_checksum(site: Site, folder: Path) -> None:
    download(folder, url=site.url, sha256=hashlib.sha256(GOOD).hexdigest().upper())

    assert files_in(folder) == IMAGES


def test_folder_of_another_download_is_rejected_and_unchanged(site: Site, folder: Path) -> None:
    download(folder, url=site.url)
    before = files_in(folder)

    with pytest.raises(DownloadError, match="is not empty"):
        download(folder, url=site.url)

    assert files_in(folder) == before
    assert len(site.asked) == 1


def test_a_folder_with_other_files_is_rejected_without_a_request(site: Site, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")

    with pytest.raises(DownloadError, match="is not empty"):
        download(folder, url=site.url)

    assert files_in(folder) == {"thesis.txt": b"mine"}
    assert [path.name for path in folder.parent.iterdir()] == ["set"]
    assert not site.asked


def test_file_as_destination_is_rejected(site: Site, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("mine")

    with pytest.raises(DownloadError, match="is a file; choose a new"):
        download(folder, url=site.url)

    assert folder.read_text() == "mine"


def test_file_as_parent_is_reported_in_one_sentence(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(DownloadError, match=r"file"):
        download(tmp_path / "file" / "set", url=site.url)


def test_empty_folder_and_link_to_one_are_filled(site: Site, tmp_path: Path) -> None:
    (tmp_path / "disk" / "empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "empty")

    download(tmp_path / "link", url=site.url)

    assert (tmp_path / "link").is_symlink()
    assert files_in(tmp_path / "disk" / "empty") == IMAGES


def test_folder_has_the_usual_permissions(site: Site, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    download(folder, url=site.url)

    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode


# The network


def test_broken_connection_is_retried(site: Site, folder: Path) -> None:
    site.answers = [site.broken_after(1000), site.broken_after(2500)]

    download(folder, url=site.url)

    assert len(site.asked) == 3
    assert files_in(folder) == IMAGES


def test_redirect_is_followed(site: Site, folder: Path) -> None:
    site.answers = [send(302, b"", {"Location": "/elsewhere.zip"})]

    assert download(folder, url=site.url) == (4, False)


def test_endless_redirect_is_reported(site: Site, folder: Path) -> None:
    site.answers = [send(302, b"", {"Location": "/data.zip"})] * 50

    with pytest.raises(DownloadError, match="redirects"):
        download(folder, url=site.url)


@pytest.mark.parametrize("status", [401, 404, 410])
def test_permanent_errors_are_not_retried(site: Site, folder: Path, status: int) -> None:
    site.answers = [send(status, b"")]

    with pytest.raises(DownloadError, match=f"cannot be fetched: {status}"):
        download(folder, url=site.url)

    assert len(site.asked) == 1
    assert nothing_left(folder)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_transient_errors_are_retried(site: Site, folder: Path, status: int) -> None:
    site.answers = [send(status, b"busy")] * 2

    download(folder, url=site.url)

    assert len(site.asked) == 3
    assert files_in(folder) == IMAGES


def test_silent_server_times_out(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 1)
    site.answers = [site.silent] * 2

    with pytest.raises(DownloadError, match="timed out"):
        download(folder, url=site.url, timeout=0.1)

    wait_until(lambda: len(site.asked) == 2)


def test_refused_connection_is_reported(site: Site, folder: Path) -> None:
    with pytest.raises(DownloadError, match=r"failed in 5 attempts .*refused"):
        download(folder, url="http://127.0.0.1:1/data.zip")


@pytest.mark.parametrize("declared", [True, False])
def test_too_large_an_archive_is_rejected(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    def undeclared(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(GOOD)

    monkeypatch.setattr(module, "MAX_ARCHIVE_BYTES", 2000)
    site.answers = [] if declared else [undeclared]

    with pytest.raises(DownloadError, match="larger than the limit of 2,000 bytes"):
        download(folder, url=site.url)

    assert nothing_left(folder)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.zip",
        "data.zip",
        "https://",
        "http:///a.zip",
        "http://[::1/a",
        f"http://{64 * 'a'}.invalid/",
    ],
)
def test_invalid_urls_are_reported(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match=re.escape(url)):
        download(tmp_path / "set", url=url)


def test_wrong_arguments_are_reported(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="64 hexadecimal digits"):
        download(tmp_path / "set", sha256="12ab")


# The archive
