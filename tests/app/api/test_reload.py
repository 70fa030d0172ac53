"""`POST /models/reload`: new models are loaded, and broken ones do not affect the loaded ones."""

import gc
import hashlib
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import structlog
import yaml
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, numpy_helper

from app.api import schemas
from app.inference.models.store import ModelStore
from app.shared.files import sha256_of_file
from tests.stores import store_of
from tests.waiting import GENEROUS_SECONDS, wait_until

Problem = Callable[[Any, int], dict[str, Any]]
Start = Callable[..., TestClient]
KEY = {"X-API-Key": "sesame"}
NOTHING: dict[str, list[Any]] = {"loaded": [], "unchanged": [], "dropped": [], "broken": []}


@pytest.fixture
def store(tmp_path: Path, shipped_model: Path, samples: dict[str, bytes]) -> Path:
    """A model store with the shipped model as version 10 of `captcha`, with checksums and a golden image."""
    write_sums(store_of(shipped_model, tmp_path / "store", "10", samples["ef2ec"], "ef2ec"))
    return tmp_path / "store"


@pytest.fixture
def client(store: Path, start: Start) -> TestClient:
    """Return a client of a service with an admin key and that store."""
    return start(model_store=store, admin_key="sesame")


def write_sums(folder: Path) -> None:
    names = ("configs.yaml", "golden.png", "golden.txt", "model.onnx")
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "SHA256SUMS").write_text("".join(f"{value}  {name}\n" for name, value in sums.items()))


def reload(client: TestClient) -> dict[str, list[Any]]:
    response = client.post("/models/reload", headers=KEY)
    assert response.status_code == 200, response.text
    schemas.Reload.model_validate(response.json())
    changes: dict[str, list[Any]] = response.json()
    return changes


def reads_with(client: TestClient, image: bytes) -> str:
    """Return the version that reads the image correctly."""
    answer = client.post("/predict", content=image).json()
    assert answer["text"] == "ef2ec"
    version: str = answer["model"]["version"]
    return version


class TestKey:
    def test_without_an_admin_key_reloads_are_refused(self, store: Path, start: Start, problem: Problem) -> None:
        client = start(model_store=store, api_key="open")
        for headers in ({}, {"X-API-Key": "open"}, {"X-API-Key": ""}):
            assert "OCR_ADMIN_KEY" in problem(client.post("/models/reload", headers=headers), 403)["detail"]

    @pytest.mark.parametrize(
        "headers", [{}, {"X-API-Key": "open"}, {"X-API-Key": ""}, {"Authorization": "Basic sesame"}]
    )
    def test_a_wrong_key_is_refused(self, store: Path, start: Start, problem: Problem, headers: dict[str, str]) -> None:
        client = start(model_store=store, api_key="open", admin_key="sesame")
        response = client.post("/models/reload", headers=headers)
        assert "admin key" in problem(response, 401)["detail"]
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("headers", [KEY, {"Authorization": "Bearer sesame"}])
    def test_the_admin_key_suffices(self, store: Path, start: Start, headers: dict[str, str]) -> None:
        client = start(model_store=store, api_key="open", admin_key="sesame")
        assert client.post("/models/reload", headers=headers).status_code == 200

    def test_the_admin_key_permits_nothing_else(self, store: Path, start: Start, problem: Problem) -> None:
        client = start(model_store=store, api_key="open", admin_key="sesame")
        problem(client.get("/models", headers=KEY), 401)


def test_an_unchanged_store_loads_nothing(client: TestClient) -> None:
    assert reload(client) == NOTHING | {"unchanged": [{"name": "captcha", "version": "10"}]}


def test_a_new_version_becomes_the_newest_and_reads(store: Path, client: TestClient, samples: dict[str, bytes]) -> None:
    shutil.copytree(store / "captcha" / "10", store / "captcha" / "11")
    assert reads_with(client, samples["ef2ec"]) == "10"
    assert reload(client)["loaded"] == [{"name": "captcha", "version": "11"}]
    assert reads_with(client, samples["ef2ec"]) == "11"
    shutil.rmtree(store / "captcha" / "11")
    assert reload(client)["dropped"] == [{"name": "captcha", "version": "11"}]
    assert reads_with(client, samples["ef2ec"]) == "10"


