"""Query parameters, sent with the samples to the shipped model."""

import re
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.api.queries import ReadQuery
from tests.properties import examples

Problem = Callable[[Any, int], dict[str, Any]]
Document = dict[str, Any]
PLAIN = ["text", "confidence", "characters", "model", "request_id"]


@pytest.fixture
def read(client: TestClient, samples: dict[str, bytes]) -> Callable[..., Document]:
    """Return a function that reads a sample with query parameters."""

    def read(label: str = "ef2ec", **query: Any) -> Document:
        response = client.post("/predict", params=query, content=samples[label])
        assert response.status_code == 200, response.text
        answer: Document = response.json()
        assert "".join(character["character"] for character in answer["characters"]) == answer["text"]
        return answer

    return read


@pytest.fixture
def refuse(client: TestClient, samples: dict[str, bytes], problem: Problem) -> Callable[..., str]:
    """Return a function that sends an invalid query and returns the reason of the refusal."""

    def refuse(**query: Any) -> str:
        response = client.post("/predict", params=query, content=samples["ef2ec"])
        detail: str = problem(response, 422)["detail"]
        batch = client.post("/predict/batch", params=query, files={"files": samples["ef2ec"]})
        assert problem(batch, 422)["detail"] == detail
        return detail

    return refuse


class TestAlternatives:
    @pytest.mark.parametrize("number", [1, 5, 20])
    def test_the_most_probable_texts_come_best_first(self, read: Callable[..., Document], number: int) -> None:
        answer = read(alternatives=number)
        assert list(answer) == [*PLAIN[:3], "alternatives", *PLAIN[3:]]
        texts = [alternative["text"] for alternative in answer["alternatives"]]
        confidences = [alternative["confidence"] for alternative in answer["alternatives"]]
        assert len(set(texts)) == len(texts) == number
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) <= 1 + 1e-5
        assert answer["alternatives"][0] == {"text": answer["text"], "confidence": answer["confidence"]}

    def test_the_reading_stays_what_it_was(self, read: Callable[..., Document], samples: dict[str, bytes]) -> None:
        for label in samples:
            plain, searched = read(label), read(label, alternatives=3)
            assert searched["text"] == plain["text"] == label
            assert searched["confidence"] == pytest.approx(plain["confidence"], abs=1e-6)
            assert searched["characters"] == plain["characters"]

    def test_there_are_none_by_default(self, read: Callable[..., Document]) -> None:
        assert list(read(alternatives=0)) == PLAIN
        assert list(read(length=5)) == PLAIN

    def test_they_satisfy_the_constraints_too(self, read: Callable[..., Document]) -> None:
        answer = read(alternatives=5, length=6, charset="ef2c8")
        assert len(answer["alternatives"]) == 5
        for alternative in answer["alternatives"]:
            assert re.fullmatch("[ef2c8]{6}", alternative["text"])


class TestConstraints:
    @pytest.mark.parametrize("length", [1, 4, 5, 6, 25, 50])
    def test_a_length_is_exact(self, read: Callable[..., Document], length: int) -> None:
        answer = read(length=length)
        assert len(answer["text"]) == len(answer["characters"]) == length

    def test_a_constraint_that_the_text_satisfies_changes_nothing(
        self, read: Callable[..., Document], samples: dict[str, bytes]
    ) -> None:
        for label in samples:
            constrained = read(label, length=5, charset=label, pattern=r"\w{5}")
            plain = read(label)
            assert constrained["text"] == label
            assert constrained["confidence"] == pytest.approx(plain["confidence"], abs=1e-6)
            assert constrained["characters"] == plain["characters"]

    def test_a_charset_without_a_letter_gives_another_text_with_its_own_probability(
        self, read: Callable[..., Document], samples: dict[str, bytes]
    ) -> None:
        for label in samples:
            charset = set("2345678bcdefgmnpwxy") - {label[0]}
            answer = read(label, charset="".join(sorted(charset)))
            assert set(answer["text"]) <= charset
            assert answer["confidence"] < 0.5

    def test_a_charset_may_have_characters_that_are_not_in_the_vocabulary(self, read: Callable[..., Document]) -> None:
        assert read(charset="ABC+ef2cé")["text"] == "ef2ec"

    @pytest.mark.parametrize("pattern", [r"\d{3}[a-z]{2}", "[^e]+", "(?:ef|f)8?e*", "^b.*$", "x"])
    def test_the_whole_text_matches_a_pattern(self, read: Callable[..., Document], pattern: str) -> None:
        answer = read(pattern=pattern)
        assert re.fullmatch(pattern, answer["text"])

    def test_all_constraints_hold_together(self, read: Callable[..., Document]) -> None:
        text = read(pattern="[a-z]*2[a-z]*", length=4, charset="ef2")["text"]
        assert re.fullmatch("[ef]*2[ef]*", text)
        assert len(text) == 4

    def test_characters_have_their_places(self, read: Callable[..., Document]) -> None:
        characters = read(pattern="e.2ec")["characters"]
        lefts = [character["box"]["left"] for character in characters]
        assert lefts == sorted(lefts)
        assert [character["box"] for character in characters] == [c["box"] for c in read()["characters"]]


