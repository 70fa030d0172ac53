"""`python -m training convert`: labelled images of any layout as one CSV file."""

from pathlib import Path

from tests.training.commands.conftest import run
from training.data.dataset import Sample
from training.data.layouts import read_samples


class TestConvert:
    def test_writes_any_layout_as_path_and_label(self, few_digits: Path, in_folder: Path) -> None:
        (in_folder / "lists").mkdir()
        result = run("convert", few_digits, "--output", "lists/all.csv")
        assert result.exit_code == 0
        assert "lists/all.csv, 40 labels" in result.output
        rows = (in_folder / "lists" / "all.csv").read_text().splitlines()
        first = min(few_digits.iterdir())
        assert rows[:2] == ["path,label", f"../few/{first.name},{first.stem}"]
        assert read_samples(in_folder / "lists" / "all.csv") == [
            Sample(in_folder / "lists" / ".." / "few" / path.name, path.stem) for path in sorted(few_digits.iterdir())
        ]

    def test_joins_several_and_writes_lower_case(self, few_digits: Path, in_folder: Path) -> None:
        names = sorted(path.name for path in few_digits.iterdir())
        for file, name, label in (("a.csv", names[0], "AB"), ("b.txt", names[1], "cd")):
            (in_folder / file).write_text(f"few/{name}\t{label}\n")
        assert run("convert", "a.csv", "b.txt", "--output", "all.csv", "--lower").exit_code == 0
        assert [sample.label for sample in read_samples(in_folder / "all.csv")] == ["ab", "cd"]

    def test_replaces_nothing(self, few_digits: Path, in_folder: Path) -> None:
        (in_folder / "all.csv").write_text("precious")
        result = run("convert", few_digits, "--output", "all.csv")
        assert result.exit_code == 1
        assert "already exists" in result.output
        assert (in_folder / "all.csv").read_text() == "precious"
