"""Drift of confidences from those of the validation images."""

import math
from typing import Any

import pytest

from app.inference.models.drift import BUCKETS, EDGES, histogram, population_stability_index, reference_counts

LIKE_A_MODEL = [0] * (BUCKETS - 5) + [4, 2, 12, 26, 50]


def metrics(**kept: Any) -> dict[str, Any]:
    return {"validation": {"confidence_histogram": histogram([0.3, 0.9, 1.0]) | kept}}


def test_an_edge_belongs_to_the_bucket_below() -> None:
    kept = histogram([0.0, 0.1, 0.11, 0.9999, 1.0])
    assert kept["edges"] == list(EDGES)
    assert kept["counts"] == [2, 1, *[0] * (BUCKETS - 4), 1, 1]


def test_the_counts_in_the_metrics_are_the_reference() -> None:
    assert reference_counts(metrics()) == histogram([0.3, 0.9, 1.0])["counts"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"validation": None},
        {"validation": {}},
        {"validation": {"confidence_histogram": [1, 2]}},
        metrics(edges=[0.5]),
        metrics(counts=[1]),
        metrics(counts="many"),
        metrics(counts=[0] * BUCKETS),
        metrics(counts=[-1, 3, *[0] * (BUCKETS - 2)]),
        metrics(counts=["1"] * BUCKETS),
        metrics(counts=[10**400] * BUCKETS),  # /metrics could not convert it to a float
    ],
)
def test_without_such_counts_there_is_no_reference(broken: dict[str, Any]) -> None:
    assert reference_counts(broken) is None


class TestTheIndex:
    def test_follows_its_formula(self) -> None:
        index = population_stability_index([30_000, 70_000], [700, 300])
        assert index == pytest.approx(0.4 * math.log(0.7 / 0.3) + 0.4 * math.log(0.7 / 0.3), rel=1e-3)

    def test_is_0_for_equal_shares(self) -> None:
        assert population_stability_index(LIKE_A_MODEL, [10 * count for count in LIKE_A_MODEL]) == pytest.approx(0)

    def test_ignores_buckets_that_are_empty_in_both(self) -> None:
        short, long = ([60, 34], [500, 500]), ([0, 0, 0, 60, 34], [0, 0, 0, 500, 500])
        assert population_stability_index(*short) == pytest.approx(population_stability_index(*long), rel=0.1)

    def test_is_large_if_the_readings_become_uncertain(self) -> None:
        unsure = list(reversed(LIKE_A_MODEL))
        index = population_stability_index(LIKE_A_MODEL, [10 * count for count in unsure])
        assert index is not None
        assert index > 1

    def test_distinguishes_a_few_uncertain_readings_from_many(self) -> None:
        def with_unsure(share: int) -> float | None:
            return population_stability_index(LIKE_A_MODEL, [share, *[10 * count for count in LIKE_A_MODEL[1:]]])

        few, many = with_unsure(9), with_unsure(300)
        assert few is not None
        assert many is not None
        assert few < 0.1
        assert many > 0.25

    def test_is_none_for_few_readings(self) -> None:
        assert population_stability_index(LIKE_A_MODEL, [99, *[0] * (BUCKETS - 1)]) is None
        assert population_stability_index(LIKE_A_MODEL, [100, *[0] * (BUCKETS - 1)]) is not None
