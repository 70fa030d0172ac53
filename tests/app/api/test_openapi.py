"""`/openapi.json` and `/docs`: correct, complete, and offline."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.api import problems, schemas
from app.inference.images import FORMATS
from app.serving.application import create_app
from app.settings import Settings
from tests.waiting import GENEROUS_SECONDS

Document = dict[str, Any]
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
PROBLEM = {"$ref": "#/components/schemas/Problem"}


@pytest.fixture(scope="module")
def document(client: TestClient) -> Document:
    response = client.get("/openapi.json")
    assert response.status_code == 200
    loaded: Document = response.json()
    return loaded


@pytest.fixture(scope="module")
def operations(document: Document) -> dict[tuple[str, str], Document]:
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def every_object(part: Any) -> Iterator[Document]:
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from every_object(value)
    elif isinstance(part, list):
        for value in part:
            yield from every_object(value)


def resolve(document: Document, reference: str) -> Any:
    assert reference.startswith("#/"), reference
    target: Any = document
    for key in reference[2:].split("/"):
        target = target[key.replace("~1", "/").replace("~0", "~")]
    return target


def test_each_format_may_be_the_body_itself(operations: dict[tuple[str, str], Document]) -> None:
    bodies = operations["post", "/predict"]["requestBody"]["content"]
    assert {one.media_type for one in FORMATS} < set(bodies)


def test_other_requests_are_answered_while_it_is_created(settings: Callable[..., Settings]) -> None:
    application, begun, answered = create_app(settings()), threading.Event(), threading.Event()
    make = application.openapi

    def make_slowly() -> Document:
        begun.set()
        assert answered.wait(GENEROUS_SECONDS)
        return make()

    application.openapi = make_slowly  # type: ignore[method-assign]
    with TestClient(application) as client, ThreadPoolExecutor() as pool:
        document = pool.submit(client.get, "/openapi.json")
        assert begun.wait(GENEROUS_SECONDS)
        assert client.get("/livez").status_code == 200
        answered.set()
        assert document.result().status_code == 200


class TestDocument:
    def test_it_is_openapi_3_1(self, document: Document) -> None:
        assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
        assert document["info"]["title"]
        assert document["info"]["version"]
        assert set(document) <= {"openapi", "info", "servers", "paths", "components", "security", "tags"}

    def test_every_reference_resolves(self, document: Document) -> None:
        references = [part["$ref"] for part in every_object(document) if isinstance(part.get("$ref"), str)]
        assert references
        for reference in references:
            assert isinstance(resolve(document, reference), dict)

    def test_every_schema_is_used(self, document: Document) -> None:
        text = json.dumps(document)
        for name in document["components"]["schemas"]:
            assert f'"#/components/schemas/{name}"' in text

    def test_operation_ids_are_unique(self, operations: dict[tuple[str, str], Document]) -> None:
        ids = [operation["operationId"] for operation in operations.values()]
        assert len(ids) == len(set(ids))

    def test_path_parameters_are_those_of_the_path(self, operations: dict[tuple[str, str], Document]) -> None:
        for (_, path), operation in operations.items():
            parameters = operation.get("parameters", [])
            in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path))
            assert all(parameter["required"] for parameter in parameters if parameter["in"] == "path")
            assert all(parameter["schema"] for parameter in parameters)

    def test_the_contract_is_in_it(self, operations: dict[tuple[str, str], Document]) -> None:
        assert set(operations) >= {
            ("post", "/predict"),
            ("post", "/predict/batch"),
            ("get", "/models"),
            ("get", "/models/{name}"),
            ("get", "/models/{name}/sample"),
            ("post", "/models/reload"),
            ("get", "/livez"),
            ("get", "/readyz"),
            ("get", "/health"),
        }


class TestOperations:
    def test_each_has_a_summary(self, operations: dict[tuple[str, str], Document]) -> None:
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            assert operation["tags"]
            for parameter in operation.get("parameters", []):
                assert parameter["description"]

    def test_each_has_a_response_schema(self, operations: dict[tuple[str, str], Document]) -> None:
        for operation in operations.values():
            good = [response for status, response in operation["responses"].items() if status.startswith("2")]
            assert good
            for response in good:
                assert response["description"]
                for media_type, content in response["content"].items():
                    assert "$ref" in content["schema"] or media_type != "application/json"

    def test_every_error_is_a_problem(self, operations: dict[tuple[str, str], Document]) -> None:
        for operation in operations.values():
            errors = {
                status: response for status, response in operation["responses"].items() if not status.startswith("2")
            }
            assert "default" in errors
            for status, response in errors.items():
                assert response["description"]
                assert response["content"].keys() == {"application/problem+json"}
                content = response["content"]["application/problem+json"]
                assert content["schema"] == PROBLEM
                assert str(content.get("example", {}).get("status", "default")) == status

    def test_uploads_list_the_errors_they_can_end_in(self, operations: dict[tuple[str, str], Document]) -> None:
        for path in ("/predict", "/predict/batch"):
            assert set(operations["post", path]["responses"]) >= {"400", "401", "404", "413", "415", "422", "500"}

    def test_the_problem_is_that_of_rfc_9457(self, document: Document) -> None:
        schema = resolve(document, PROBLEM["$ref"])
        assert set(schema["properties"]) == {"type", "title", "status", "detail", "instance", "request_id"}


def request_examples(document: Document) -> Iterator[tuple[str, str, Document, str | None, Any]]:
    """Yield method, path with its parameters filled in, query, media type and body of each example request."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "403" in operation["responses"]:
                continue  # needs a key that this service does not have
            shown: dict[str, dict[str, Any]] = {"path": {}, "query": {}}
            for parameter in operation.get("parameters", []):
                for value in parameter["schema"].get("examples", [])[:1]:
                    shown[parameter["in"]][parameter["name"]] = value
            filled = path.format(**shown["path"])
            if "requestBody" not in operation:
                yield method, filled, shown["query"], None, None
            for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
                bodies = [content["example"]] if "example" in content else []
                bodies += [example["value"] for example in content.get("examples", {}).values()]
                for body in bodies:
                    yield method, filled, shown["query"], media_type, body


