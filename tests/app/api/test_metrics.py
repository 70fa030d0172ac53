"""`GET /metrics`."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from app.api import predict
from app.inference.models.drift import histogram
from app.settings import Settings
from tests.app.api.asgi import serving
from tests.exposed import numbers_of
from tests.waiting import GENEROUS_SECONDS

Start = Callable[..., TestClient]
Problem = Callable[[Any, int], dict[str, Any]]
OUTCOMES = ("ok", "rejected", "refused", "failed")
ENOUGH = 100


@pytest.fixture
def client(start: Start) -> TestClient:
    """Return a client of a service whose metrics are 0."""
    return start()


def numbers(client: TestClient) -> dict[str, float]:
    return numbers_of(client.get("/metrics").text)


def outcomes(client: TestClient) -> dict[str, float]:
    """Return the number of images by outcome, without zeros."""
    seen = numbers(client)
    series = {outcome: f'ocr_predictions_total{{model="captcha",outcome="{outcome}"}}' for outcome in OUTCOMES}
    return {outcome: seen[of_it] for outcome, of_it in series.items() if seen[of_it]}


def requests(client: TestClient) -> dict[tuple[str, str], float]:
    found = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == "ocr_requests_total" and sample.labels["route"] != "/metrics":
                found[sample.labels["route"], sample.labels["status"]] = sample.value
    return found


class TestTheAnswer:
    def test_is_prometheus_text(self, client: TestClient) -> None:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert list(text_string_to_metric_families(answer.text))

    def test_is_openmetrics_on_request(self, client: TestClient) -> None:
        answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert list(openmetrics.text_string_to_metric_families(answer.text))  # type: ignore[no-untyped-call]

    def test_shows_zeros_before_anything_was_read(self, client: TestClient) -> None:
        assert outcomes(client) == {}
        assert numbers(client)['ocr_reloads_total{outcome="ok"}'] == 0

    def test_lists_the_loaded_models(self, client: TestClient, shipped_model: Path) -> None:
        sha256 = client.get("/models/captcha").json()["versions"][0]["sha256"]
        labels = f'name="captcha",sha256="{sha256}",version="{shipped_model.name}"'
        assert numbers(client)[f"ocr_model_info{{{labels}}}"] == 1

    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
    def test_has_process_metrics(self, client: TestClient) -> None:
        assert numbers(client)['process_resident_memory_bytes{worker="0"}'] > 1e7
        assert numbers(client)['process_cpu_seconds_total{worker="0"}'] > 0


class TestWhoMayRead:
    def test_anybody_by_default(self, start: Start) -> None:
        assert start(api_key="sesame").get("/metrics").status_code == 200

    def test_only_clients_with_a_key_if_set(self, start: Start, problem: Problem) -> None:
        client = start(api_key="sesame", metrics="key")
        problem(client.get("/metrics"), 401)
        assert client.get("/metrics", headers={"X-API-Key": "sesame"}).status_code == 200
        assert client.get("/openapi.json").json()["paths"]["/metrics"]["get"]["security"]

    def test_nobody_if_off(self, start: Start, problem: Problem) -> None:
        client = start(metrics="off")
        problem(client.get("/metrics"), 404)
        assert "/metrics" not in client.get("/openapi.json").json()["paths"]

    def test_only_clients_that_use_an_allowed_host(self, start: Start, problem: Problem) -> None:
        client = start(allowed_hosts="api.example.com")
        problem(client.get("/metrics"), 400)
        assert client.get("/metrics", headers={"Host": "api.example.com"}).status_code == 200


class TestImages:
    def test_are_counted_by_outcome(self, client: TestClient, samples: dict[str, bytes]) -> None:
        for image in samples.values():
            assert client.post("/predict", content=image).status_code == 200
        assert client.post("/predict", content=b"no image").status_code == 415
        assert client.post("/predict?length=99", content=samples["ef2ec"]).status_code == 422
        assert outcomes(client) == {"ok": len(samples), "rejected": 2}

    def test_of_a_batch_are_counted_each(self, client: TestClient, samples: dict[str, bytes]) -> None:
        files = [("files", image) for image in (samples["ef2ec"], b"no image", samples["b5wn6"])]
        assert client.post("/predict/batch", files=files).status_code == 200
        assert outcomes(client) == {"ok": 2, "rejected": 1}
        seen = numbers(client)
        assert (seen["ocr_batch_size_count"], seen["ocr_batch_size_sum"]) == (1, 3)

    def test_that_failed_are_counted(
        self, client: TestClient, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(predict, "check_image", lambda *_: 1 / 0)
        assert client.post("/predict", content=samples["ef2ec"]).status_code == 500
        assert outcomes(client) == {"failed": 1}

    @pytest.mark.parametrize("query", ["", "?alternatives=2"], ids=["in the event loop", "in threads"])
    def test_refused_by_a_full_queue_are_counted_and_the_queue_empties(
        self, settings: Callable[..., Settings], samples: dict[str, bytes], query: str
    ) -> None:
        async def main() -> tuple[list[httpx.Response], list[httpx.Response]]:
            async with serving(settings(max_waiting=3, threads=1)) as client:
                uploads = [client.post(f"/predict{query}", content=samples["ef2ec"]) for _ in range(20)]
                *answers, meanwhile = await asyncio.gather(*uploads, client.get("/metrics"))
                return answers, [meanwhile, await client.get("/metrics")]

        answers, (meanwhile, afterwards) = asyncio.run(main())
        assert numbers_of(meanwhile.text)["ocr_queue_depth"] > 0
        seen = numbers_of(afterwards.text)
        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused
        assert seen['ocr_predictions_total{model="captcha",outcome="refused"}'] == len(refused)
        assert seen['ocr_predictions_total{model="captcha",outcome="ok"}'] == 20 - len(refused)
        assert seen["ocr_queue_depth"] == 0
        assert seen["ocr_queue_wait_seconds_sum"] > 0

    def test_have_their_confidences_counted(self, client: TestClient, samples: dict[str, bytes]) -> None:
        confidence = client.post("/predict", content=samples["ef2ec"]).json()["confidence"]
        seen = numbers(client)
        assert seen['ocr_confidence_count{model="captcha"}'] == 1
        assert seen['ocr_confidence_sum{model="captcha"}'] == pytest.approx(confidence, abs=1e-6)


class TestStages:
    def test_of_one_image_are_timed(self, client: TestClient, samples: dict[str, bytes]) -> None:
        client.post("/predict", content=samples["ef2ec"])
        seen = numbers(client)
        for stage in ("receive", "check", "decode", "run", "text", "render"):
            assert seen[f'ocr_stage_duration_seconds_count{{stage="{stage}"}}'] == 1
            assert 0 < seen[f'ocr_stage_duration_seconds_sum{{stage="{stage}"}}'] < GENEROUS_SECONDS
        assert seen["ocr_queue_wait_seconds_count"] == 1

    def test_of_a_batch_are_timed_per_image(self, client: TestClient, samples: dict[str, bytes]) -> None:
        files = [("files", image) for image in [*samples.values()] * 5]
        client.post("/predict/batch", files=files)
        seen = numbers(client)
        for stage in ("decode", "run", "text"):
            assert seen[f'ocr_stage_duration_seconds_count{{stage="{stage}"}}'] == len(files)
        for stage in ("receive", "render"):
            assert seen[f'ocr_stage_duration_seconds_count{{stage="{stage}"}}'] == 1

    def test_of_a_search_are_timed(self, client: TestClient, samples: dict[str, bytes]) -> None:
        client.post("/predict?length=5", content=samples["ef2ec"])
        assert numbers(client)['ocr_stage_duration_seconds_count{stage="search"}'] == 1

    def test_take_no_longer_together_than_the_request(self, client: TestClient, samples: dict[str, bytes]) -> None:
        client.post("/predict", content=samples["ef2ec"])
        seen = numbers(client)
        stages = sum(number for series, number in seen.items() if series.startswith("ocr_stage_duration_seconds_sum"))
        whole = seen['ocr_request_duration_seconds_sum{route="/predict"}']
        assert 0 < stages + seen["ocr_queue_wait_seconds_sum"] < whole


class TestRequests:
    def test_are_counted_by_route_and_status(self, client: TestClient, samples: dict[str, bytes]) -> None:
        client.post("/predict", content=samples["ef2ec"])
        client.get("/predict")
        client.get("/models/captcha")
        client.get("/models/plates")
        client.get("/health")
        assert requests(client) == {
            ("/predict", "200"): 1,
            ("/predict", "405"): 1,
            ("/models/{name}", "200"): 1,
            ("/models/{name}", "404"): 1,
            ("/health", "200"): 1,
        }

    def test_create_no_series_from_client_input(self, client: TestClient, samples: dict[str, bytes]) -> None:
        for number in range(20):
            client.get(f"/nowhere/{number}")
            client.request(f"VERB{number}", "/predict")
            client.get(f"/models/model{number}")
            client.get(f"/static-offline-docs/{number}")
            client.post(f"/predict?model=model{number}", content=samples["ef2ec"])
            client.post(f"/predict?version={number}", content=samples["ef2ec"])
        assert requests(client) == {
            ("other", "404"): 40,
            ("/predict", "405"): 20,
            ("/predict", "404"): 40,
            ("/models/{name}", "404"): 20,
        }
        assert not any("model1" in series for series in numbers(client))
        assert outcomes(client) == {}

    def test_without_a_key_are_not_among_the_images(self, start: Start, samples: dict[str, bytes]) -> None:
        client = start(api_key="sesame")
        client.post("/predict", content=samples["ef2ec"])
        assert outcomes(client) == {}
        assert requests(client) == {("/predict", "401"): 1}


class TestReadiness:
    def test_is_1_if_the_default_model_is_loaded(self, client: TestClient) -> None:
        assert (numbers(client)["ocr_ready"], numbers(client)["ocr_workers"]) == (1, 1)

    def test_is_0_otherwise(self, start: Start) -> None:
        assert numbers(start(default_model="plates"))["ocr_ready"] == 0

    def test_follows_reloads_which_are_counted(self, start: Start, tmp_path: Path, shipped_model: Path) -> None:
        client = start(model_store=tmp_path, admin_key="sesame")
        headers = {"X-API-Key": "sesame"}
        assert numbers(client)["ocr_ready"] == 0
        folder = tmp_path / "captcha" / "1"
        folder.mkdir(parents=True)
        client.post("/models/reload", headers=headers)
        for file in ("model.onnx", "configs.yaml"):
            shutil.copy(shipped_model / file, folder)
        client.post("/models/reload", headers=headers)
        seen = numbers(client)
        assert seen["ocr_ready"] == 1
        assert any(series.startswith("ocr_model_info") and 'version="1"' in series for series in seen)
        shutil.rmtree(tmp_path)
        assert client.post("/models/reload", headers=headers).status_code == 409
        seen = numbers(client)
        counted = {outcome: seen[f'ocr_reloads_total{{outcome="{outcome}"}}'] for outcome in ("ok", "broken", "failed")}
        assert counted == {"ok": 1, "broken": 1, "failed": 1}


class TestDrift:
    @pytest.fixture
    def store(self, tmp_path: Path, shipped_model: Path) -> Path:
        """The shipped model, with top confidences for all validation images."""
        folder = tmp_path / "captcha" / "1"
        folder.mkdir(parents=True)
        for file in ("model.onnx", "configs.yaml"):
            shutil.copy(shipped_model / file, folder)
        (folder / "metrics.json").write_text(
            json.dumps({"validation": {"confidence_histogram": histogram([0.9995] * 94)}})
        )
        return tmp_path

    def drift(self, client: TestClient) -> float | None:
        return numbers(client).get('ocr_confidence_drift{model="captcha",version="1"}')

    def test_is_small_for_images_like_the_training_images(
        self, start: Start, store: Path, samples: dict[str, bytes]
    ) -> None:
        client = start(model_store=store)
        client.post("/predict/batch", files=[("files", samples["4gm8x"])] * 50)
        assert self.drift(client) is None  # too few readings for an index
        client.post("/predict/batch", files=[("files", samples["4gm8x"])] * 50)
        assert self.drift(client) == pytest.approx(0, abs=1e-9)

    def test_is_large_for_other_images(self, start: Start, store: Path, samples: dict[str, bytes]) -> None:
        client = start(model_store=store)
        for _ in range(2):
            client.post("/predict/batch", files=[("files", samples["b5wn6"])] * 50)
        drift = self.drift(client)
        assert drift is not None
        assert drift > 0.25

    def test_covers_only_the_last_readings(
        self, start: Start, store: Path, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.observability.metrics.RECENT", ENOUGH)
        client = start(model_store=store)
        for label in ("b5wn6", "b5wn6", "4gm8x", "4gm8x"):
            client.post("/predict/batch", files=[("files", samples[label])] * 50)
        assert self.drift(client) == pytest.approx(0, abs=1e-9)

    def test_is_missing_for_a_model_without_validation_confidences(
        self, start: Start, store: Path, samples: dict[str, bytes]
    ) -> None:
        (store / "captcha" / "1" / "metrics.json").unlink()
        client = start(model_store=store)
        for _ in range(2):
            client.post("/predict/batch", files=[("files", samples["4gm8x"])] * 50)
        assert self.drift(client) is None
