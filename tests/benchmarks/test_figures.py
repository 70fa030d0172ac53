"""Medians, ratios, checks, and their formatting."""

import pytest

from benchmarks.figures import Cell, at_least, below, by_name, checks_table, figure, in_words, ratio, scaled


class TestFigures:
    def test_have_the_median_and_the_range(self) -> None:
        assert figure([3.0, 1.0, 8.0, 2.0]) == {"median": 2.5, "min": 1.0, "max": 8.0, "rounds": [3.0, 1.0, 8.0, 2.0]}

    def test_ratio_is_the_median_of_the_rounds_and_not_of_the_medians(self) -> None:
        disturbed = ratio(figure([10.0, 100.0, 24.0]), figure([5.0, 50.0, 1.0]))
        assert disturbed == figure([2.0, 2.0, 24.0])
        assert disturbed["median"] == 2.0

    def test_ratio_needs_as_many_rounds_on_both_sides(self) -> None:
        with pytest.raises(ValueError, match="shorter"):
            ratio(figure([1.0, 2.0]), figure([1.0]))

    def test_scaled_is_another_unit(self) -> None:
        assert scaled(figure([1.0, 3.0]), 1000) == figure([1000.0, 3000.0])

    def test_rounds_are_grouped_by_name(self) -> None:
        assert by_name([{"a": 1.0, "b": 5.0}, {"a": 2.0, "b": 6.0}]) == {
            "a": figure([1.0, 2.0]),
            "b": figure([5.0, 6.0]),
        }


class TestChecks:
    @pytest.mark.parametrize(("value", "ok"), [(5.9, False), (6.0, True), (6.1, True)])
    def test_at_least(self, value: float, ok: bool) -> None:
        check = at_least("ratio", figure([value]), 6)
        assert (check["ok"], check["wanted"]) == (ok, "≥ 6")

    @pytest.mark.parametrize(("value", "ok"), [(3.9, True), (4.0, False)])
    def test_below(self, value: float, ok: bool) -> None:
        check = below("tail", figure([value]), 4)
        assert (check["ok"], check["wanted"]) == (ok, "< 4")

    def test_table_marks_missed_limits(self) -> None:
        table = checks_table([at_least("a", figure([7.0]), 6), at_least("b", figure([5.0]), 6)])
        assert [(row["what"], row["wanted"], row["mark"]) for row in table["rows"]] == [
            ("a", "≥ 6", "ok"),
            ("b", "≥ 6", "missed"),
        ]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, "–"),
        ("ours", "ours"),
        (5000, "5,000"),
        (figure([0.14512]), "0.145"),
        (figure([1.4512]), "1.45"),
        (figure([14.512]), "14.5"),
        (figure([1451.2]), "1,451"),
        (figure([1.0, 2.0, 4.0]), "2.00 (1.00–4.00)"),
    ],
)
def test_cells_in_words(cell: Cell, words: str) -> None:
    assert in_words(cell) == words
