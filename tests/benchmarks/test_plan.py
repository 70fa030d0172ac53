"""The simulated queue agrees with theory, and the plan adds up."""

import pytest

from benchmarks.plan import MAX_WAITING, REQUESTS, WORKERS, simulate_arrivals, simulate_clients

SERVICE = 0.001
# Variance over squared mean of a service time of 0.9 plus an exponential part with mean 0.1.
VARIATION = 0.1**2


@pytest.mark.parametrize("connections", [2, 16, 64])
def test_clients_that_send_continuously_keep_all_workers_busy(connections: int) -> None:
    waits = simulate_clients(connections, SERVICE)
    assert waits.per_second == pytest.approx(WORKERS / SERVICE, rel=0.01)
    # Little's law.
    assert sum(waits.seconds) / len(waits.seconds) == pytest.approx(connections / waits.per_second, rel=0.01)


def test_one_client_keeps_one_worker_busy() -> None:
    assert simulate_clients(1, SERVICE).per_second == pytest.approx(1 / SERVICE, rel=0.01)


@pytest.mark.parametrize("utilisation", [0.1, 0.5, 0.8])
def test_random_arrivals_wait_as_the_pollaczek_khinchine_formula_says(utilisation: float) -> None:
    waits = simulate_arrivals(utilisation * WORKERS / SERVICE, WORKERS, SERVICE)
    expected = SERVICE * (1 + utilisation / (1 - utilisation) * (1 + VARIATION) / 2)
    assert sum(waits.seconds) / len(waits.seconds) == pytest.approx(expected, rel=0.03)
    assert waits.refused == 0


def test_load_beyond_capacity_is_refused() -> None:
    waits = simulate_arrivals(2 * WORKERS / SERVICE, WORKERS, SERVICE)
    assert waits.refused == pytest.approx(REQUESTS / 2, rel=0.02)
    assert waits.seconds[-1] < 1.2 * (MAX_WAITING + 2) * SERVICE
