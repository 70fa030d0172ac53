"""Metrics of requests and readings."""

import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Generic, TypeVar

from app.inference.models import drift
from app.observability.counts import Counter, Counts, Gauge, Histogram, Series
from app.shared.stopwatch import WAIT, Stopwatch

T = TypeVar("T")

RECENT = 1_000
"""Number of last readings of a model that each worker compares with the validation images."""
SECONDS = (
    *(0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.002, 0.003, 0.005),
    *(0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.5, 2, 10),
)
BATCH_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CLIENT_CLOSED = 499
"""Status if the client disconnected before the response; from nginx, not in HTTP."""
OK, REJECTED, REFUSED, FAILED = "ok", "rejected", "refused", "failed"
OUTCOMES = (OK, REJECTED, REFUSED, FAILED)
BROKEN = "broken"
OVERLOAD = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


START_TIME, PROCESS_ID = ("process_start_time_seconds",), ("process_id",)
"""Internal series of each worker."""
RECENT_CONFIDENCES = "recent_confidences"
"""Number in each bucket by model and version; not exposed."""


class Family(dict[tuple[str, ...], T], Generic[T]):
    """Metric: maps label values to series, created on first access.

    Attributes:
        name, documentation, labels: as exposed.
        edges: upper bounds of the buckets, for a histogram.
        of_workers: combines the numbers of several workers (`sum` or `min`), for a gauge.
    """

    def __init__(self, make: Callable[[Series], T], name: str, documentation: str, labels: tuple[str, ...]) -> None:
        super().__init__()
        self._make, self.name, self.documentation, self.labels = make, name, documentation, labels
        self.edges: tuple[float, ...] = ()
        self.of_workers: Callable[[Iterable[float]], float] | None = None

    def __missing__(self, labels: tuple[str, ...]) -> T:
        made = self[labels] = self._make((self.name, *labels))
        return made


@dataclass(slots=True)
class Work:
    """Work that a request asks of a model, and the confidences of the texts it read."""

    model: str
    version: str
    images: int = 1
    is_batch: bool = False
    confidences: list[float] = field(default_factory=list)
    watch: Stopwatch = field(default_factory=Stopwatch)


