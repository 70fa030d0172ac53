import hashlib
import io
import json
import re
import shutil
import stat
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from training import download as module
from training.download import MARKER, DownloadError, DownloadReport, download

LABELS = ["2b827", "p4nwe", "xx6dy", "n7meb"]


def drawn(label: str) -> bytes:
    image = Image.effect_noise((60, 20), 90)  # noise does not shrink: the archive is worth breaking off
    ImageDraw.Draw(image).text((5, 4), label, fill=0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


IMAGES = {f"{label}.png": drawn(label) for label in LABELS}


def packed(entries: dict[str, bytes] | list[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = packed({f"captcha_images_v2/{name}": content for name, content in IMAGES.items()})

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A server of one file that knows ranges; `answers` are given first, one a request."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/data.zip"
        self.body = GOOD
        self.etag: str | None = '"first"'
        self.answers: list[Answer] = []
        self.asked: list[tuple[str | None, str | None]] = []  # Range and If-Range of every request
        self.closing = threading.Event()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append((handler.headers["Range"], handler.headers["If-Range"]))
        if self.answers:
            self.answers.pop(0)(handler)
        else:
            self.serve(handler)

    def serve(self, handler: BaseHTTPRequestHandler, upto: int | None = None) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
        start = int(match[1]) if match and handler.headers["If-Range"] in {None, self.etag} else 0
        headers = {"Content-Length": str(len(self.body) - start)}
        if self.etag:
            headers["ETag"] = self.etag
        if start and start >= len(self.body):
            return send(416, b"")(handler)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        return send(206 if start else 200, self.body[start:upto], headers)(handler)

    def broken_after(self, upto: int) -> Answer:
        return lambda handler: self.serve(handler, upto)

    def silent(self, _handler: BaseHTTPRequestHandler) -> None:
        self.closing.wait(5)


def send(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Site(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "set"


@pytest.fixture
def default_site(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site as if it were the default address, with a list of its images."""
    checksums = tmp_path / "list.sha256"
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in IMAGES.items()]
    checksums.write_text("".join(lines))
    monkeypatch.setattr(module, "CHECKSUMS", checksums)
    monkeypatch.setattr(module, "DEFAULT_URL", site.url)
    return site


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MARKER
    }


def nothing_left(folder: Path) -> bool:
    return not folder.parent.exists() or not list(folder.parent.iterdir())


def test_the_packaged_list_names_the_images_of_the_tutorial() -> None:
    lines = module.CHECKSUMS.read_text().splitlines()

    assert len(lines) == len(set(lines)) == 1040
    assert all(re.fullmatch(r"[0-9a-f]{64}  [0-9a-z]{5}\.png", line) for line in lines)


def test_default_is_fetched_verified_and_unpacked(default_site: Site, folder: Path) -> None:
    report = download(folder, url=default_site.url)

    assert report == DownloadReport(folder, len(IMAGES), already_present=False)
    assert files_in(folder) == IMAGES
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_default_is_not_fetched_again(default_site: Site, folder: Path) -> None:
    download(folder, url=default_site.url)

    report = download(folder, url=default_site.url)

    assert report == DownloadReport(folder, len(IMAGES), already_present=True)
    assert len(default_site.asked) == 1


def test_default_with_other_images_names_them(default_site: Site, folder: Path) -> None:
    others = {**IMAGES, "2b827.png": IMAGES["p4nwe.png"], "extra.png": drawn("extra")}
    del others["xx6dy.png"]
    default_site.body = packed(others)

    with pytest.raises(DownloadError, match=r"1 missing: xx6dy\.png; 1 extra: extra\.png; 1 different: 2b827\.png"):
        download(folder, url=default_site.url)

    assert nothing_left(folder)


def test_default_folder_with_an_image_changed_is_refused_untouched(default_site: Site, folder: Path) -> None:
    download(folder, url=default_site.url)
    (folder / "2b827.png").write_bytes(b"mine")

    with pytest.raises(DownloadError, match=r"1 different: 2b827\.png"):
        download(folder, url=default_site.url)

    assert files_in(folder) == {**IMAGES, "2b827.png": b"mine"}


def test_many_names_are_counted_not_listed(default_site: Site, folder: Path) -> None:
    default_site.body = packed({"other.png": drawn("other")})

    with pytest.raises(DownloadError, match=r"4 missing: 2b827\.png n7meb\.png p4nwe\.png …; 1 extra"):
        download(folder, url=default_site.url)


def test_progress_is_told_from_nothing_to_all(site: Site, folder: Path) -> None:
    told: list[tuple[int, int | None]] = []

    download(folder, url=site.url, on_progress=lambda received, total: told.append((received, total)))

    assert told[0] == (0, len(GOOD))
    assert told[-1] == (len(GOOD), len(GOOD))
    assert told == sorted(told)


def test_custom_address_leaves_a_marker_and_is_not_fetched_again(site: Site, folder: Path) -> None:
    digest = hashlib.sha256(GOOD).hexdigest()

    download(folder, url=site.url, sha256=digest.upper())

    assert json.loads((folder / MARKER).read_text()) == {"url": site.url, "sha256": digest, "images": 4}
    assert download(folder, url=site.url, sha256=digest).already_present
    assert download(folder, url=site.url).already_present
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("query", "sha256", "lost", "message"),
    [
        ("?2", None, None, "it was downloaded from http"),
        ("", "0" * 64, None, "its archive had the SHA-256"),
        ("", None, "2b827.png", "it holds 3 images where 4 were unpacked"),
        ("", None, MARKER, "it has no readable"),
    ],
)
def test_another_download_in_the_folder_is_refused(
    site: Site, folder: Path, *, query: str, sha256: str | None, lost: str | None, message: str
) -> None:
    download(folder, url=site.url)
    if lost:
        (folder / lost).unlink()
    before = files_in(folder)

    with pytest.raises(DownloadError, match=message):
        download(folder, url=site.url + query, sha256=sha256)

    assert files_in(folder) == before
    assert len(site.asked) == 1


def test_users_files_are_refused_untouched_without_asking_the_server(site: Site, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")

    with pytest.raises(DownloadError, match="not empty and not this download"):
        download(folder, url=site.url)

    assert files_in(folder) == {"thesis.txt": b"mine"}
    assert [path.name for path in folder.parent.iterdir()] == ["set"]
    assert not site.asked


def test_file_as_destination_is_refused(site: Site, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("mine")

    with pytest.raises(DownloadError, match="is a file; name a folder"):
        download(folder, url=site.url)

    assert folder.read_text() == "mine"


def test_file_as_parent_is_told_in_one_sentence(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(DownloadError, match=r"file"):
        download(tmp_path / "file" / "set", url=site.url)


def test_empty_folder_and_link_to_one_are_filled(site: Site, tmp_path: Path) -> None:
    (tmp_path / "disk" / "empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "empty")

    download(tmp_path / "link", url=site.url)

    assert (tmp_path / "link").is_symlink()
    assert files_in(tmp_path / "disk" / "empty") == IMAGES


def test_folder_is_as_open_as_any_other(site: Site, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    download(folder, url=site.url)

    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode


# The network


def test_broken_connection_is_resumed(site: Site, folder: Path) -> None:
    site.answers = [site.broken_after(1000), site.broken_after(2500)]

    download(folder, url=site.url)

    assert site.asked == [(None, None), ("bytes=1000-", '"first"'), ("bytes=2500-", '"first"')]
    assert files_in(folder) == IMAGES


def test_next_run_resumes_what_a_failed_one_left(site: Site, folder: Path) -> None:
    site.answers = [site.broken_after(1000)]
    with pytest.raises(DownloadError, match="attempt 1 of 1 failed"):
        download(folder, url=site.url, attempts=1)
    assert (folder.parent / "set.zip.part").read_bytes() == GOOD[:1000]
    told: list[int] = []

    download(folder, url=site.url, on_progress=lambda received, _total: told.append(received))

    assert site.asked[1] == ("bytes=1000-", '"first"')
    assert told[0] == 1000
    assert files_in(folder) == IMAGES
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_server_without_ranges_starts_from_zero(site: Site, folder: Path) -> None:
    site.answers = [site.broken_after(1000), send(200, GOOD)]

    download(folder, url=site.url)

    assert site.asked[1] == ("bytes=1000-", '"first"')
    assert files_in(folder) == IMAGES


@pytest.mark.parametrize("etag", [None, 'W/"weak"', '"\xe9"'])
def test_without_a_strong_etag_nothing_is_joined(site: Site, folder: Path, etag: str | None) -> None:
    site.etag = etag
    site.answers = [site.broken_after(1000)]

    download(folder, url=site.url)

    assert site.asked == [(None, None), (None, None)]
    assert files_in(folder) == IMAGES


def test_archive_changed_between_the_pieces_starts_from_zero(site: Site, folder: Path) -> None:
    def change_then_serve(handler: BaseHTTPRequestHandler) -> None:
        site.etag, site.body = '"second"', packed({"new.png": IMAGES["2b827.png"]})
        site.serve(handler)

    site.answers = [site.broken_after(1000), change_then_serve]

    download(folder, url=site.url)

    assert files_in(folder) == {"new.png": IMAGES["2b827.png"]}


def test_partial_of_another_address_is_not_continued(site: Site, folder: Path) -> None:
    site.answers = [site.broken_after(1000)]
    with pytest.raises(DownloadError):
        download(folder, url=f"{site.url}?other", attempts=1)

    download(folder, url=site.url)

    assert site.asked[1] == (None, None)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 0-{len(GOOD) - 1}/{len(GOOD)}"},
        {"Content-Range": f"bytes 1000-{len(GOOD) - 1}/*"},
        {"Content-Range": f"bytes 1000-{len(GOOD) - 1}/{len(GOOD)}", "ETag": '"second"'},
        {},
    ],
)
def test_wrong_piece_is_refused_and_the_next_run_starts_anew(site: Site, folder: Path, headers: dict[str, str]) -> None:
    site.answers = [site.broken_after(1000), send(206, GOOD[1000:], headers)]

    with pytest.raises(DownloadError, match="go on from byte 1000, but the server sent another piece"):
        download(folder, url=site.url)

    assert nothing_left(folder)
    download(folder, url=site.url)
    assert site.asked[2] == (None, None)


def test_range_beyond_the_end_starts_from_zero(site: Site, folder: Path) -> None:
    site.answers = [site.broken_after(1000), send(416, b"")]

    download(folder, url=site.url)

    assert site.asked[1:] == [("bytes=1000-", '"first"'), (None, None)]
    assert files_in(folder) == IMAGES


def test_piece_that_ends_early_is_continued(site: Site, folder: Path) -> None:
    piece = send(206, GOOD[1000:1500], {"Content-Range": f"bytes 1000-1499/{len(GOOD)}"})
    site.answers = [site.broken_after(1000), piece]

    download(folder, url=site.url)

    assert site.asked[2] == ("bytes=1500-", '"first"')
    assert files_in(folder) == IMAGES


def test_redirect_is_followed(site: Site, folder: Path) -> None:
    site.answers = [send(302, b"", {"Location": "/elsewhere.zip"})]

    assert download(folder, url=site.url).images == 4


def test_endless_redirect_is_told(site: Site, folder: Path) -> None:
    site.answers = [send(302, b"", {"Location": "/data.zip"})] * 50

    with pytest.raises(DownloadError, match="redirects"):
        download(folder, url=site.url)


@pytest.mark.parametrize("status", [401, 404, 410, 204])
def test_final_answer_fails_at_once(site: Site, folder: Path, status: int) -> None:
    site.answers = [send(status, b"")]

    with pytest.raises(DownloadError, match=f"the server answered {status}"):
        download(folder, url=site.url)

    assert len(site.asked) == 1
    assert nothing_left(folder)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_passing_trouble_is_waited_out(site: Site, folder: Path, status: int) -> None:
    site.answers = [send(status, b"busy")] * 2

    download(folder, url=site.url)

    assert len(site.asked) == 3
    assert files_in(folder) == IMAGES


def test_pauses_double(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.5)
    monkeypatch.setattr(time, "sleep", pauses.append)
    site.answers = [send(503, b"")] * 9

    with pytest.raises(DownloadError, match=r"attempt 4 of 4 failed \(the server answered 503"):
        download(folder, url=site.url, attempts=4)

    assert pauses == [0.5, 1, 2]


def test_silent_server_times_out(site: Site, folder: Path) -> None:
    site.answers = [site.silent] * 2

    with pytest.raises(DownloadError, match="timed out"):
        download(folder, url=site.url, timeout=0.1, attempts=2)

    assert len(site.asked) == 2


def test_nobody_listening_is_told(site: Site, folder: Path) -> None:
    with pytest.raises(DownloadError, match=r"attempt 2 of 2 failed .*refused"):
        download(folder, url="http://127.0.0.1:1/data.zip", attempts=2)


@pytest.mark.parametrize("declared", [True, False])
def test_too_large_an_archive_is_not_received(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    def undeclared(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(GOOD)

    monkeypatch.setattr(module, "MAX_ARCHIVE_BYTES", 2000)
    site.answers = [] if declared else [undeclared]
    told: list[int] = []

    with pytest.raises(DownloadError, match="larger than the limit of 2,000 bytes"):
        download(folder, url=site.url, on_progress=lambda received, _total: told.append(received))

    assert max(told, default=0) <= 2000
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
def test_what_is_no_address_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match=re.escape(url)):
        download(tmp_path / "set", url=url)


def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="64 hexadecimal digits"):
        download(tmp_path / "set", sha256="12ab")
    with pytest.raises(ValueError, match="positive"):
        download(tmp_path / "set", attempts=0)


# The archive


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
