"""Metrics of several workers; see also tests/app/api/test_metrics.py."""

from pathlib import Path

import pytest

from app.inference.models import drift
from app.inference.models.store import ModelStore, StoredModel
from app.observability.exposition import expose
from app.observability.metrics import Metrics, Work
from tests.exposed import numbers_of

READ = 'ocr_predictions_total{model="captcha",outcome="ok"}'
DRIFT = 'ocr_confidence_drift{model="captcha",version="1"}'
SURE = 0.9995


@pytest.fixture
def store(tmp_path: Path, shipped_model: Path) -> ModelStore:
    """A store with a model whose validation confidences are all high."""
    folder = tmp_path / "store" / "captcha"
    folder.mkdir(parents=True)
    (folder / "1").symlink_to(shipped_model)
    store = ModelStore(folder.parent, "captcha")
    (loaded,) = store
    metrics = {"validation": {"confidence_histogram": drift.histogram([SURE] * 94)}}
    store.models["captcha"]["1"] = StoredModel("captcha", "1", loaded.model, metrics)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that workers share. Each `Metrics` in it is a worker, which dies with it."""
    path = tmp_path / "shared"
    path.mkdir()
    return path


def read(metrics: Metrics, confidence: float, times: int = 1) -> None:
    for _ in range(times):
        work = Work("captcha", "1", confidences=[confidence])
        work.watch.lap("run")
        metrics.count_request("/predict", 200, 0.001, work)


def shown(metrics: Metrics, store: ModelStore) -> dict[str, float]:
    text, _ = expose(metrics, store, accept="")
    return numbers_of(text.decode())


def test_counts_are_summed_over_all_workers(folder: Path, store: ModelStore) -> None:
    first, second = Metrics(folder), Metrics(folder)
    read(first, SURE, times=2)
    read(second, SURE, times=3)
    for asked in (first, second):
        seen = shown(asked, store)
        assert (seen[READ], seen["ocr_workers"]) == (5, 2)
        assert seen['ocr_stage_duration_seconds_count{stage="run"}'] == 5
        assert seen['ocr_request_duration_seconds_bucket{le="0.001",route="/predict"}'] == 5
        assert seen['ocr_request_duration_seconds_sum{route="/predict"}'] == pytest.approx(0.005)


def test_the_counts_of_a_dead_worker_are_kept_but_not_its_gauges(folder: Path, store: ModelStore) -> None:
    first, second = Metrics(folder), Metrics(folder)
    for metrics in (first, second):
        metrics.ready.set(1)
        metrics.waiting.set(4)
        read(metrics, SURE)
    assert shown(first, store)["ocr_queue_depth"] == 8
    del second, metrics
    seen = shown(first, store)
    assert (seen["ocr_workers"], seen["ocr_queue_depth"], seen["ocr_ready"]) == (1, 4, 1)
    assert seen[READ] == 2
    assert not any('worker="1"' in series for series in seen)


def test_the_service_is_ready_only_if_each_worker_is(folder: Path, store: ModelStore) -> None:
    first, second = Metrics(folder), Metrics(folder)
    first.ready.set(1)
    assert shown(first, store)["ocr_ready"] == 0
    second.ready.set(1)
    assert shown(first, store)["ocr_ready"] == 1


def test_drift_covers_the_readings_of_all_workers(folder: Path, store: ModelStore) -> None:
    first, second = Metrics(folder), Metrics(folder)
    read(first, SURE, times=drift.MIN_READINGS // 2)
    assert DRIFT not in shown(first, store)
    read(second, SURE, times=drift.MIN_READINGS // 2)
    assert shown(first, store)[DRIFT] == pytest.approx(0, abs=1e-9)
    read(second, 0.2, times=drift.MIN_READINGS)
    assert shown(first, store)[DRIFT] > 0.25


def test_drift_of_a_dropped_version_restarts_when_it_is_loaded_again(store: ModelStore) -> None:
    metrics = Metrics()
    read(metrics, 0.2, times=2 * drift.MIN_READINGS)
    metrics.begin_with(store.models)
    assert shown(metrics, store)[DRIFT] > 0.25
    metrics.begin_with({"captcha": ["2"]})
    metrics.begin_with(store.models)
    assert DRIFT not in shown(metrics, store)
    read(metrics, SURE, times=drift.MIN_READINGS)
    assert shown(metrics, store)[DRIFT] == pytest.approx(0, abs=1e-9)