class Metrics:
    """Metrics of a worker; `families` are exposed as they are counted."""

    def __init__(self, folder: Path | None = None) -> None:
        """Declare the metrics and start counting, in the folder that several workers share."""
        self.counts = Counts(folder)
        self.families: list[Family[Any]] = []
        self._requests = self._counter(
            "ocr_requests_total",
            "Requests by route and response status; 499 if the client disconnected first.",
            "route",
            "status",
        )
        self._request_seconds = self._histogram(
            "ocr_request_duration_seconds",
            "Time from the headers of a request to the end of its response.",
            "route",
            edges=SECONDS,
        )
        self._predictions = self._counter(
            "ocr_predictions_total",
            "Images by outcome: ok, rejected (4xx), refused (overload: 503, 504) or failed (5xx). "
            "Excludes requests without a key or for a model that is not loaded.",
            "model",
            "outcome",
        )
        self._stage_seconds = self._histogram(
            "ocr_stage_duration_seconds",
            "Stages of reading. Per image: check (its headers), decode (to the network's input), run (the network), "
            "text (from its output); images of one network call count with their mean. "
            "Per request: search (building it), receive, render.",
            "stage",
            edges=SECONDS,
        )
        self._queue_seconds = self._histogram(
            "ocr_queue_wait_seconds", "Time that answered requests waited in the queue.", edges=SECONDS
        )[()]
        self._batch_size = self._histogram(
            "ocr_batch_size", "Images in a request to /predict/batch.", edges=BATCH_IMAGES
        )[()]
        self._confidence = self._histogram("ocr_confidence", "Confidences of the texts.", "model", edges=drift.EDGES)
        self._reloads = self._counter(
            "ocr_reloads_total",
            "Reloads of the model store by each worker: ok, broken (some models could not be loaded) or failed.",
            "outcome",
        )
        self.waiting = self._gauge("ocr_queue_depth", "Requests, or chunks of batches, that wait in the queue.", sum)
        self.ready = self._gauge("ocr_ready", "1 if every worker can read and is not stopping, else 0.", min)
        self._gauge(
            "ocr_workers",
            "Live workers whose numbers are included; under a server other than `python -m app`, only the one that "
            "answers.",
            sum,
        ).set(1)
        self._recent: dict[Series, _Recent] = {}
        for outcome in (OK, BROKEN, FAILED):
            self.count_reload(outcome, 0)
        Gauge(self.counts, PROCESS_ID).set(os.getpid())
        Gauge(self.counts, START_TIME).set(round(time.time(), 3))  # noqa: TID251 - the time of day is meant

    def _counter(self, name: str, documentation: str, *labels: str) -> Family[Counter]:
        return self._declare(Family(partial(Counter, self.counts), name, documentation, labels))

    def _histogram(self, name: str, documentation: str, *labels: str, edges: tuple[float, ...]) -> Family[Histogram]:
        family = Family(partial(Histogram, self.counts, edges=edges), name, documentation, labels)
        family.edges = edges
        return self._declare(family)

    def _gauge(self, name: str, documentation: str, of_workers: Callable[[Iterable[float]], float]) -> Gauge:
        family = Family(partial(Gauge, self.counts), name, documentation, ())
        family.of_workers = of_workers
        return self._declare(family)[()]

    def _declare(self, family: Family[T]) -> Family[T]:
        self.families.append(family)
        return family

    def begin_with(self, models: Mapping[str, Iterable[str]]) -> None:
        """Expose models before their first reading, since a rate needs a 0 to start from.

        Drop the readings of other models and versions than the loaded ones.
        """
        for model in models:
            for outcome in OUTCOMES:
                self._predictions[model, outcome].add(0)
        loaded = {(RECENT_CONFIDENCES, model, version) for model, versions in models.items() for version in versions}
        for series in self._recent.keys() - loaded:
            self._recent.pop(series).forget()

    def count_reload(self, outcome: str, times: int = 1) -> None:
        """Count attempts to reload the models."""
        self._reloads[(outcome,)].add(times)

    def count_request(self, route: str, status: int | None, seconds: float, work: Work | None) -> None:
        """Count a finished request and its readings.

        Args:
            route: template of the matched route, not the path of the request.
            status: of the response; None if the client disconnected first.
            seconds: its duration.
            work: its use of a model, if any.
        """
        self._requests[route, str(status or CLIENT_CLOSED)].add()
        self._request_seconds[(route,)].observe(seconds)
        if work is not None:
            self._count_work(work)
            if status is not None:
                self._count_outcomes(work, status)

    def _count_work(self, work: Work) -> None:
        for stage, began, ended, images in work.watch.stages:
            if stage == WAIT:
                self._queue_seconds.observe(ended - began)
            else:
                self._stage_seconds[(stage,)].observe((ended - began) / images, images)
        if work.is_batch:
            self._batch_size.observe(work.images)
        if work.confidences:
            confidence, recent = self._confidence[(work.model,)], self._recent_of(work)
            for value in work.confidences:
                confidence.observe(value)
                recent.add(value)

    def _count_outcomes(self, work: Work, status: int) -> None:
        if status == HTTPStatus.OK:
            read = len(work.confidences)
            self._predictions[work.model, OK].add(read)
            self._predictions[work.model, REJECTED].add(work.images - read)
        else:
            outcome = REFUSED if status in OVERLOAD else REJECTED if status < 500 else FAILED
            self._predictions[work.model, outcome].add(work.images)

    def _recent_of(self, work: Work) -> "_Recent":
        series = (RECENT_CONFIDENCES, work.model, work.version)
        if series not in self._recent:
            self._recent[series] = _Recent(self.counts, series)
        return self._recent[series]


class _Recent:
    """Number of recent confidences in each bucket."""

    def __init__(self, counts: Counts, series: Series) -> None:
        self._values = counts.values
        self._place = counts.place(series, drift.BUCKETS, lasting=False)
        self._buckets: deque[int] = deque()

    def add(self, confidence: float) -> None:
        bucket = bisect_left(drift.EDGES, confidence)
        self._buckets.append(bucket)
        self._values[self._place + bucket] += 1
        if len(self._buckets) > RECENT:
            self._values[self._place + self._buckets.popleft()] -= 1

    def forget(self) -> None:
        """Set all counts to 0."""
        while self._buckets:
            self._values[self._place + self._buckets.popleft()] -= 1
