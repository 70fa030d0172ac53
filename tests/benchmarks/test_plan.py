"""The simulated queue does what theory says, and the plan adds up."""

import pytest

from benchmarks.plan import MAX_WAITING, REQUESTS, WORKERS, simulate_arrivals, simulate_clients

SERVICE = 0.001
# Of a service time that is 0.9 and, on the average, 0.1 more, exponentially: its variance over its mean squared.
VARIATION = 0.1**2


@pytest.mark.parametrize("connections", [2, 16, 64])
def test_clients_that_always_ask_keep_all_workers_busy(connections: int) -> None:
    waits = simulate_clients(connections, SERVICE)
    assert waits.per_second == pytest.approx(WORKERS / SERVICE, rel=0.01)
    # Little's law.
    assert sum(waits.seconds) / len(waits.seconds) == pytest.approx(connections / waits.per_second, rel=0.01)


def test_one_client_keeps_one_worker_busy() -> None:
    assert simulate_clients(1, SERVICE).per_second == pytest.approx(1 / SERVICE, rel=0.01)


@pytest.mark.parametrize("utilisation", [0.1, 0.5, 0.8])
def test_those_who_come_at_random_wait_as_long_as_pollaczek_and_khinchine_say(utilisation: float) -> None:
    waits = simulate_arrivals(utilisation * WORKERS / SERVICE, WORKERS, SERVICE)
    expected = SERVICE * (1 + utilisation / (1 - utilisation) * (1 + VARIATION) / 2)
    assert sum(waits.seconds) / len(waits.seconds) == pytest.approx(expected, rel=0.03)
    assert waits.refused == 0


def test_more_than_the_workers_can_do_is_refused() -> None:
    waits = simulate_arrivals(2 * WORKERS / SERVICE, WORKERS, SERVICE)
    assert waits.refused == pytest.approx(REQUESTS / 2, rel=0.02)
    assert waits.seconds[-1] < 1.2 * (MAX_WAITING + 2) * SERVICE