class TestRefused:
    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"length": 60}, "at most 50 characters"),
            ({"charset": "AÉ"}, "none of its characters"),
            ({"charset": "2", "length": 30}, "No text satisfies the constraints"),
            ({"pattern": "a263"}, "the model's vocabulary lacks 'a'."),
            ({"pattern": "[ab]2", "length": 2, "charset": "2"}, "both the charset and the pattern"),
            ({"pattern": "(?:ab)*", "length": 5}, "No text of 5 characters"),
        ],
    )
    def test_constraints_that_no_text_satisfies(self, refuse: Callable[..., str], query: Document, words: str) -> None:
        assert words in refuse(**query)

    @pytest.mark.parametrize(
        ("pattern", "words"),
        [
            ("[geheim", "unterminated character set, at position 0"),
            ("geheim(?=2)", "look-around"),
            (r"(geheim)\1", "a back-reference"),
            ("(?P<geheim", "invalid syntax"),
            ("(?a)(?u)geheim", "flags contradict each other"),
            ("geheim" * 50, "longer than 200 characters"),
            ("(geheim{1,1000}){1,1000}", "too large"),
        ],
    )
    def test_an_invalid_pattern(self, refuse: Callable[..., str], pattern: str, words: str) -> None:
        detail = refuse(pattern=pattern)
        assert words in detail
        assert "geheim" not in detail

    @pytest.mark.parametrize(
        "query",
        [
            {"alternatives": 21},
            {"alternatives": -1},
            {"alternatives": "geheim"},
            {"length": 0},
            {"length": "5.5"},
            {"charset": ""},
            {"min_confidence": 1.01},
            {"min_confidence": -0.01},
            {"min_confidence": "nan"},
        ],
    )
    def test_a_parameter_out_of_its_range_is_named(self, refuse: Callable[..., str], query: Document) -> None:
        (name,) = query
        detail = refuse(**query)
        assert detail.startswith(f"query.{name}: ")
        assert "geheim" not in detail

    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            ("alternativs", "alternatives"),
            ("Length", "length"),
            ("min-confidence", "min_confidence"),
            ("models", "model"),
        ],
    )
    def test_an_unknown_parameter_is_refused_with_the_nearest(
        self, refuse: Callable[..., str], name: str, nearest: str
    ) -> None:
        assert f"Did you mean '{nearest}'?" in refuse(**{"pattern": "e.*", name: "3"})

    @pytest.mark.parametrize("name", ["geheim", "", "g" * 5000])
    def test_an_unknown_parameter_without_a_similar_one_is_refused_with_the_list(
        self, refuse: Callable[..., str], name: str
    ) -> None:
        detail = refuse(**{name: "geheim"})
        assert detail.endswith(f"Known parameters: {', '.join(ReadQuery.model_fields)}.")
        assert "Did you mean" not in detail
        assert "g" * 10 not in detail
        assert "geheim" not in detail

    def test_a_parameter_is_given_once(self, refuse: Callable[..., str]) -> None:
        assert refuse(length=[5, 6]) == "query.length: given 2 times; give it once."
        assert refuse(charset=["ef", "2c", "8"]) == "query.charset: given 3 times; give it once."

    def test_an_unknown_model_is_reported_first(
        self, client: TestClient, samples: dict[str, bytes], problem: Problem
    ) -> None:
        query = {"model": "unknown", "pattern": "("}
        problem(client.post("/predict", params=query, content=samples["ef2ec"]), 404)