def test_a_replaced_model_is_freed(store: Path, client: TestClient, samples: dict[str, bytes]) -> None:
    client.post("/predict/batch", files=[("files", samples["ef2ec"])] * 3 + [("files", b"damaged")])
    client.post("/predict?pattern=[a-z0-9]{5}&alternatives=2", content=samples["ef2ec"])
    client.post("/predict", content=samples["ef2ec"][:60])
    assert reads_with(client, samples["ef2ec"]) == "10"
    replaced = weakref.ref(client.app.state.service.store.get().model)  # type: ignore[attr-defined]
    (store / "captcha" / "10").rename(store / "captcha" / "11")
    assert reload(client)["loaded"] == [{"name": "captcha", "version": "11"}]
    wait_until(lambda: gc.collect() >= 0 and replaced() is None)  # perhaps after the response


def truncate(folder: Path) -> None:
    network = folder / "model.onnx"
    network.write_bytes(network.read_bytes()[: network.stat().st_size // 2])


def truncate_with_sums(folder: Path) -> None:
    truncate(folder)
    write_sums(folder)


def swap(folder: Path) -> None:
    """Replace the network by one with the same shapes and other characters."""
    model = onnx.load(folder / "model.onnx")
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["unswapped" if name == output.name else name for name in node.output]
    blank = output.type.tensor_type.shape.dim[2].dim_value - 1
    order = np.array([*np.roll(range(blank), 1), blank])
    model.graph.initializer.append(numpy_helper.from_array(order, "order"))
    model.graph.node.append(helper.make_node("Gather", ["unswapped", "order"], [output.name], axis=2))
    onnx.save(model, folder / "model.onnx")
    write_sums(folder)


def lengthen_vocabulary(folder: Path) -> None:
    configs = yaml.safe_load((folder / "configs.yaml").read_text())
    (folder / "configs.yaml").write_text(yaml.safe_dump(configs | {"vocab": configs["vocab"] + "z"}))
    write_sums(folder)


def shuffle_vocabulary(folder: Path) -> None:
    configs = yaml.safe_load((folder / "configs.yaml").read_text())
    (folder / "configs.yaml").write_text(yaml.safe_dump(configs | {"vocab": configs["vocab"][::-1]}))
    write_sums(folder)


def resize(folder: Path) -> None:
    configs = yaml.safe_load((folder / "configs.yaml").read_text())
    (folder / "configs.yaml").write_text(yaml.safe_dump(configs | {"width": 1000, "height": 1000}))
    write_sums(folder)


def make_huge(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as file:
        file.truncate(2**40)


def take_network(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def take_configs(folder: Path) -> None:
    (folder / "configs.yaml").unlink()


def break_yaml(folder: Path) -> None:
    (folder / "configs.yaml").write_text("vocab: [")
    write_sums(folder)


def name_an_object(folder: Path) -> None:
    (folder / "configs.yaml").write_text("vocab: !!python/object/apply:os.system [exit]")
    write_sums(folder)


def add_unknown_key(folder: Path) -> None:
    with (folder / "configs.yaml").open("a") as file:
        file.write("colour: red\n")
    write_sums(folder)


def take_weights_outside(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx")
    weights = model.graph.initializer[0]
    (folder / "weights.bin").write_bytes(numpy_helper.to_array(weights).tobytes())
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="weights.bin")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_sums(folder)


def change_a_byte(folder: Path) -> None:
    network = bytearray((folder / "model.onnx").read_bytes())
    network[len(network) // 2] ^= 1
    (folder / "model.onnx").write_bytes(network)


def list_a_path(folder: Path) -> None:
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../../secret\n")


def expect_another_text(folder: Path) -> None:
    (folder / "golden.txt").write_text("b5wn6")
    write_sums(folder)


FAULTS = [
    (truncate, "model.onnx has the SHA-256 "),
    (truncate_with_sums, "model.onnx is not an ONNX model that ONNX Runtime can load"),
    (swap, "golden.png is read as '"),
    (shuffle_vocabulary, "golden.png is read as '"),
    (lengthen_vocabulary, "the vocabulary has 20 characters, so model.onnx must return 21 classes per step"),
    (resize, "configs.yaml says 1000×1000"),
    (make_huge, "model.onnx is over 536,870,912 bytes"),
    (take_network, "model.onnx cannot be read: No such file or directory"),
    (take_configs, "configs.yaml cannot be read: No such file or directory"),
    (break_yaml, "configs.yaml is not plain YAML in UTF-8"),
    (name_an_object, "configs.yaml is not plain YAML in UTF-8"),
    (add_unknown_key, "configs.yaml: unknown key 'colour'; known keys: "),
    (take_weights_outside, "model.onnx has external data"),
    (change_a_byte, "model.onnx has the SHA-256 "),
    (list_a_path, "line 5 of SHA256SUMS is not '<SHA-256>  <file in this folder>'"),
    (expect_another_text, "golden.png is read as 'ef2ec', but golden.txt says 'b5wn6'"),
]


@pytest.mark.parametrize(("harm", "reason"), FAULTS)
class TestFaults:
    def test_a_loaded_version_is_kept_and_the_reason_reported(
        self, store: Path, client: TestClient, samples: dict[str, bytes], harm: Callable[[Path], None], reason: str
    ) -> None:
        shutil.copytree(store / "captcha" / "10", store.parent / "spare")
        harm(store / "captcha" / "10")
        with structlog.testing.capture_logs() as lines:
            changes = reload(client)
        (broken,) = changes["broken"]
        assert changes == NOTHING | {"broken": [broken]}
        assert (broken["name"], broken["version"], broken["kept"]) == ("captcha", "10", True)
        assert broken["reason"].startswith(reason)
        assert str(store.parent) not in broken["reason"]
        assert client.get("/models").json()["broken"] == [broken]
        (line,) = [line for line in lines if line["event"] == "model broken"]
        assert (line["log_level"], line["reason"], line["kept"]) == ("error", broken["reason"], True)
        assert client.get("/readyz").status_code == 200
        assert reads_with(client, samples["ef2ec"]) == "10"

        shutil.rmtree(store / "captcha" / "10")
        (store.parent / "spare").rename(store / "captcha" / "10")
        assert reload(client) == NOTHING | {"unchanged": [{"name": "captcha", "version": "10"}]}
        assert client.get("/models").json()["broken"] == []

    def test_a_broken_new_version_is_not_loaded_and_the_old_one_reads(
        self, store: Path, client: TestClient, samples: dict[str, bytes], harm: Callable[[Path], None], reason: str
    ) -> None:
        shutil.copytree(store / "captcha" / "10", store / "captcha" / "11")
        harm(store / "captcha" / "11")
        changes = reload(client)
        (broken,) = changes["broken"]
        assert changes == NOTHING | {"unchanged": [{"name": "captcha", "version": "10"}], "broken": [broken]}
        assert (broken["version"], broken["kept"]) == ("11", False)
        assert broken["reason"].startswith(reason)
        assert reads_with(client, samples["ef2ec"]) == "10"

    def test_a_broken_version_is_not_loaded_at_the_start(
        self, store: Path, start: Start, samples: dict[str, bytes], harm: Callable[[Path], None], reason: str
    ) -> None:
        shutil.copytree(store / "captcha" / "10", store / "captcha" / "11")
        harm(store / "captcha" / "11")
        client = start(model_store=store)
        (broken,) = client.get("/models").json()["broken"]
        assert broken["reason"].startswith(reason)
        assert reads_with(client, samples["ef2ec"]) == "10"


def test_the_last_version_of_the_default_model_is_kept_without_its_folder(
    store: Path, client: TestClient, samples: dict[str, bytes]
) -> None:
    shutil.rmtree(store / "captcha")
    broken = {"name": "captcha", "version": "10", "reason": "the folder is gone", "kept": True}
    assert reload(client) == NOTHING | {"broken": [broken]}
    assert reads_with(client, samples["ef2ec"]) == "10"


def test_a_store_that_cannot_be_read_changes_nothing(
    store: Path, client: TestClient, samples: dict[str, bytes], problem: Problem
) -> None:
    before = client.get("/models").json()
    store.rename(store.parent / "elsewhere")
    detail = problem(client.post("/models/reload", headers=KEY), 409)["detail"]
    assert detail == "The model store cannot be read (No such file or directory); the models are unchanged."
    assert client.get("/models").json() == before
    assert reads_with(client, samples["ef2ec"]) == "10"


def test_an_internal_error_changes_nothing(
    client: TestClient, samples: dict[str, bytes], problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("at /secret/path")

    with monkeypatch.context() as patch:
        patch.setattr("app.serving.reload.ModelStore", fail)
        problem(client.post("/models/reload", headers=KEY), 500)
    assert reads_with(client, samples["ef2ec"]) == "10"
    assert reload(client)["unchanged"]


def test_a_service_becomes_ready_when_its_default_model_is_added(
    store: Path, start: Start, problem: Problem, samples: dict[str, bytes]
) -> None:
    (store / "captcha" / "10").rename(store.parent / "spare")
    client = start(model_store=store, admin_key="sesame")
    problem(client.get("/readyz"), 503)
    problem(client.post("/models/reload", headers=KEY), 503)
    (store.parent / "spare").rename(store / "captcha" / "10")
    assert reload(client)["loaded"] == [{"name": "captcha", "version": "10"}]
    assert client.get("/readyz").status_code == 200
    assert reads_with(client, samples["ef2ec"]) == "10"


class TestPinnedByOcrModelSha256:
    @pytest.fixture
    def client(self, store: Path, start: Start) -> TestClient:
        sums = store / "captcha" / "10" / "SHA256SUMS"
        return start(model_store=store, admin_key="sesame", model_sha256=sha256_of_file(sums, 1000))

    @pytest.mark.parametrize("with_sums", [True, False])
    def test_another_version_of_the_default_model_is_refused(
        self, client: TestClient, store: Path, samples: dict[str, bytes], with_sums: bool
    ) -> None:
        newer = shutil.copytree(store / "captcha" / "10", store / "captcha" / "11")
        change(newer)
        write_sums(newer) if with_sums else (newer / "SHA256SUMS").unlink()
        (broken,) = reload(client)["broken"]
        assert (broken["version"], broken["kept"]) == ("11", False)
        assert "the SHA-256 of its SHA256SUMS should be " in broken["reason"]
        assert reads_with(client, samples["ef2ec"]) == "10"

    def test_a_replacement_is_refused_and_the_loaded_version_is_kept(
        self, client: TestClient, store: Path, samples: dict[str, bytes]
    ) -> None:
        change(store / "captcha" / "10")
        write_sums(store / "captcha" / "10")
        (broken,) = reload(client)["broken"]
        assert (broken["version"], broken["kept"]) == ("10", True)
        assert reads_with(client, samples["ef2ec"]) == "10"

    def test_other_models_are_not_pinned(self, client: TestClient, store: Path) -> None:
        change(shutil.copytree(store / "captcha" / "10", store / "plates" / "1"))
        write_sums(store / "plates" / "1")
        assert [model["name"] for model in reload(client)["loaded"]] == ["plates"]

    def test_the_service_does_not_start_without_it(self, store: Path, start: Start) -> None:
        sums = store / "captcha" / "10" / "SHA256SUMS"
        change(store / "captcha" / "10")  # and so no longer matches the list
        with pytest.raises(RuntimeError, match="OCR_MODEL_SHA256"):
            start(model_store=store, model_sha256=sha256_of_file(sums, 1000))


def change(folder: Path) -> None:
    """Change the model without changing what it reads."""
    with (folder / "configs.yaml").open("a") as configs:
        configs.write("# changed\n")


def test_requests_are_answered_during_reloads_which_run_one_at_a_time(
    client: TestClient, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, loading = threading.Event(), threading.Semaphore(0)
    at_a_time: list[int] = []

    def load_slowly(*given: Any, **named: Any) -> Any:
        at_a_time.append(1)
        loading.release()
        assert len(at_a_time) == 1
        assert go_on.wait(timeout=GENEROUS_SECONDS)
        at_a_time.pop()
        return ModelStore(*given, **named)

    monkeypatch.setattr("app.serving.reload.ModelStore", load_slowly)
    with ThreadPoolExecutor() as threads:
        reloads = [threads.submit(reload, client) for _ in range(2)]
        assert loading.acquire(timeout=GENEROUS_SECONDS)
        time.sleep(0.1)  # the other one would begin now if it did not wait
        assert reads_with(client, samples["ef2ec"]) == "10"
        assert not any(one.done() for one in reloads)
        go_on.set()
        assert [one.result()["broken"] for one in reloads] == [[], []]
