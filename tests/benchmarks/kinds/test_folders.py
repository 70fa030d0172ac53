"""Folders of kinds."""

import shutil
from pathlib import Path

import pytest

from benchmarks.figures import BenchmarkError
from benchmarks.kinds.folders import ALL, POOL, Kind, read_kinds
from tests.benchmarks.kinds.conftest import POOLED, TESTED
from training.data.dataset import Sample


def kind_of(*labels: str) -> Kind:
    """Return a kind with these labels; nothing else of it is used."""
    return Kind("some", [Sample(Path("a.png"), labels[0])], [Sample(Path("b.png"), label) for label in labels])


class TestFolders:
    def test_are_read_by_name(self, drawn_kinds: Path) -> None:
        kinds = read_kinds(drawn_kinds)
        assert [kind.name for kind in kinds] == ["digits", "letters"]
        assert [(len(kind.test), len(kind.pool)) for kind in kinds] == [(TESTED, count) for count in POOLED.values()]
        assert all(sample.path.is_absolute() for kind in kinds for sample in kind.test + kind.pool)

    def test_only_those_named(self, drawn_kinds: Path) -> None:
        assert [kind.name for kind in read_kinds(drawn_kinds, ["letters"])] == ["letters"]

    def test_unknown_names_are_rejected(self, drawn_kinds: Path) -> None:
        with pytest.raises(BenchmarkError, match="unknown kind: numbers; choose from digits, letters"):
            read_kinds(drawn_kinds, ["digits", "numbers"])

    def test_without_kinds_are_rejected(self, tmp_path: Path) -> None:
        with pytest.raises(BenchmarkError, match="has no kinds"):
            read_kinds(tmp_path)

    def test_without_a_pool_are_rejected(self, drawn_kinds: Path, tmp_path: Path) -> None:
        shutil.copytree(drawn_kinds, tmp_path / "copy")
        (tmp_path / "copy" / "digits" / POOL).unlink()
        with pytest.raises(BenchmarkError, match=POOL):
            read_kinds(tmp_path / "copy")


class TestKinds:
    def test_labelled_are_the_first_of_the_pool(self, drawn_kinds: Path) -> None:
        kind, _ = read_kinds(drawn_kinds)
        assert kind.labelled("3") == kind.pool[:3]
        assert kind.labelled(ALL) == kind.pool
        with pytest.raises(BenchmarkError, match="not 15"):
            kind.labelled("15")

    @pytest.mark.parametrize("labels", [["0123"], ["aB", "çé"], ["1+2=?", "3.5"], ["two words"]])
    def test_of_digits_signs_and_latin_letters_are_latin(self, labels: list[str]) -> None:
        assert kind_of(*labels).is_latin

    @pytest.mark.parametrize("labels", [["ab", "щ"], ["中文"], ["αβ"]])
    def test_of_other_letters_are_not(self, labels: list[str]) -> None:
        assert not kind_of(*labels).is_latin

    def test_checksum_depends_on_every_image_label_and_position(self, drawn_kinds: Path) -> None:
        kind, other = read_kinds(drawn_kinds)
        first, *rest = kind.pool
        changed = [
            other,
            Kind(kind.name, kind.test, [*rest, first]),
            Kind(kind.name, kind.test, [Sample(first.path, "9"), *rest]),
            Kind(kind.name, kind.test, [Sample(rest[0].path, first.label), *rest]),
            Kind(kind.name, [*kind.test, first], rest),
        ]
        assert len({kind.checksum, *(one.checksum for one in changed)}) == len(changed) + 1
        assert Kind("renamed", kind.test, kind.pool).checksum == kind.checksum
