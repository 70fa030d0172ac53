"""The soak benchmark: every answer is compared with the expected one, and memory by medians."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks import soak_requests
from benchmarks.common import ROOT
from benchmarks.faults import service
from benchmarks.soak import Soak, downsampled, growth, replace_model
from benchmarks.soak_requests import Manner, Outcome, Request, Requests, is_one_of, reads, reads_each, send
from tests.waiting import GENEROUS_SECONDS


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    store = tmp_path_factory.mktemp("soak") / "store"
    shutil.copytree(ROOT / "model_store", store)
    replace_model(store, 1)
    with service(OCR_MODEL_STORE=str(store)) as one:
        yield one.port


def outcomes_of(port: int, *requests: Request) -> list[tuple[Outcome, str]]:
    async def main() -> list[tuple[Outcome, str]]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=GENEROUS_SECONDS) as client:
            return [await send(client, request) for request in requests]

    return asyncio.run(main())


def test_clients_of_every_kind_get_correct_answers(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_requests, "PAUSE", 0.0)
    requests = Requests(port).of_every_kind()
    assert {request.manner for request in requests} == set(Manner)
    outcomes = outcomes_of(port, *requests)
    for request, (outcome, wrong) in zip(requests, outcomes, strict=True):
        leaves = request.manner in {Manner.LEAVES_WHILE_SENDING, Manner.LEAVES_UNANSWERED}
        assert outcome is (Outcome.LEFT if leaves else Outcome.RIGHT), (request.label, wrong)


def test_a_wrong_answer_is_reported(port: int) -> None:
    request = Request("no image", "/predict", b"no image", "image/png", is_one_of(200))
    ((outcome, wrong),) = outcomes_of(port, request)
    assert outcome is Outcome.WRONG
    assert wrong.startswith("415 b'{")


def test_no_answer_is_wrong() -> None:
    ((outcome, wrong),) = outcomes_of(1, Request("any", "/", b"a", "image/png", is_one_of(200)))
    assert outcome is Outcome.WRONG
    assert "ConnectError" in wrong


def test_a_text_is_compared() -> None:
    body = json.dumps({"text": "abc"}).encode()
    assert reads("abc")(200, body)
    assert not reads("abd")(200, body)
    assert not reads("abc")(422, b"")


def test_the_texts_of_a_batch_are_compared_in_order() -> None:
    body = json.dumps({"results": [{"text": "a"}, {"problem": {}}, {"text": "b"}]}).encode()
    assert reads_each(["a", "", "b"])(200, body)
    assert not reads_each(["a", "b", ""])(200, body)
    assert not reads_each(["a", ""])(200, body)
    assert not reads_each(["a", "", "b"])(413, b"")


def test_growth_compares_the_medians_of_the_second_and_the_last_tenth() -> None:
    rising = [(float(second), 50.0 if second < 10 else 100.0 + second // 90 * 3) for second in range(100)]
    rising[95] = (95.0, 500.0)  # a short peak while a model is tried
    assert growth(rising) == pytest.approx(0.03)
    assert growth(rising[:90]) == pytest.approx(0.0)


def test_a_trace_is_thinned_to_medians() -> None:
    trace = [(float(second), float(second % 10)) for second in range(100)]
    assert downsampled(trace, 10) == [(10.0 * tenth + 9, 4.5) for tenth in range(10)]
    assert downsampled(trace[:3], 10) == trace[:3]


def test_requests_are_counted_by_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    soak = Soak()
    soak.add("PNG", Outcome.RIGHT)
    soak.add("PNG", Outcome.WRONG, "500")
    assert (soak.count(Outcome.RIGHT), soak.count(Outcome.WRONG), soak.count(Outcome.LEFT)) == (1, 1, 0)
    assert "wrong: PNG: 500" in capsys.readouterr().out


def test_a_model_is_replaced(tmp_path: Path) -> None:
    for number in range(3):
        replace_model(tmp_path, number)
    (version,) = (tmp_path / "other").iterdir()
    assert version.name == "2"
    assert (version / "model.onnx").is_file()
