"""The metrics of all workers as Prometheus reads them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate

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
from app.observability import metrics
from app.observability.counts import Counted, Series
from app.observability.metrics import Description, Metrics

LASTING = (
    metrics.PREDICTIONS,
    metrics.REQUESTS,
    metrics.RELOADS,
    metrics.REQUEST_SECONDS,
    metrics.STAGE_SECONDS,
    metrics.QUEUE_SECONDS,
    metrics.BATCH_SIZE,
    metrics.CONFIDENCE,
)

Sums = dict[Series, list[float]]


def expose(of: Metrics, store: ModelStore, accept: str) -> tuple[bytes, str]:
    """The metrics, and their media type.

    Args:
        of: this worker's, which lead to those of the others.
        store: the models that are loaded.
        accept: the header that says which formats are understood.
    """
    encode, media_type = choose_encoder(accept)
    return encode(_AllWorkers(of, store)), media_type


class _AllWorkers(Collector):
    def __init__(self, of: Metrics, store: ModelStore) -> None:
        self._metrics, self._store = of, store

    def collect(self) -> Iterator[Metric]:
        # One that has just been started may not have said when yet.
        workers = [one for one in self._metrics.counts.workers() if (metrics.START_TIME.name,) in one.numbers]
        alive = [worker for worker in workers if worker.alive]
        ever, now = _sums(workers), _sums(alive)
        by_name: defaultdict[str, list[Series]] = defaultdict(list)
        for series in sorted(ever):
            by_name[series[0]].append(series)
        for description in LASTING:
            yield _family(description, {series[1:]: ever[series] for series in by_name[description.name]})
        is_ready = now.get((metrics.READY.name,), [0.0])[0] == len(alive)
        yield _gauge(metrics.READY, float(is_ready))
        yield _gauge(metrics.WORKERS, len(alive))
        yield _gauge(metrics.QUEUE_DEPTH, now.get((metrics.QUEUE_DEPTH.name,), [0.0])[0])
        yield _models(self._store)
        yield _drift(self._store, now)
        yield from _processes(alive)


def _sums(workers: Iterable[Counted]) -> Sums:
    sums: Sums = {}
    for worker in workers:
        for series, numbers in worker.numbers.items():
            before = sums.get(series)
            sums[series] = list(numbers) if before is None else [a + b for a, b in zip(before, numbers, strict=True)]
    return sums


def _family(description: Description, by_labels: dict[tuple[str, ...], list[float]]) -> Metric:
    name, documentation, labels, edges = description
    if not edges:
        counter = CounterMetricFamily(name, documentation, labels=labels)
        for values, (number,) in by_labels.items():
            counter.add_metric(values, number)
        return counter
    histogram = HistogramMetricFamily(name, documentation, labels=labels)
    uppers = [*map(str, edges), "+Inf"]
    for values, (*numbers, total) in by_labels.items():
        histogram.add_metric(values, list(zip(uppers, accumulate(numbers), strict=True)), total)
    return histogram


def _gauge(description: Description, value: float) -> Metric:
    return GaugeMetricFamily(description.name, description.documentation, value)


def _models(store: ModelStore) -> Metric:
    info = InfoMetricFamily("ocr_model", "The models that are loaded.", labels=("name", "version", "sha256"))
    for stored in store:
        info.add_metric((stored.name, stored.version, stored.model.sha256), {})
    return info


def _drift(store: ModelStore, now: Sums) -> Metric:
    family = GaugeMetricFamily(
        "ocr_confidence_drift",
        f"How far the last {metrics.RECENT:,} confidences of each worker lie from those of the validation images: the "
        "population stability index. Less than 0.1 is no change, more than 0.25 a large one.",
        labels=("model", "version"),
    )
    for stored in store:
        reference = drift.reference_counts(stored.metrics)
        recent = now.get((metrics.RECENT_CONFIDENCES, stored.name, stored.version))
        if reference and recent:
            index = drift.population_stability_index(reference, recent)
            if index is not None:
                family.add_metric((stored.name, stored.version), index)
    return family


def _processes(workers: Sequence[Counted]) -> Iterator[Metric]:
    """What prometheus_client tells of its own process, for each worker; not on Linux only when it was started."""
    name, documentation, labels, _ = metrics.START_TIME
    started = GaugeMetricFamily(name, documentation, labels=labels)
    families: dict[str, Metric] = {}
    for worker in workers:
        number = str(worker.worker)
        started.add_metric([number], worker.numbers[name,][0])
        process_id = partial(int, worker.numbers[metrics.PROCESS_ID,][0])
        for family in ProcessCollector(pid=process_id, registry=None).collect():
            samples, family.samples = family.samples, []
            for sample in samples:
                families.setdefault(family.name, family).add_sample(sample.name, {"worker": number}, sample.value)
    # Computed from the clock anew each time, it would change though the worker is the same.
    families[name] = started
    yield from families.values()
