"""`?evaluate=sum`: the value of the sum in an image, with the shipped model `general`."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.schemas import BatchPrediction, Prediction
from app.inference.decoding.sums import value_of
from tests.drawn_text import drawn

Problem = Callable[[Any, int], dict[str, Any]]
Document = dict[str, Any]
SUM = {"model": "general", "evaluate": "sum"}


@pytest.fixture
def read(client: TestClient) -> Callable[..., Document]:
    """Return a function that reads an image of a text with query parameters."""

    def read(text: str, **query: Any) -> Document:
        response = client.post("/predict", params=SUM | query, content=drawn(text))
        assert response.status_code == 200, response.text
        Prediction.model_validate(response.json())
        answer: Document = response.json()
        return answer

    return read


@pytest.mark.parametrize(("text", "value"), [("10-2=", 8), ("5x6=", 30), ("3+4=", 7), ("3-4=?", -1), ("12:4=?", 3)])
def test_the_answer_has_the_value_and_its_probability(read: Callable[..., Document], text: str, value: int) -> None:
    answer = read(text, alternatives=20)
    assert answer["sum"]["value"] == value
    of_this_value = [other["confidence"] for other in answer["alternatives"] if value_of(other["text"]) == value]
    assert sum(of_this_value) - 1e-5 <= answer["sum"]["confidence"] <= 1


def test_a_value_is_more_probable_than_each_text_that_has_it(read: Callable[..., Document]) -> None:
    answer = read("5x6=", alternatives=20)
    texts = {other["text"] for other in answer["alternatives"]}
    assert {"5x6=", "5×6="} <= texts
    assert answer["sum"]["confidence"] > answer["confidence"]


@pytest.mark.parametrize("text", ["hello", ""])
def test_a_text_that_is_not_a_sum_has_no_value(read: Callable[..., Document], text: str) -> None:
    assert read(text)["sum"] == {"value": None, "confidence": 0.0}


def test_the_rest_of_the_response_is_unchanged(read: Callable[..., Document]) -> None:
    plain, evaluated = read("10-2=", alternatives=2, evaluate=[]), read("10-2=", alternatives=2)
    assert list(evaluated) == ["text", "confidence", "characters", "alternatives", "sum", "model", "request_id"]
    del plain["request_id"], evaluated["request_id"], evaluated["sum"]
    assert evaluated == plain


def test_the_value_is_that_of_a_text_that_satisfies_the_constraints(read: Callable[..., Document]) -> None:
    answer = read("10-2=", pattern=r"10\+\d=")
    assert answer["text"].startswith("10+")
    assert 10 <= answer["sum"]["value"] <= 19
    assert read("10-2=", charset="102")["sum"]["value"] is None


def test_the_value_is_accepted_by_its_own_confidence(read: Callable[..., Document]) -> None:
    answer = read("5x6=")
    between = (answer["confidence"] + answer["sum"]["confidence"]) / 2
    assert read("5x6=", min_confidence=between)["accepted"] is True
    assert read("5x6=", min_confidence=1)["accepted"] is False
    assert read("hello", min_confidence=0)["accepted"] is False


def test_each_result_of_a_batch_has_its_own(client: TestClient) -> None:
    files = [("files", upload) for upload in (drawn("10-2="), b"no image", drawn("hello"))]
    response = client.post("/predict/batch", params=SUM, files=files)
    BatchPrediction.model_validate(response.json())
    minus, bad, no_sum = response.json()["results"]
    assert minus["sum"]["value"] == 8
    assert bad["problem"]["status"] == 415
    assert no_sum["sum"]["value"] is None


@pytest.mark.parametrize("evaluate", ["", "product", "SUM"])
def test_nothing_else_can_be_evaluated(client: TestClient, problem: Problem, evaluate: str) -> None:
    response = client.post("/predict", params={"evaluate": evaluate}, content=drawn("1+1"))
    detail = problem(response, 422)["detail"]
    assert detail.startswith("query.evaluate: ")
    assert "'sum'" in detail
