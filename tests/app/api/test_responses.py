"""Responses are byte for byte what the schemas would produce."""

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict

from app.api.schemas import BatchPrediction, Prediction

QUERIES = ["", "?alternatives=3", "?min_confidence=0.5", "?alternatives=2&min_confidence=1&length=5"]


def test_responses_equal_the_schemas_output(client: TestClient, samples: dict[str, bytes]) -> None:
    for query in QUERIES:
        for image in samples.values():
            answer = client.post(f"/predict{query}", content=image)
            assert strict(Prediction).model_validate_json(answer.content).model_dump_json() == answer.text


@pytest.mark.parametrize("query", QUERIES)
def test_batch_responses_equal_the_schemas_output(client: TestClient, samples: dict[str, bytes], query: str) -> None:
    files = [("files", ("image.png", image)) for image in [*samples.values(), b"Please read me."]]
    answer = client.post(f"/predict/batch{query}", files=files)
    assert BatchPrediction.model_validate_json(answer.content).model_dump_json() == answer.text


def strict(schema: type[BaseModel]) -> type[BaseModel]:
    """Return the schema, forbidding extra fields."""
    return type(schema.__name__, (schema,), {"model_config": ConfigDict(extra="forbid"), "__module__": __name__})


def test_confidences_have_at_most_six_digits(client: TestClient, samples: dict[str, bytes]) -> None:
    answer = client.post("/predict?alternatives=5", content=next(iter(samples.values()))).json()
    told = [answer, *answer["characters"], *answer["alternatives"]]
    assert all(round(one["confidence"], 6) == one["confidence"] for one in told)