def send(client: TestClient, method: str, path: str, query: Document, media_type: str | None, body: Any) -> Any:
    if media_type is None:
        return client.request(method, path, params=query)
    content = json.dumps(body) if media_type == "application/json" else body
    return client.request(method, path, params=query, content=content, headers={"content-type": media_type})


class TestExamples:
    def test_every_example_request_works(self, client: TestClient, document: Document) -> None:
        sent = []
        for example in request_examples(document):
            response = send(client, *example)
            assert response.status_code == 200, (example, response.text)
            sent.append(example[:2])
        assert ("post", "/predict") in sent
        assert ("get", "/models/captcha") in sent

    def test_the_example_response_answers_the_example_request(self, client: TestClient, document: Document) -> None:
        shown = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["example"]
        (request,) = [example for example in request_examples(document) if example[1] == "/predict"]
        answer = send(client, *request).json()
        assert list(answer) == list(shown)
        assert answer["text"] == shown["text"]
        assert answer["confidence"] == pytest.approx(shown["confidence"], abs=0.1)
        assert answer["model"]["name"] == shown["model"]["name"]
        assert "".join(character["character"] for character in shown["characters"]) == shown["text"]
        for character, shown_character in zip(answer["characters"], shown["characters"], strict=True):
            assert character["character"] == shown_character["character"]
            assert character["box"] == shown_character["box"]
            assert character["confidence"] == pytest.approx(shown_character["confidence"], abs=0.1)

    @pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
    def test_example_responses_match_their_schemas(self, document: Document, path: str) -> None:
        content = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        model: type[BaseModel] = getattr(schemas, name)
        assert model.model_validate(content["example"]).model_dump(mode="json") == content["example"]

    def test_the_example_problem_is_a_real_response(self, client: TestClient, document: Document) -> None:
        content = document["paths"]["/predict/batch"]["post"]["responses"]["200"]["content"]["application/json"]
        (shown,) = [result["problem"] for result in content["example"]["results"] if "problem" in result]
        (result,) = client.post("/predict/batch", files={"files": b"no image"}).json()["results"]
        assert result["problem"] == shown | {"request_id": result["problem"]["request_id"]}

    def test_responses_match_the_schemas(
        self, client: TestClient, samples: dict[str, bytes], problem: Callable[[Any, int], Document]
    ) -> None:
        schemas.Prediction.model_validate(client.post("/predict", content=samples["ef2ec"]).json())
        schemas.ModelList.model_validate(client.get("/models").json())
        schemas.Health.model_validate(client.get("/readyz").json())
        problems.Problem.model_validate(problem(client.get("/nope"), 404))


class TestDocs:
    ADDRESS = re.compile(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""")

    def test_they_work_offline(self, client: TestClient) -> None:
        page = client.get("/docs")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        addresses = self.ADDRESS.findall(page.text)
        assert "/openapi.json" in addresses
        assert len(addresses) >= 4
        for address in addresses:
            assert re.match(r"/(?!/)", address), f"{address} is not on this host"
            assert client.get(address).status_code == 200
        assert "http://" not in page.text
        assert "https://" not in page.text
