"""Images at URLs, with `file://` URLs instead of remote ones."""

from pathlib import Path

import pytest

from app.bulk.filesystems import Fetcher, check_arguments, list_images, parse_url, roots_of
from app.bulk.job import BulkError
from app.inference.images import ImageError, ImageTooLargeError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of the working directory, which contains images."""
    for name in ("b.png", "a.PNG", "notes.txt", ".hidden.png", "2024/01/y%20.png", "2024/[z].png", "c/y.png"):
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scans" / name).write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    return f"file://{tmp_path}"


@pytest.mark.parametrize(
    "pattern", ["scans", "scans/", "scans/*.png", "scans/**/y*.png", "scans/20*", "scans/2024/[[]z].png", "scans/b.png"]
)
def test_urls_expand_like_paths(root: str, pattern: str) -> None:
    check_arguments([f"{root}/{pattern}", pattern])
    found = list(list_images([f"{root}/{pattern}"]))
    assert found == [f"{root}/{path}" for path in list_images([pattern])]
    assert found


@pytest.mark.parametrize("pattern", ["scans/*.jpg", "none", "none/*.png"])
def test_missing_ones_are_reported(root: str, pattern: str) -> None:
    with pytest.raises(BulkError, match="No image matches file://"):
        check_arguments([f"{root}/{pattern}"])


def test_unsupported_schemes_are_reported() -> None:
    with pytest.raises(BulkError, match="carrier-pigeon://coop cannot be opened"):
        check_arguments(["carrier-pigeon://coop/a.png"])


def test_options_are_not_part_of_the_path() -> None:
    options = "endpoint_override=127.0.0.1:9000&scheme=http"
    assert parse_url(f"s3://scans/2026/*.png?{options}") == ("s3://scans", "2026/*.png", options)


def test_the_options_of_a_bucket_must_agree() -> None:
    assert roots_of(["s3://a/x?region=b", "s3://a/y?region=b", "here.png"]) == {"s3://a": "region=b"}
    with pytest.raises(BulkError, match="different options: region=b and region=c"):
        roots_of(["s3://a/x?region=b", "s3://a/y?region=c"])


def test_files_are_fetched_unless_too_large(root: str, tmp_path: Path) -> None:
    urls = list(list_images([f"{root}/scans"]))
    for largest, fetcher in ((7, Fetcher({"file://": ""}, tmp_path, 7)), (6, Fetcher({"file://": ""}, tmp_path, 6))):
        fetcher.begin([*urls, f"{root}/gone.png"])
        for path in [*urls, "scans/b.png"]:
            if largest == 7:
                assert fetcher.load(path, largest) == b"content"
            else:
                with pytest.raises(ImageTooLargeError, match="at most 6 bytes"):
                    fetcher.load(path, largest)
        with pytest.raises(ImageError, match="No such file"):
            fetcher.load(f"{root}/gone.png", largest)