class TestAccepted:
    def test_a_text_is_accepted_from_the_threshold_on(self, read: Callable[..., Document]) -> None:
        confidence = read()["confidence"]
        assert read(min_confidence=confidence)["accepted"] is True
        assert read(min_confidence=min(1, confidence + 1e-6))["accepted"] is (confidence == 1)
        assert read(min_confidence=0)["accepted"] is True
        assert read(length=4, min_confidence=0.9)["accepted"] is False

    def test_an_empty_text_is_never_accepted(self, client: TestClient) -> None:
        _, blank = cv2.imencode(".png", np.full((50, 200), 255, np.uint8))
        answer = client.post(
            "/predict?min_confidence=0", content=blank.tobytes(), headers={"content-type": "image/png"}
        )
        assert (answer.json()["text"], answer.json()["accepted"]) == ("", False)

    def test_the_field_exists_only_on_request(self, read: Callable[..., Document]) -> None:
        assert list(read()) == PLAIN
        assert list(read(min_confidence=0.5)) == [*PLAIN[:3], "accepted", *PLAIN[3:]]
        both = read(min_confidence=0.5, alternatives=1)
        assert list(both) == [*PLAIN[:3], "alternatives", "accepted", *PLAIN[3:]]


@pytest.mark.parametrize("query", ["&".join(["alternatives=1"] * 33), "&" * 32])
def test_too_many_parameters_are_refused(
    client: TestClient, samples: dict[str, bytes], problem: Problem, query: str
) -> None:
    response = client.post(f"/predict?{query}", content=samples["ef2ec"])
    assert "over 32 parameters. Known parameters: model, version," in problem(response, 422)["detail"]


def test_a_very_long_name_is_refused_without_a_suggestion(
    client: TestClient, samples: dict[str, bytes], problem: Problem
) -> None:
    response = client.post(f"/predict?{'model' * 10_000}=captcha", content=samples["ef2ec"])
    assert "unknown parameter. Known parameters: model," in problem(response, 422)["detail"]


class TestBatch:
    def test_each_result_equals_that_of_predict(
        self, client: TestClient, samples: dict[str, bytes], read: Callable[..., Document]
    ) -> None:
        query = {"length": 4, "alternatives": 2, "min_confidence": 0.5, "pattern": r"\w+"}
        files = [("files", image) for image in samples.values()]
        results = client.post("/predict/batch", params=query, files=files).json()["results"]
        for label, result in zip(samples, results, strict=True):
            alone = read(label, **query)
            assert list(result) == [*PLAIN[:3], "alternatives", "accepted"]
            assert result["text"] == alone["text"]
            assert result["confidence"] == pytest.approx(alone["confidence"], abs=1e-4)
            assert result["accepted"] == alone["accepted"]
            assert len(result["alternatives"]) == 2

    def test_a_bad_image_does_not_affect_the_others(self, client: TestClient, samples: dict[str, bytes]) -> None:
        files = [("files", b"no image"), ("files", samples["ef2ec"])]
        bad, good = client.post("/predict/batch", params={"length": 5}, files=files).json()["results"]
        assert bad["problem"]["status"] == 415
        assert good["text"] == "ef2ec"


def test_a_request_does_not_affect_the_next(read: Callable[..., Document]) -> None:
    before = read()
    read(length=3, charset="ef", alternatives=20, min_confidence=1)
    after = read()
    del before["request_id"], after["request_id"]
    assert before == after


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_openapi_describes_the_parameters_with_examples(client: TestClient, path: str) -> None:
    operation = client.get("/openapi.json").json()["paths"][path]["post"]
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    for name in ("alternatives", "length", "charset", "pattern", "min_confidence"):
        assert parameters[name]["in"] == "query"
        assert not parameters[name]["required"]
        assert parameters[name]["description"]
        assert parameters[name]["schema"]["examples"]
    assert parameters["alternatives"]["schema"]["maximum"] == 20


PIECES = st.sampled_from([*"ab2ef^$()[]{}|*+?.\\-,0", r"\d", r"\w", "(?:", "{2,3}", "[a-f]", "(?=", r"\1"])


@examples(60, derandomize=True)
@given(
    query=st.fixed_dictionaries(
        {},
        optional={
            "pattern": st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=5),
            "length": st.integers(-1, 30) | st.text(max_size=2),
            "charset": st.text(max_size=5) | st.just("ef2c"),
            "alternatives": st.integers(-1, 21),
            "min_confidence": st.floats(),
        },
    )
)
def test_any_query_is_answered_with_a_text_or_a_problem(
    client: TestClient, samples: dict[str, bytes], problem: Problem, query: Document
) -> None:
    response = client.post("/predict", params=query, content=samples["ef2ec"])
    if response.status_code != 200:
        problem(response, 422)
    elif "length" in query:
        assert len(response.json()["text"]) == query["length"]
