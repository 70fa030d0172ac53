"""The table of accepted images that should be rejected."""

from benchmarks.kinds.rejection import Rejection, rejection_table


def rejection(model: str, lost: int, blank: int) -> Rejection:
    return Rejection(
        model=model,
        right=50,
        lost=lost,
        wrong=10,
        wrong_accepted=1,
        foreign={"other kinds": 100, "blank": 20, "noise": 20},
        accepted={"other kinds": 2, "blank": blank, "noise": 0},
        accepted_right=1,
    )


def test_table_has_a_row_per_model_and_a_total() -> None:
    table = rejection_table("25", [rejection("digits", 1, 0), rejection("letters", 2, 5)])
    assert [row["model"] for row in table["rows"]] == ["digits", "letters", "**all together**"]
    assert table["rows"][0].items() >= {"lost": "1 of 50", "other kinds": "2 of 100", "blank": "0 of 20"}.items()
    assert str(table["rows"][2]["lost"]).startswith("3 of 100 (3.00%; ")
    assert str(table["rows"][2]["blank"]).startswith("5 of 40 (12.50%; ")
    assert str(table["rows"][2]["wrong"]).startswith("2 of 20 (10.00%; ")
