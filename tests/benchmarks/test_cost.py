"""Cost of requests and images, compared with lower bounds and another revision."""

from collections.abc import Mapping

from benchmarks.figures import Figure, figure
from benchmarks.sections.cost import ASGI, BEFORE, FASTAPI, JUDGED, OURS, read_table, requests_table


def load(cpu: float, per_second: float) -> Mapping[str, Figure]:
    """Return two rounds, the second on a machine of half the speed."""
    return {
        "cpu": figure([cpu, 2 * cpu]),
        "per_second": figure([per_second, per_second / 2]),
        "p50": figure([1.0, 2.0]),
        "p99": figure([2.0, 4.0]),
    }


LOADS = {(JUDGED, ASGI): load(0.05, 9000), (JUDGED, FASTAPI): load(0.2, 4000), (JUDGED, OURS): load(0.5, 1800)}


def test_requests_are_shown_in_microseconds_and_relative_to_both_bounds() -> None:
    table, checks = requests_table(LOADS)
    ours = table["rows"][-1]
    assert ours["side"] == OURS
    assert ours["cpu"] == figure([500.0, 1000.0])
    assert ours["asgi"] == figure([10.0, 10.0])
    assert ours["fastapi"] == figure([2.5, 2.5])
    assert not checks


def test_ours_must_be_faster_than_the_other_revision() -> None:
    _, checks = requests_table(LOADS | {(JUDGED, BEFORE): load(0.6, 1200)})
    assert [check["ok"] for check in checks] == [False, True]
    assert checks[0]["figure"] == figure([1.2, 1.2])
    assert checks[1]["figure"] == figure([1.5, 1.5])


def test_reading_is_compared_with_another_revision() -> None:
    table, checks = read_table({OURS: figure([200.0, 250.0])})
    assert [row["per_second"] for row in table["rows"]] == [figure([5000.0, 4000.0])]
    assert not checks
    _, checks = read_table({OURS: figure([200.0, 250.0]), BEFORE: figure([320.0, 400.0])})
    assert checks[0]["figure"] == figure([1.6, 1.6])
    assert checks[0]["ok"]
