"""Metrics of all workers in Prometheus' formats."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app.inference.models import drift
from app.inference.models.store import ModelStore
from app.observability.counts import Counted, Series
from app.observability.metrics import PROCESS_ID, RECENT, RECENT_CONFIDENCES, START_TIME, Family, Metrics


def expose(of: Metrics, store: ModelStore, accept: str) -> tuple[bytes, str]:
    """Return the metrics of all workers in a format that the Accept header allows, and its media type."""
    encode, media_type = choose_encoder(accept)
    return encode(_AllWorkers(of, store)), media_type


class _AllWorkers(Collector):
    def __init__(self, of: Metrics, store: ModelStore) -> None:
        self._metrics, self._store = of, store

    def collect(self) -> Iterator[Metric]:
        # A new worker may not have set its start time yet.
        workers = [worker for worker in self._metrics.counts.workers() if START_TIME in worker.numbers]
        alive = [worker for worker in workers if worker.alive]
        for family in self._metrics.families:
            yield _exposed(family, workers if family.of_workers is None else alive)
        yield _models(self._store)
        yield _drift(self._store, alive)
        yield from _processes(alive)


def _exposed(family: Family[Any], workers: Sequence[Counted]) -> Metric:
    """Return a metric combined over all workers."""
    name, documentation, labels = family.name, family.documentation, family.labels
    if family.of_workers is not None:
        return GaugeMetricFamily(
            name, documentation, family.of_workers([worker.numbers[name,][0] for worker in workers])
        )
    series = {series for worker in workers for series in worker.numbers if series[0] == name}
    sums = {one[1:]: _sum(one, workers) for one in sorted(series)}
    if not family.edges:
        counter = CounterMetricFamily(name, documentation, labels=labels)
        for values, (number,) in sums.items():
            counter.add_metric(values, number)
        return counter
    histogram = HistogramMetricFamily(name, documentation, labels=labels)
    uppers = [*map(str, family.edges), "+Inf"]
    for values, (*numbers, total) in sums.items():
        histogram.add_metric(values, list(zip(uppers, accumulate(numbers), strict=True)), total)
    return histogram


def _sum(series: Series, workers: Iterable[Counted]) -> list[float]:
    """Return the numbers of a series, each summed over the workers; empty if no worker has it."""
    found = [worker.numbers[series] for worker in workers if series in worker.numbers]
    return [sum(numbers) for numbers in zip(*found, strict=True)]


def _models(store: ModelStore) -> Metric:
    info = InfoMetricFamily("ocr_model", "Loaded models.", labels=("name", "version", "sha256"))
    for stored in store:
        info.add_metric((stored.name, stored.version, stored.model.sha256), {})
    return info


def _drift(store: ModelStore, alive: Sequence[Counted]) -> Metric:
    family = GaugeMetricFamily(
        "ocr_confidence_drift",
        f"Population stability index of the last {RECENT:,} confidences of each worker against the validation "
        "images. Less than 0.1 is no change, more than 0.25 a large one.",
        labels=("model", "version"),
    )
    for stored in store:
        reference = drift.reference_counts(stored.metrics)
        recent = _sum((RECENT_CONFIDENCES, stored.name, stored.version), alive)
        if reference and recent:
            index = drift.population_stability_index(reference, recent)
            if index is not None:
                family.add_metric((stored.name, stored.version), index)
    return family


def _processes(workers: Sequence[Counted]) -> Iterator[Metric]:
    """Yield prometheus_client's process metrics for each worker; outside Linux, only its start time."""
    (start_time,) = START_TIME
    started = GaugeMetricFamily(start_time, "Start time of a worker, Unix time in seconds.", labels=("worker",))
    families: dict[str, Metric] = {}
    for worker in workers:
        number = str(worker.worker)
        started.add_metric([number], worker.numbers[START_TIME][0])
        process_id = partial(int, worker.numbers[PROCESS_ID][0])
        for family in ProcessCollector(pid=process_id, registry=None).collect():
            samples, family.samples = family.samples, []
            for sample in samples:
                families.setdefault(family.name, family).add_sample(sample.name, {"worker": number}, sample.value)
    # prometheus_client computes it from the clock each time, so it would vary for the same worker.
    families[start_time] = started
    yield from families.values()
