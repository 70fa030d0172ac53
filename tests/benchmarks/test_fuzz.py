"""Fuzzing of images: each damaged file is read or refused quickly."""

import pytest

from app.inference.images import decode_image
from benchmarks import fuzz


@pytest.mark.parametrize("count", [5_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_each_is_read_or_refused_and_none_takes_long(count: int) -> None:
    result = fuzz.fuzz(count, seed=0)
    assert result.decoded + result.refused == count
    assert min(result.decoded, result.refused) > count / 10
    assert result.slowest < 10


def test_the_original_files_are_valid() -> None:
    for name, data in fuzz.good_files().items():
        if "animation" not in name:
            assert decode_image(data).size > 0


def test_the_same_number_makes_the_same_file() -> None:
    files = list(fuzz.good_files().values())
    made = [fuzz.broken_file(files, seed, number) for seed, number in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert made[0] == made[3]
    assert len(set(made)) == 3


def test_the_format_can_be_restricted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def keep(files: list[bytes], *_: int) -> bytes:
        seen.extend(files)
        return files[0]

    monkeypatch.setattr(fuzz, "broken_file", keep)
    fuzz.fuzz(1, seed=0, file_format="PNG")
    assert len(seen) > 5
    assert all(data.startswith(fuzz.PNG_SIGNATURE) for data in seen)


def test_a_finding_is_reported_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "check_image", fails)
    with pytest.raises(RuntimeError, match="file 7 of seed 3"):
        fuzz.fuzz(2, seed=3, first=7)
