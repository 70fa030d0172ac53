"""Unpacking an archive: nothing leaves the folder, and sizes are limited."""

import shutil
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from tests.training.data.download_site import GOOD, Site, drawn, files_in, nothing_left, packed
from training.data import download as module
from training.data.download import DownloadError, download


def refused(site: Site, folder: Path, body: bytes, message: str) -> None:
    site.body = body
    with pytest.raises(DownloadError, match=message):
        download(folder, url=site.url)
    assert nothing_left(folder)


def test_wrong_sha256_is_rejected(site: Site, folder: Path) -> None:
    with pytest.raises(DownloadError, match=f"has the SHA-256 [0-9a-f]{{64}}; expected {'0' * 64}"):
        download(folder, url=site.url, sha256="0" * 64)

    assert nothing_left(folder)


@pytest.mark.parametrize("body", [b"<!doctype html><p>Sign in", b"", GOOD[:-30], b"PK\x05\x06" + bytes(18)])
def test_other_files_are_rejected(site: Site, folder: Path, body: bytes) -> None:
    refused(site, folder, body, "not a valid zip archive|no images")


def test_damaged_image_is_rejected(site: Site, folder: Path) -> None:
    damaged = GOOD[:200] + bytes(20) + GOOD[220:]

    refused(site, folder, damaged, "not a valid zip archive")


def test_damaged_archives_cause_only_download_errors(site: Site, folder: Path) -> None:
    good = packed({"set/a.png": bytes(90), "set/b.png": bytes(50)})
    for at in range(0, len(good), 7):
        for body in (good[:at], *(good[:at] + bytes([value]) + good[at + 1 :] for value in (0, 0x80, 0xFF))):
            site.body = body
            try:
                download(folder, url=site.url)
            except DownloadError:
                assert not folder.exists()
            else:
                shutil.rmtree(folder)


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def raw(name: str) -> zipfile.ZipInfo:
    """Return an entry whose name zipfile has not normalised."""
    entry = zipfile.ZipInfo("x")
    entry.filename = name
    return entry


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.png", "a.png"),
        ("./a.png", "a.png"),
        ("sub//a.png", "sub/a.png"),
        ("grün 1…2.png", "grün 1…2.png"),
        ("12:30.png", "12:30.png"),
        ("../a.png", None),
        ("sub/../../a.png", None),
        ("/a.png", "a.png"),
        ("//host/a.png", "host/a.png"),
        ("..\\a.png", None),
    ],
)
def test_entries_stay_in_the_folder(site: Site, folder: Path, tmp_path: Path, name: str, place: str | None) -> None:
    site.body = packed([("good.png", drawn("good")), (raw(name), drawn("other"))])

    download(folder, url=site.url)

    kept = {"good.png"} if place is None else {"good.png", place}
    assert files_in(folder).keys() == kept
    assert set(tmp_path.rglob("*.png")) == {folder / name for name in kept}


def test_links_are_not_followed(site: Site, folder: Path, tmp_path: Path) -> None:
    site.body = packed([("a.png", drawn("a")), (link("out.png"), str(tmp_path).encode())])

    download(folder, url=site.url)

    assert not (folder / "out.png").is_symlink()


def test_encrypted_entry_is_rejected(site: Site, folder: Path) -> None:
    body = bytearray(packed({"a.png": drawn("a")}))
    body[body.index(b"PK\x01\x02") + 8] |= 1

    refused(site, folder, bytes(body), r"not a valid zip archive .*encrypted")


def test_name_that_is_both_file_and_folder_is_rejected(site: Site, folder: Path) -> None:
    refused(site, folder, packed([("a.png", b"1"), ("a.png/b.png", b"2")]), r"a\.png")


def test_archive_without_images_is_rejected(site: Site, folder: Path) -> None:
    refused(site, folder, packed({"labels.csv": b"", "inner.zip": GOOD, "__MACOSX/a.png": b""}), "contains no images")


@pytest.mark.parametrize("honest", [True, False])
def test_zip_bomb_is_rejected(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, honest: bool) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 100_000)
    body = bytearray(packed({"a.png": bytes(3_000_000), "b.png": b""}))
    if not honest:
        struct.pack_into("<I", body, body.index(b"PK\x01\x02") + 24, 10)

    refused(site, folder, bytes(body), "unpacks to more than 100,000 bytes" if honest else "not a valid zip")


def test_total_size_is_limited(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 2500)

    refused(site, folder, packed({f"{i}.png": bytes(1000) for i in range(3)}), "unpacks to more than")


def test_too_many_entries_are_rejected(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 3)

    refused(site, folder, GOOD, "more entries than the limit of 3")


def test_only_images_and_labels_are_unpacked(site: Site, folder: Path) -> None:
    kept = {"set/a.PNG": b"1", "set/deep/b.jpeg": b"2", "set/labels.csv": b"3", "set/notes.txt": b"4"}
    junk = {
        "set/run.sh": b"",
        "set/inner.zip": GOOD,
        "set/.c.png": b"",
        "__MACOSX/set/._a.png": b"",
        "x/y.py": b"",
    }
    site.body = packed(kept | junk)

    assert download(folder, url=site.url) == (2, False)
    assert files_in(folder) == {name.removeprefix("set/"): content for name, content in kept.items()}


def test_folder_is_kept_if_a_table_beside_it_refers_to_it(site: Site, folder: Path) -> None:
    entries = {"labels.csv": b"images/a.png,a\n", "images/a.png": b"1"}
    site.body = packed(entries)

    download(folder, url=site.url)

    assert files_in(folder) == entries
