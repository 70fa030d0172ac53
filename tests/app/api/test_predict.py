"""`POST /predict`: an image in, its text out."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.inference.images import FORMATS
from app.inference.images.formats.format import Format

Problem = Callable[[Any, int], dict[str, Any]]
LABELS = sorted(path.stem for path in Path(__file__).parents[3].joinpath("samples").glob("*.png"))


def as_form(image: bytes) -> dict[str, Any]:
    return {"files": {"file": ("image.png", image, "image/png")}}


def as_json(image: bytes) -> dict[str, Any]:
    return {"json": {"image": base64.b64encode(image).decode()}}


def as_body(content_type: str | None) -> Callable[[bytes], dict[str, Any]]:
    headers = {} if content_type is None else {"content-type": content_type}
    return lambda image: {"content": image, "headers": headers}


WAYS = {
    "multipart": as_form,
    "json": as_json,
    "body": as_body("image/png"),
    "body without a type": as_body(None),
    "body of curl --data-binary": as_body("application/x-www-form-urlencoded"),
    "body of bytes": as_body("application/octet-stream"),
    "body with a wrong type": as_body("image/jpeg"),
    "body with an invalid type": as_body(";;"),
}


def enlarged(image: bytes, times: int) -> bytes:
    with Image.open(io.BytesIO(image)) as opened:
        larger = opened.convert("L").resize((opened.width * times, opened.height * times), Image.Resampling.BICUBIC)
    return encoded(larger, "PNG")


def encoded(image: Image.Image, image_format: str) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format.upper(), quality=95)
    return file.getvalue()


def size_of(image: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(image)) as opened:
        return opened.size


def test_there_are_samples() -> None:
    assert len(LABELS) >= 4


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("label", LABELS)
def test_a_sample_is_read_however_it_is_sent(
    client: TestClient, samples: dict[str, bytes], label: str, way: Callable[[bytes], dict[str, Any]]
) -> None:
    response = client.post("/predict", **way(samples[label]))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.json()["text"] == label


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_a_sample_is_read_in_each_format(client: TestClient, samples: dict[str, bytes], one: Format) -> None:
    with Image.open(io.BytesIO(samples["7ydp3"])) as sample:
        image = encoded(sample.convert("RGB"), one.name)
    for way in (as_form, as_json, as_body(one.media_type), as_body("image/png")):
        assert client.post("/predict", **way(image)).json()["text"] == "7ydp3"


def test_an_animation_is_read_from_all_of_its_frames(client: TestClient, samples: dict[str, bytes]) -> None:
    with Image.open(io.BytesIO(samples["7ydp3"])) as sample:
        halves = [sample.convert("L") for _ in range(2)]
    width, height = halves[0].size
    halves[0].paste(255, (0, 0, width // 2, height))
    halves[1].paste(255, (width // 2, 0, width, height))
    file = io.BytesIO()
    halves[0].save(file, "GIF", save_all=True, append_images=halves[1:], duration=100)
    assert client.post("/predict", content=file.getvalue()).json()["text"] == "7ydp3"


@pytest.mark.parametrize("content_type", ["Application/JSON", "application/json; charset=utf-8"])
def test_json_is_detected_by_its_media_type(client: TestClient, samples: dict[str, bytes], content_type: str) -> None:
    document = b'{"image": "' + base64.b64encode(samples["ef2ec"]) + b'"}'
    response = client.post("/predict", content=document, headers={"content-type": content_type})
    assert response.json()["text"] == "ef2ec"


def test_base64_may_be_broken_into_lines(client: TestClient, samples: dict[str, bytes]) -> None:
    lines = base64.encodebytes(samples["ef2ec"]).decode()
    assert lines.count("\n") > 1
    assert client.post("/predict", json={"image": lines}).json()["text"] == "ef2ec"


@pytest.mark.parametrize(
    "start", ["data:image/png;base64,", "DATA:image/png;charset=utf-8;BASE64,", "data:;base64,", ""]
)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["", "="])
def test_base64_may_be_url_safe_without_padding_and_in_a_data_uri(
    client: TestClient, samples: dict[str, bytes], start: str, encode: Callable[[bytes], bytes], padding: str
) -> None:
    for image in (samples["ef2ec"], samples["ef2ec"] + b"?", samples["ef2ec"] + b"\xfb\xff"):
        text = encode(image).decode()
        document = {"image": start + (text if padding else text.rstrip("="))}
        assert client.post("/predict", json=document).json()["text"] == "ef2ec"


@pytest.mark.parametrize("path", ["/predict/", "/predict/batch/"])
def test_a_trailing_slash_is_ignored(client: TestClient, samples: dict[str, bytes], path: str) -> None:
    field = "files" if "batch" in path else "file"
    plain, slashed = (
        client.post(one, params={"length": 5}, files={field: samples["ef2ec"]}) for one in (path.rstrip("/"), path)
    )
    assert plain.status_code == slashed.status_code == 200
    assert slashed.json() == plain.json() | {"request_id": slashed.json()["request_id"]}


@pytest.mark.parametrize("label", LABELS)
def test_the_response_has_exactly_the_keys_of_the_contract(
    client: TestClient, samples: dict[str, bytes], shipped_model: Path, label: str
) -> None:
    answer = client.post("/predict", content=samples[label]).json()
    assert list(answer) == ["text", "confidence", "characters", "model", "request_id"]
    assert answer["model"] == {"name": "captcha", "version": shipped_model.name}
    for character in answer["characters"]:
        assert list(character) == ["character", "confidence", "box"]
        assert list(character["box"]) == ["left", "top", "right", "bottom"]


@pytest.mark.parametrize("label", LABELS)
def test_the_characters_make_up_the_text_and_each_has_its_confidence(
    client: TestClient, samples: dict[str, bytes], label: str
) -> None:
    answer = client.post("/predict", content=samples[label]).json()
    assert "".join(character["character"] for character in answer["characters"]) == answer["text"]
    confidences = [character["confidence"] for character in answer["characters"]]
    assert all(0 <= confidence <= 1 for confidence in confidences)
    assert 0.5 < answer["confidence"] <= min(confidences) + 1e-6


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("label", LABELS)
def test_boxes_are_in_pixels_of_the_uploaded_image_from_left_to_right(
    client: TestClient, samples: dict[str, bytes], label: str, times: int
) -> None:
    image = samples[label] if times == 1 else enlarged(samples[label], times)
    width, height = size_of(image)
    answer = client.post("/predict", content=image).json()
    assert answer["text"] == label
    boxes = [character["box"] for character in answer["characters"]]
    for box in boxes:
        assert 0 <= box["left"] < box["right"] <= width
        assert 0 <= box["top"] < box["bottom"] <= height
    assert boxes == sorted(boxes, key=lambda box: box["left"])


def test_boxes_scale_with_the_image(client: TestClient, samples: dict[str, bytes]) -> None:
    image = samples["b5wn6"]
    small, large = (
        client.post("/predict", content=upload).json()["characters"] for upload in (image, enlarged(image, 2))
    )
    one_step_of_the_network = 2 * 8
    for before, after in zip(small, large, strict=True):
        assert after["box"]["bottom"] == 2 * before["box"]["bottom"]
        assert after["box"]["left"] == pytest.approx(2 * before["box"]["left"], abs=one_step_of_the_network)
        assert after["box"]["right"] == pytest.approx(2 * before["box"]["right"], abs=one_step_of_the_network)


def test_the_same_image_has_the_same_answer(client: TestClient, samples: dict[str, bytes]) -> None:
    answers = [client.post("/predict", content=samples["4gm8x"]).json() for _ in range(3)]
    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1] == answers[2]


def test_an_upload_of_exactly_the_largest_size_is_read(
    start: Callable[..., TestClient], samples: dict[str, bytes]
) -> None:
    image = samples["ef2ec"]
    client = start(max_upload_bytes=len(image))
    for way in (as_form, as_json, as_body(None)):
        assert client.post("/predict", **way(image)).json()["text"] == "ef2ec"


class TestModelOfTheQuery:
    def test_a_model_can_be_selected(self, client: TestClient, samples: dict[str, bytes], shipped_model: Path) -> None:
        for query in ({"model": "captcha"}, {"version": shipped_model.name}, {"model": ""}):
            response = client.post("/predict", params=query, content=samples["ef2ec"])
            assert response.status_code == 200
            assert response.json()["model"] == {"name": "captcha", "version": shipped_model.name}

    def test_an_unknown_model_is_404_with_the_loaded_models(
        self, client: TestClient, samples: dict[str, bytes], problem: Problem
    ) -> None:
        response = client.post("/predict", params={"model": "plate<b>"}, content=samples["ef2ec"])
        document = problem(response, 404)
        assert "captcha" in document["detail"]
        assert "plate" not in document["detail"]

    def test_an_unknown_version_is_404_with_the_loaded_versions(
        self, client: TestClient, samples: dict[str, bytes], shipped_model: Path, problem: Problem
    ) -> None:
        response = client.post("/predict", params={"version": "1999"}, content=samples["ef2ec"])
        document = problem(response, 404)
        assert shipped_model.name in document["detail"]
        assert "1999" not in document["detail"]

    @pytest.mark.parametrize("name", ["../captcha", "/etc", "captcha/../captcha", "\x00", "é"])
    def test_a_name_is_not_a_path(
        self, client: TestClient, samples: dict[str, bytes], problem: Problem, name: str
    ) -> None:
        problem(client.post("/predict", params={"model": name}, content=samples["ef2ec"]), 404)
        problem(client.post("/predict", params={"version": name}, content=samples["ef2ec"]), 404)


class TestRequestId:
    @pytest.mark.parametrize("request_id", ["7", "Order_12.a-b", "x" * 128])
    def test_a_sent_id_is_returned(self, client: TestClient, samples: dict[str, bytes], request_id: str) -> None:
        response = client.post("/predict", content=samples["ef2ec"], headers={"X-Request-ID": request_id})
        assert response.headers["x-request-id"] == response.json()["request_id"] == request_id

    def test_without_one_an_id_is_generated(self, client: TestClient, samples: dict[str, bytes]) -> None:
        responses = [client.post("/predict", content=samples["ef2ec"]) for _ in range(2)]
        for response in responses:
            assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])
            assert response.headers["x-request-id"] == response.json()["request_id"]
        assert len({response.headers["x-request-id"] for response in responses}) == 2

    @pytest.mark.parametrize("unsafe", ["", "a b", "<b>", 'a"', "a,b", "a\tb", "x" * 129, "é", "a%0a", "a\x1b[31m"])
    def test_an_unsafe_id_is_replaced(self, client: TestClient, samples: dict[str, bytes], unsafe: str) -> None:
        headers = {"X-Request-ID": unsafe.encode()}
        response = client.post("/predict", content=samples["ef2ec"], headers=headers)
        assert re.fullmatch("[0-9a-f]{32}", response.json()["request_id"])
        assert response.headers["x-request-id"] == response.json()["request_id"]

    def test_a_problem_has_the_id(self, client: TestClient, problem: Problem) -> None:
        response = client.post("/predict", content=b"", headers={"X-Request-ID": "mine"})
        assert problem(response, 415)["request_id"] == "mine"
