"""Unpacking an archive: nothing gets out of the folder, and nothing gets out of hand."""

import shutil
import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.download_site import GOOD, Site, drawn, files_in, nothing_left, packed
from training.data import download as module
from training.data.download import DownloadError, download


def refused(site: Site, folder: Path, body: bytes, message: str) -> None:
    site.body = body
    with pytest.raises(DownloadError, match=message):
        download(folder, url=site.url)
    assert nothing_left(folder)


def test_wrong_sha256_is_refused(site: Site, folder: Path) -> None:
    with pytest.raises(DownloadError, match=f"has the SHA-256 [0-9a-f]{{64}}; it should have {'0' * 64}"):
        download(folder, url=site.url, sha256="0" * 64)

    assert nothing_left(folder)


@pytest.mark.parametrize("body", [b"<!doctype html><p>Sign in", b"", GOOD[:-30], b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_is_refused(site: Site, folder: Path, body: bytes) -> None:
    refused(site, folder, body, "not a sound zip archive|no image")


def test_damaged_image_is_refused(site: Site, folder: Path) -> None:
    damaged = GOOD[:200] + bytes(20) + GOOD[220:]

    refused(site, folder, damaged, "not a sound zip archive")


def test_no_damage_is_told_but_in_words(tmp_path: Path) -> None:
    good = packed({"set/a.png": bytes(90), "set/b.png": bytes(50)})
    archive, target = tmp_path / "damaged.zip", tmp_path / "set"
    for at in range(len(good)):
        for body in (good[:at], *(good[:at] + bytes([value]) + good[at + 1 :] for value in (0, 0x80, 0xFF))):
            archive.write_bytes(body)
            try:
                module._install(archive, target, "http://127.0.0.1/data.zip", None)
            except DownloadError:
                assert not target.exists()
            else:
                shutil.rmtree(target)


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def raw(name: str) -> zipfile.ZipInfo:
    """An entry whose name zipfile has not tidied."""
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
        ("../evil.png", None),
        ("sub/../../evil.png", None),
        ("sub/../evil.png", None),
        ("sub/.. /evil.png", None),
        ("/evil.png", None),
        ("//host/evil.png", None),
        ("C:/evil.png", None),
        ("C:evil.png", None),
        ("sub/C:evil.png", None),
        ("..\\evil.png", None),
        ("\\\\host\\evil.png", None),
        ("evil.png\x00.txt", None),
        ("evil\n.png", None),
    ],
)
def test_entry_names_stay_inside_or_are_refused(
    site: Site, folder: Path, tmp_path: Path, name: str, place: str | None
) -> None:
    body = packed([("good.png", drawn("good")), (raw(name), drawn("other"))])

    if place is None:
        refused(site, folder, body, "should be plain relative paths")
    else:
        site.body = body
        download(folder, url=site.url)
        assert files_in(folder).keys() == {"good.png", place}
    assert not list(tmp_path.rglob("*evil*"))


@given(st.text("ab./\\: C\x00~é", max_size=12))
def test_no_name_leaves_the_folder(name: str) -> None:
    try:
        path = module._safe_path(name)
    except DownloadError:
        return
    for base in (PurePosixPath("/base/set"), PureWindowsPath("D:/base/set")):
        joined = base / str(path)
        assert joined.parts[: len(base.parts)] == base.parts
        assert not {part.strip(" .") for part in joined.parts} & {""}


def test_link_is_refused(site: Site, folder: Path, tmp_path: Path) -> None:
    body = packed([("a.png", drawn("a")), (link("out"), str(tmp_path).encode()), ("out/evil.png", b"")])

    refused(site, folder, body, "'out' is a link")
    assert not list(tmp_path.rglob("*evil*"))


def test_encrypted_entry_is_refused(site: Site, folder: Path) -> None:
    body = bytearray(packed({"a.png": drawn("a")}))
    body[body.index(b"PK\x01\x02") + 8] |= 1

    refused(site, folder, bytes(body), r"'a\.png' is encrypted")


def test_rare_compression_is_refused(site: Site, folder: Path) -> None:
    entry = zipfile.ZipInfo("a.png")
    entry.compress_type = zipfile.ZIP_LZMA

    refused(site, folder, packed([(entry, drawn("a"))]), "compressed by method 14")


def test_duplicate_name_is_refused(site: Site, folder: Path) -> None:
    refused(site, folder, packed([("a.png", b"1"), (raw("./a.png"), b"2")]), "twice; it should have it once")


def test_name_that_is_both_file_and_folder_is_refused(site: Site, folder: Path) -> None:
    refused(site, folder, packed([("a.png", b"1"), ("a.png/b.png", b"2")]), r"a\.png")


def test_archive_without_images_is_refused(site: Site, folder: Path) -> None:
    refused(site, folder, packed({"labels.csv": b"", "inner.zip": GOOD, "__MACOSX/a.png": b""}), "has no image")


@pytest.mark.parametrize("honest", [True, False])
def test_bomb_is_refused(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, honest: bool) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 100_000)
    body = bytearray(packed({"a.png": bytes(3_000_000), "b.png": b""}))
    if not honest:
        struct.pack_into("<I", body, body.index(b"PK\x01\x02") + 24, 10)

    refused(site, folder, bytes(body), "unpacks to more than 100,000 bytes" if honest else "not a sound zip")


def test_sum_of_the_entries_is_bounded(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 2500)

    refused(site, folder, packed({f"{i}.png": bytes(1000) for i in range(3)}), "unpacks to more than")


def test_too_many_entries_are_refused(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

    assert download(folder, url=site.url).images == 2
    assert files_in(folder) == {name.removeprefix("set/"): content for name, content in kept.items()}


def test_folder_stays_where_a_table_beside_it_names_it(site: Site, folder: Path) -> None:
    entries = {"labels.csv": b"images/a.png,a\n", "images/a.png": b"1"}
    site.body = packed(entries)

    download(folder, url=site.url)

    assert files_in(folder) == entries
