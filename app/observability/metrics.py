"""What is counted of the requests and of what is read in them."""

import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from app.inference.models import drift
from app.observability.counts import Counter, Counts, Gauge, Histogram, Series
from app.shared.stopwatch import WAIT, Stopwatch

T = TypeVar("T")

RECENT = 1_000
"""Readings of a model that each worker compares with those of its validation images."""
SECONDS = (
    *(0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.002, 0.003, 0.005),
    *(0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.5, 2, 10),
)
BATCH_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
GONE = 499
"""Where the client went before it was answered; nginx's number, which HTTP has not."""
OK, REJECTED, REFUSED, FAILED = "ok", "rejected", "refused", "failed"
OUTCOMES = (OK, REJECTED, REFUSED, FAILED)
BROKEN = "broken"
OVERLOAD = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class Description(NamedTuple):
    """What a metric is."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    """The upper edges of the buckets of a histogram."""


REQUESTS = Description(
    "ocr_requests_total",
    "Requests by the route that took them and the status of the answer, 499 where the client did not wait for it.",
    ("route", "status"),
)
REQUEST_SECONDS = Description(
    "ocr_request_duration_seconds", "From the headers of a request to the end of its answer.", ("route",), SECONDS
)
PREDICTIONS = Description(
    "ocr_predictions_total",
    "Images by what came of them: ok, rejected (4xx), refused (overload: 503, 504) or failed (5xx). "
    "Requests without a key or for no loaded model are not among them.",
    ("model", "outcome"),
)
STAGE_SECONDS = Description(
    "ocr_stage_duration_seconds",
    "The stages of reading. Of an image: check (its headers; in batches a part of decode), decode (to what the network "
    "takes), run (the network), text (from its output); several that go through the network together count with their "
    "mean. Of a request: search (making one), receive, render.",
    ("stage",),
    SECONDS,
)
QUEUE_SECONDS = Description(
    "ocr_queue_wait_seconds", "How long those who got their turn to be read had waited for it.", (), SECONDS
)
QUEUE_DEPTH = Description("ocr_queue_depth", "Requests, or parts of batches, that wait for their turn.")
BATCH_SIZE = Description("ocr_batch_size", "Images in a request to /predict/batch.", (), BATCH_IMAGES)
CONFIDENCE = Description("ocr_confidence", "Confidences of the texts.", ("model",), drift.EDGES)
RELOADS = Description(
    "ocr_reloads_total",
    "Reloads of the model store by each worker: ok, broken (not all models could be loaded) or failed (none was).",
    ("outcome",),
)
READY = Description("ocr_ready", "1 if every worker can read and is not about to stop, else 0.")
WORKERS = Description("ocr_workers", "Workers that are alive.")
START_TIME = Description("process_start_time_seconds", "When a worker was started, in seconds of Unix.", ("worker",))
PROCESS_ID = "process_id"
"""Of a worker; not shown itself."""
RECENT_CONFIDENCES = "recent_confidences"
"""How many there are in each bucket, by model and version; not shown themselves."""


@dataclass(slots=True)
class Work:
    """What a request asks of a model, and what comes of it.

    Attributes:
        images: how many; 1 until more are known of.
        is_batch: whether there may be several.
        confidences: of the texts that were read.
    """

    model: str
    version: str
    images: int = 1
    is_batch: bool = False
    confidences: list[float] = field(default_factory=list)
    watch: Stopwatch = field(default_factory=Stopwatch)


class Metrics:
    """The metrics of a worker.

    Attributes:
        counts: all numbers.
        waiting: to be entered while a request waits for its turn.
        ready: whether this worker can read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Begin to count.

        Args:
            folder: what several workers share.
        """
        self.counts = counts = Counts(folder)
        seconds = partial(Histogram, counts, edges=SECONDS)
        self._requests = _Family(REQUESTS, partial(Counter, counts))
        self._request_seconds = _Family(REQUEST_SECONDS, seconds)
        self._predictions = _Family(PREDICTIONS, partial(Counter, counts))
        self._stage_seconds = _Family(STAGE_SECONDS, seconds)
        self._queue_seconds = seconds((QUEUE_SECONDS.name,))
        self._batch_size = Histogram(counts, (BATCH_SIZE.name,), BATCH_SIZE.edges)
        self._confidence = _Family(CONFIDENCE, partial(Histogram, counts, edges=CONFIDENCE.edges))
        self._recent: dict[Series, _Recent] = {}
        self._reloads = {outcome: Counter(counts, (RELOADS.name, outcome)) for outcome in (OK, BROKEN, FAILED)}
        self.waiting = Gauge(counts, (QUEUE_DEPTH.name,))
        self.ready = Gauge(counts, (READY.name,))
        Gauge(counts, (PROCESS_ID,)).set(os.getpid())
        Gauge(counts, (START_TIME.name,)).set(round(time.time(), 3))

    def begin_with(self, models: Iterable[str]) -> None:
        """Show models before they have read anything, since a rate needs a 0 to start from."""
        for model in models:
            for outcome in OUTCOMES:
                self._predictions[model, outcome].add(0)

    def count_reload(self, outcome: str) -> None:
        """Count that the models were loaded anew, or were to be."""
        self._reloads[outcome].add()

    def count_request(self, route: str, status: int | None, seconds: float, work: Work | None) -> None:
        """Count a request that is over, and what was read for it.

        Args:
            route: one of those that there are, not what was sent.
            status: of the answer; None if there was none, since nobody waited for it.
            seconds: how long it took.
            work: what it asked of a model.
        """
        self._requests[route, str(status or GONE)].add()
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


class _Family(dict[tuple[str, ...], T], Generic[T]):
    """The series of a metric by the values of their labels, made when they are asked for."""

    def __init__(self, description: Description, make: Callable[[Series], T]) -> None:
        super().__init__()
        self._name, self._make = description.name, make

    def __missing__(self, labels: tuple[str, ...]) -> T:
        made = self[labels] = self._make((self._name, *labels))
        return made


class _Recent:
    """How many of the last confidences lie in each bucket."""

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
