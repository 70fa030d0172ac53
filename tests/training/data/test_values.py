"""Labels that are values of sums."""

from pathlib import Path

import pytest

from app.inference.models.folders import version_folders
from tests.drawn_text import drawn
from training.data.dataset import DataError, Sample
from training.data.values import with_texts, with_values

SUMS = {"10-2=": "8", "5x6=": "30", "3+4=": "7", "9-8=": "1", "7x8=": "56", "2+6=": "8", "3-7=": "-4", "12+34=": "46"}


@pytest.fixture(scope="module")
def general(repository: Path) -> Path:
    return version_folders(repository / "model_store" / "general")[0]


def picture(folder: Path, text: str, label: str, split: str = "") -> Sample:
    path = folder / f"{len(list(folder.iterdir()))}.png"
    path.write_bytes(drawn(text))
    return Sample(path, label, split)


class TestWithTexts:
    def test_a_value_becomes_a_text_with_that_value(self, general: Path, tmp_path: Path) -> None:
        samples = [picture(tmp_path, *one) for one in SUMS.items()]
        found = with_texts(samples, general)
        assert [sample.label for sample in found] == list(SUMS)
        assert [sample.path for sample in found] == [sample.path for sample in samples]

    def test_a_misread_text_is_found_by_its_value(self, general: Path, tmp_path: Path) -> None:
        # The slash is read as 1, and 712= is not a sum.
        (found,) = with_texts([picture(tmp_path, "8/2=", "4")], general)
        assert found.label == "8/2="

    def test_sums_and_splits_are_unchanged(self, general: Path, tmp_path: Path) -> None:
        samples = [picture(tmp_path, "10-2=", "11-3=", "train"), picture(tmp_path, "3+4=", "7", "val")]
        found = with_texts(samples, general)
        assert [(sample.label, sample.split) for sample in found] == [("11-3=", "train"), ("3+4=", "val")]

    def test_pictures_without_a_matching_sum_are_skipped(self, general: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(b"?")
        samples = [
            picture(tmp_path, "hello", "8"),
            picture(tmp_path, "3+4=", "1234567"),
            Sample(tmp_path / "bad.png", "8"),
            Sample(tmp_path / "gone.png", "8"),
            picture(tmp_path, "3+4=", "7"),
        ]
        assert with_texts(samples, general) == [Sample(samples[4].path, "3+4=")]
        assert with_texts(samples[:1], general) == []

    def test_variants_of_a_sign_are_unified(self, general: Path, tmp_path: Path) -> None:
        labels = ["7×8=?", "5×6=?", "2x3="]
        found = with_texts([picture(tmp_path, label, label) for label in labels], general)
        assert [sample.label for sample in found] == ["7×8=?", "5×6=?", "2×3="]


class TestWithValues:
    def test_labels_become_values(self) -> None:
        labels = {"8": "8", "-3": "-3", "007": "7", "٣": "3", "10-2=": "8", "2−5": "-3"}
        found = with_values([Sample(Path("a.png"), label) for label in labels])
        assert [sample.label for sample in found] == list(labels.values())

    @pytest.mark.parametrize("label", ["", "b5wn6", "7/2=", "1.5", "10-", "99999999999999999999"])
    def test_labels_that_are_neither_numbers_nor_sums_are_rejected(self, label: str) -> None:
        with pytest.raises(DataError, match=r"a\.png has the label"):
            with_values([Sample(Path("a.png"), label)])
