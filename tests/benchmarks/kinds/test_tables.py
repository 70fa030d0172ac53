"""Tables of the accuracy on kinds."""

from pathlib import Path

import pytest

from benchmarks.kinds.cells import Result
from benchmarks.kinds.folders import Kind
from benchmarks.kinds.scores import Score
from benchmarks.kinds.tables import comparison, failures, labels_table, peers_table, summary
from training.data.dataset import Sample

KINDS = [
    Kind(name, [Sample(Path("a.png"), label)], [Sample(Path("b.png"), label)])
    for name, label in (("digits", "123"), ("capitals", "ABC"), ("chinese", "中文"))
]


def result(right: int, any_case: int | None = None) -> Result:
    """Return a result over 100 images."""
    folded = right if any_case is None else any_case
    one = Score(images=100, words_right=right, cer=0.25, words_right_any_case=folded, cer_any_case=0.125)
    return Result(score=one, milliseconds=1.234, minutes=2.5, processors=1)


RESULTS = {
    "0": {"digits": result(60), "capitals": result(0, any_case=80), "chinese": result(0)},
    "25": {"digits": result(90), "capitals": result(70), "chinese": Result(error="it failed")},
    "ddddocr": {"digits": result(50), "capitals": result(80), "chinese": result(10)},
}


class TestTables:
    def test_have_a_row_per_kind_then_median_and_worst(self) -> None:
        table = labels_table("25", KINDS, RESULTS)
        assert [(row["kind"], row["right"]) for row in table["rows"]] == [
            ("digits", "90 of 100 (90.0%)"),
            ("capitals", "70 of 100 (70.0%)"),
            ("chinese", "failed"),
            ("**median, digits and Latin letters**", "80.0%"),
            ("**worst, digits and Latin letters**", "70.0%"),
            ("**median, all kinds**", "70.0%"),
            ("**worst, all kinds**", "0.0%"),
        ]
        assert table["rows"][0].items() >= {"interval": "82.6% to 94.5%", "cer": "25.0%", "minutes": "2.5"}.items()
        assert [row["ddddocr"] for row in table["rows"][:4]] == ["50.0%", "80.0%", "10.0%", "65.0%"]

    def test_without_labels_also_ignore_case(self) -> None:
        table = labels_table("0", KINDS, RESULTS)
        assert table["rows"][1].items() >= {"right": "0 of 100 (0.0%)", "folded": "80 of 100 (80.0%)"}.items()
        assert table["rows"][1]["cer"] == "12.5%"
        assert [row["folded"] for row in table["rows"][3:5]] == ["70.0%", "60.0%"]
        assert "minutes" not in table["columns"]

    def test_of_peers_show_their_time_and_ignore_case(self) -> None:
        table = peers_table(KINDS, RESULTS)
        assert table["rows"][0]["ddddocr ms"] == "1.23"
        assert table["rows"][1]["ddddocr"] == "80 of 100 (80.0%)"
        assert not [key for key in table["columns"] if "rapidocr" in key]

    @pytest.mark.parametrize("labels", ["0", "25"])
    def test_name_every_value_of_a_row(self, labels: str) -> None:
        table = labels_table(labels, KINDS, RESULTS)
        assert all(row.keys() >= table["columns"].keys() for row in table["rows"])


def test_only_better_readings_count_as_above() -> None:
    assert comparison(KINDS, RESULTS) == ["Without labels above ddddocr on 1 of 2 kinds in digits and Latin letters."]


def test_failures_say_why() -> None:
    assert failures(KINDS, RESULTS) == ["chinese, 25: it failed"]


def test_without_latin_kinds_only_all_kinds_are_summarised() -> None:
    assert summary(KINDS[2:], RESULTS["ddddocr"], any_case=True) == {"all kinds": (0.1, 0.1)}
